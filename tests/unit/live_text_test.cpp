// What a terminal shows while a model thinks, from the trace's events alone.
#include <gtest/gtest.h>

#include <string>

#include "cli/terminal.h"

namespace zoomr {
namespace {

// A prompt of four tokens and lines of two, decoded one by one.
class Thinking {
 public:
  Thinking() {
    text.write(RunEvent{.budget = 8, .options = {{"summaries", "none"}}});
    for (int i = 0; i < 4; ++i) add("", SegmentKind::prompt);
    text.write(LineEvent{{0, 4}});
    text.write(DecodeEvent{.span = {0, 4}});
  }
  void add(const std::string& piece, SegmentKind kind = SegmentKind::thought) {
    text.write(TokenEvent{.pos = n_++, .piece = piece, .kind = kind});
  }
  void line(const std::string& first, const std::string& second) {
    for (const std::string& piece : {first, second}) {
      add(piece);
      text.write(DecodeEvent{.span = {n_ - 1, n_}});
    }
    text.write(LineEvent{{n_ - 2, n_}});
  }
  void edit(EditKind kind, Span span) { text.write(EditEvent{.kind = kind, .span = span}); }

  LiveText text{false};

 private:
  Pos n_ = 0;
};

std::vector<std::string> rows(const Thinking& t) { return t.text.rows(60, 20, false); }

TEST(LiveText, FoldsWhatLeavesAndUnfoldsWhatComesBack) {
  Thinking t;
  t.line("One ", "lamp.");
  t.line(" Two ", "ropes.");
  t.line(" Three ", "kites.");
  EXPECT_EQ(rows(t), (std::vector<std::string>{"One lamp.", " Two ropes.", " Three kites."}));
  t.edit(EditKind::out, {4, 6});
  t.edit(EditKind::out, {6, 8});
  EXPECT_EQ(rows(t),
            (std::vector<std::string>{"\u25b8 2 lines folded  One lamp.", " Three kites."}));
  t.edit(EditKind::in, {4, 6});
  EXPECT_EQ(rows(t), (std::vector<std::string>{
                         "\u25be One lamp.", "\u25b8 1 line folded  Two ropes.", " Three kites."}));
  t.edit(EditKind::drop, {8, 10});
  EXPECT_EQ(rows(t).back(), "\u2715 1 line dropped  Three kites.");
  EXPECT_EQ(
      t.text.status(2),
      "resident 6/8 \u00b7 zooms 1 in, 2 out \u00b7 dropped 2 \u00b7 6 tokens \u00b7 2.0 tokens/s");
}

TEST(LiveText, OfATokenDecodedTwiceTheSecondTimeCounts) {
  Thinking t;
  t.line("One ", "lamp.");
  t.add("So");
  t.text.write(DecodeEvent{.span = {6, 7}, .missed = 0.5});
  EXPECT_NE(t.text.status(1).find("resident 7/8 \u00b7 zooms 0 in, 0 out \u00b7 missed 50 %"),
            std::string::npos);
  t.edit(EditKind::again, {6, 7});
  t.text.write(DecodeEvent{.span = {6, 7}, .missed = 0.1});
  EXPECT_NE(t.text.status(1).find("resident 7/8 \u00b7 zooms 0 in, 0 out \u00b7 missed 10 %"),
            std::string::npos);
}

}  // namespace
}  // namespace zoomr
