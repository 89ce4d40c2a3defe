#include "core/trace.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "zoomr/error.h"

namespace zoomr {
namespace {

// An event of every kind, with all its fields set.
std::vector<TraceEvent> one_of_each() {
  VoteResult vote{.at = 41,
                  .ranked = {{{{3, 9}, {1, 9}}, 7}, {{{9, 12}, {9, 12}}, 2}},
                  .total_votes = 9,
                  .consensus = 1,
                  .agreeability = 7.0 / 9};
  return {
      RunEvent{.zoomr = "1",
               .llama = "2",
               .model = "m",
               .policy = "zoomr",
               .budget = 128,
               .unit = Unit::line,
               .n_ctx = 256,
               .options = {{"window", 64}}},
      TokenEvent{
          .pos = 3, .id = 77, .piece = " caf\u00e9", .kind = SegmentKind::summary, .forced = true},
      LineEvent{{3, 9}},
      SegmentEvent{
          .index = 2, .kind = SegmentKind::thought, .span = {3, 9}, .pinned = true, .partner = 1},
      DecodeEvent{{3, 9}, 1.25},
      VoteEvent{vote},
      EditEvent{.kind = EditKind::in,
                .span = {3, 9},
                .bytes = 1234,
                .us = 5.5,
                .ok = false,
                .why = "no room"},
      NoteEvent{9, "a note"},
      FinalEvent{{{"text_hash", "00"}, {"n", 3}}}};
}

std::vector<std::string> kinds() {
  return {"run", "token", "line", "segment", "decode", "vote", "edit", "note", "final"};
}

class EveryEvent : public ::testing::TestWithParam<std::size_t> {};

TEST_P(EveryEvent, ComesBackAsItWas) {
  const std::string line = to_json_line(one_of_each()[GetParam()]);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(to_json_line(from_json_line(line)), line);
  EXPECT_EQ(nlohmann::json::parse(line)["t"], kinds()[GetParam()]);
}

TEST_P(EveryEvent, HasTheKeysThatItsSchemaRequires) {
  std::ifstream file(std::string(ZOOMR_SOURCE_DIR) + "/docs/trace.schema.json");
  const nlohmann::json schema = nlohmann::json::parse(file);
  const nlohmann::json event = nlohmann::json::parse(to_json_line(one_of_each()[GetParam()]));
  const nlohmann::json* own = nullptr;
  for (const auto& kind : schema["oneOf"]) {
    if (kind["properties"]["t"]["const"] == event["t"]) own = &kind;
  }
  ASSERT_NE(own, nullptr);
  for (const auto& key : (*own)["required"]) EXPECT_TRUE(event.contains(key)) << key;
  for (const auto& [key, value] : event.items())
    EXPECT_TRUE((*own)["properties"].contains(key)) << key;
}

TEST_P(EveryEvent, WithoutARequiredKeyIsRefused) {
  nlohmann::json event = nlohmann::json::parse(to_json_line(one_of_each()[GetParam()]));
  event.erase("t");
  EXPECT_THROW((void)from_json_line(event.dump()), Error);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryEvent, ::testing::Range<std::size_t>(0, 9),
                         [](const auto& test) { return kinds()[test.param]; });

TEST(Trace, KeepsPiecesThatAreNotUtf8) {
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::string piece;
    for (unsigned n = random() % 5; n > 0; --n) piece += static_cast<char>(random() % 256);
    const std::string line = to_json_line(TokenEvent{.pos = 0, .id = 1, .piece = piece});
    EXPECT_TRUE(nlohmann::json::accept(line));
    EXPECT_EQ(std::get<TokenEvent>(from_json_line(line)).piece, piece);
  }
}

TEST(Trace, RefusesAnotherVersion) {
  nlohmann::json run = nlohmann::json::parse(to_json_line(one_of_each()[0]));
  run["version"] = kTraceVersion + 1;
  EXPECT_THROW((void)from_json_line(run.dump()), Error);
}

TEST(Trace, RefusesWhatIsNoEvent) {
  for (const char* line :
       {"", "{", "[]", "{\"t\":\"dance\"}", "{\"t\":\"line\",\"span\":[4,2]}",
        "{\"t\":\"line\",\"span\":[1]}",
        "{\"t\":\"edit\",\"op\":\"up\",\"span\":[0,1],\"bytes\":0,\"us\":0}",
        "{\"t\":\"token\",\"pos\":0,\"id\":0,\"kind\":\"thought\",\"piece\":{\"hex\":\"zz\"}}"}) {
    EXPECT_THROW((void)from_json_line(line), Error) << line;
  }
}

}  // namespace
}  // namespace zoomr
