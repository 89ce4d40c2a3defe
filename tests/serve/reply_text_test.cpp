#include "serve/reply_text.h"

#include <gtest/gtest.h>

#include <random>

namespace zoomr {
namespace {

std::string show(ReplyText& text, const std::vector<std::string>& pieces) {
  std::string shown;
  for (const std::string& piece : pieces) {
    text.push(piece);
    shown += text.take();
  }
  return shown;
}

TEST(ReplyText, ShowsTextAsItComes) {
  ReplyText text({});
  text.push("a b");
  EXPECT_EQ(text.take(), "a b");
  EXPECT_EQ(text.take(), "");
}

TEST(ReplyText, HoldsBackWhatMayBecomeAStopText) {
  ReplyText text({"END"});
  EXPECT_EQ(show(text, {"the E"}), "the ");
  EXPECT_EQ(show(text, {"N"}), "");
  EXPECT_EQ(show(text, {"T"}), "ENT");
  EXPECT_EQ(show(text, {"E", "ND and more"}), "");
  EXPECT_EQ(text.stop_text(), "END");
  EXPECT_EQ(text.text(), "the ENT");
}

TEST(ReplyText, TheFirstStopTextEndsIt) {
  ReplyText text({"two", "one"});
  EXPECT_EQ(show(text, {"zero one two"}), "zero ");
  EXPECT_EQ(text.stop_text(), "one");
}

TEST(ReplyText, HoldsBackAnUnfinishedCharacter) {
  ReplyText text({});
  EXPECT_EQ(show(text, {"a\xE2"}), "a");
  EXPECT_EQ(show(text, {"\x82"}), "");
  EXPECT_EQ(show(text, {"\xAC!"}), "\xE2\x82\xAC!");
}

TEST(ReplyText, GivesWhatItHeldWhenTheReplyIsOver) {
  ReplyText text({"END"});
  EXPECT_EQ(show(text, {"EN", "\xE2\x82"}), "EN");
  text.finish();
  EXPECT_EQ(text.take(), "\xE2\x82");
}

// Any text in any pieces: the parts joined are the text in front of the stop text; a part ends at a
// whole character; nothing of a stop text is shown.
TEST(ReplyTextProperty, PartsJoinedAreTheTextWithoutTheStop) {
  std::mt19937 random(7);
  const std::vector<std::string> letters = {
      "a", "b", "\n", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x8C\x8A"};
  const auto make = [&](std::size_t most) {
    std::string text;
    const std::size_t n = random() % (most + 1);
    for (std::size_t i = 0; i < n; ++i) text += letters[random() % letters.size()];
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    const std::string whole = make(30);
    const std::vector<std::string> stops = {make(4), make(3)};
    ReplyText text(stops);
    std::string joined;
    std::string seen;  // as far as the reply was written
    std::size_t at = 0;
    while (at < whole.size() && text.stop_text().empty()) {
      const std::size_t n = std::min(whole.size() - at, std::size_t{1} + random() % 5);
      text.push(std::string_view(whole).substr(at, n));
      at += n;
      const std::string part = text.take();
      joined += part;
      if (text.stop_text().empty() && !part.empty()) {
        const auto next =
            static_cast<unsigned char>(at < whole.size() ? whole[joined.size()] : 'a');
        ASSERT_NE(next & 0xC0U, 0x80U) << "a part ends inside of a character";
      }
    }
    text.finish();
    joined += text.take();
    const std::string written = whole.substr(0, at);
    std::size_t first = std::string::npos;
    for (const std::string& stop : stops) {
      if (!stop.empty()) first = std::min(first, written.find(stop));
    }
    ASSERT_EQ(joined, written.substr(0, first));
    ASSERT_EQ(text.stop_text().empty(), first == std::string::npos);
  }
}

}  // namespace
}  // namespace zoomr
