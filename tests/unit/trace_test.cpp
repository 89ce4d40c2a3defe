#include "core/trace.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "zoomr/error.h"

namespace zoomr {
namespace {

using nlohmann::json;

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
               .unit = Unit::thought,
               .n_ctx = 256,
               .options = {{"window", 64}, {"a", "first"}}},
      TokenEvent{
          .pos = 3, .id = 77, .piece = " caf\u00e9", .kind = SegmentKind::summary, .forced = true},
      LineEvent{{3, 9}},
      SegmentEvent{
          .index = 2, .kind = SegmentKind::thought, .span = {3, 9}, .pinned = true, .partner = 1},
      DecodeEvent{{3, 9}, 1.25},
      VoteEvent{vote},
      EditEvent{.kind = EditKind::in,
                .span = {3, 9},
                .bytes = 5000000000,
                .us = 5.5,
                .ok = false,
                .why = "no room"},
      NoteEvent{9, "a note"},
      FinalEvent{{{"text_hash", "00"}, {"n", 3}}},
      TurnEvent{.at = 40, .pinned = 16, .budget = 96, .options = {{"temp", 0}, {"a", "b"}}}};
}

std::vector<std::string> kinds() {
  return {"run", "token", "line", "segment", "decode", "vote", "edit", "note", "final", "turn"};
}

json schema_of(const std::string& kind) {
  std::ifstream file(std::string(ZOOMR_SOURCE_DIR) + "/docs/trace.schema.json");
  const json schema = json::parse(file);
  for (const json& own : schema["oneOf"]) {
    if (own["properties"]["t"]["const"] == kind) return own;
  }
  return {};
}

class EveryEvent : public ::testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] TraceEvent event() const { return one_of_each()[GetParam()]; }
  [[nodiscard]] json written() const { return json::parse(to_json_line(event())); }
};

TEST_P(EveryEvent, ComesBackAsItWas) {
  const std::string line = to_json_line(event());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(from_json_line(line).index(), event().index());
  EXPECT_EQ(to_json_line(from_json_line(line)), line);
  EXPECT_EQ(written()["t"], kinds()[GetParam()]);
}

TEST_P(EveryEvent, HasTheKeysThatItsSchemaRequires) {
  const json schema = schema_of(kinds()[GetParam()]);
  ASSERT_FALSE(schema.is_null());
  for (const json& key : schema["required"]) {
    EXPECT_TRUE(written().contains(key.get<std::string>())) << key;
  }
  const json event = written();
  for (const auto& [key, value] : event.items()) {
    EXPECT_TRUE(schema["properties"].contains(key)) << key;
  }
}

TEST_P(EveryEvent, WithoutARequiredKeyIsRefused) {
  const json schema = schema_of(kinds()[GetParam()]);
  for (const json& key : schema["required"]) {
    json event = written();
    event.erase(key.get<std::string>());
    EXPECT_THROW((void)from_json_line(event.dump()), Error) << key;
  }
}

TEST_P(EveryEvent, WithAValueOfAnotherTypeIsRefused) {
  const json whole = written();
  for (const auto& [key, value] : whole.items()) {
    for (const json& other :
         {json(nullptr), json(-1), json(1.5), json(1e300), json("no"), json(true), json::array({1}),
          json::array({2, 1}), json::array({-1, 1}), json::array({0, 4294967296})}) {
      json event = whole;
      if (other.type() == value.type() && !other.is_array()) continue;
      if (value.is_number() && other.is_number()) continue;  // below, key by key
      if (key == "piece" && other.is_string()) continue;
      event[key] = other;
      EXPECT_THROW((void)from_json_line(event.dump()), Error) << key << " " << other;
    }
  }
}

TEST_P(EveryEvent, IgnoresKeysThatItDoesNotKnow) {
  const std::string line = to_json_line(event());
  auto changed = nlohmann::ordered_json::parse(line);
  changed["later"] = {{"a", 1}};
  EXPECT_EQ(to_json_line(from_json_line(changed.dump())), line);
}

TEST_P(EveryEvent, IsInThePageOfTheFormat) {
  std::ifstream file(std::string(ZOOMR_SOURCE_DIR) + "/docs/trace.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  int n_examples = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("{\"t\":\"" + kinds()[GetParam()] + "\"")) continue;
    ++n_examples;
    EXPECT_EQ(to_json_line(from_json_line(line)), line);  // and is what the writer writes
  }
  EXPECT_GE(n_examples, 1);
  const json schema = schema_of(kinds()[GetParam()]);
  for (const auto& [key, value] : schema["properties"].items()) {
    EXPECT_NE(page.find("`" + key), std::string::npos) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryEvent, ::testing::Range<std::size_t>(0, 10),
                         [](const auto& test) { return kinds()[test.param]; });

TEST(Trace, KeepsASecondLookAndWhatADecodeMissed) {
  const auto back = [](const TraceEvent& event) { return from_json_line(to_json_line(event)); };
  const DecodeEvent decode{.span = {9, 10}, .ms = 1, .missed = 0.125};
  EXPECT_EQ(std::get<DecodeEvent>(back(decode)).missed, 0.125);
  EXPECT_LT(std::get<DecodeEvent>(back(DecodeEvent{{9, 10}, 1})).missed, 0);
  EXPECT_EQ(to_json_line(DecodeEvent{{9, 10}, 1}).find("missed"), std::string::npos);
  const EditEvent again{.kind = EditKind::again, .span = {9, 10}};
  EXPECT_EQ(std::get<EditEvent>(back(again)).kind, EditKind::again);
}

TEST(Trace, ReadsEveryFieldBack) {
  const auto events = one_of_each();
  const auto back = [&events](std::size_t i) { return from_json_line(to_json_line(events[i])); };
  const auto run = std::get<RunEvent>(back(0));
  EXPECT_EQ(run.zoomr, "1");
  EXPECT_EQ(run.llama, "2");
  EXPECT_EQ(run.model, "m");
  EXPECT_EQ(run.policy, "zoomr");
  EXPECT_EQ(run.budget, 128);
  EXPECT_EQ(run.unit, Unit::thought);
  EXPECT_EQ(run.n_ctx, 256);
  EXPECT_EQ(run.options.dump(), R"({"window":64,"a":"first"})");  // in their order
  const auto token = std::get<TokenEvent>(back(1));
  EXPECT_EQ(token.pos, 3);
  EXPECT_EQ(token.id, 77);
  EXPECT_EQ(token.piece, " caf\u00e9");
  EXPECT_EQ(token.kind, SegmentKind::summary);
  EXPECT_TRUE(token.forced);
  EXPECT_EQ(std::get<LineEvent>(back(2)).span, (Span{3, 9}));
  const auto segment = std::get<SegmentEvent>(back(3));
  EXPECT_EQ(segment.index, 2);
  EXPECT_EQ(segment.kind, SegmentKind::thought);
  EXPECT_TRUE(segment.pinned);
  EXPECT_EQ(segment.partner, 1);
  EXPECT_EQ(std::get<DecodeEvent>(back(4)).ms, 1.25);
  const auto vote = std::get<VoteEvent>(back(5)).result;
  EXPECT_EQ(vote.at, 41);
  ASSERT_EQ(vote.ranked.size(), 2U);
  EXPECT_EQ(vote.ranked[0].candidate.key, (Span{3, 9}));
  EXPECT_EQ(vote.ranked[0].candidate.details, (Span{1, 9}));
  EXPECT_EQ(vote.ranked[1].votes, 2);
  EXPECT_EQ(vote.total_votes, 9);
  EXPECT_EQ(vote.consensus, 1);
  EXPECT_EQ(vote.agreeability, 7.0 / 9);
  const auto edit = std::get<EditEvent>(back(6));
  EXPECT_EQ(edit.kind, EditKind::in);
  EXPECT_EQ(edit.bytes, 5000000000U);
  EXPECT_EQ(edit.us, 5.5);
  EXPECT_FALSE(edit.ok);
  EXPECT_EQ(edit.why, "no room");
  EXPECT_EQ(std::get<NoteEvent>(back(7)).at, 9);
  EXPECT_EQ(std::get<FinalEvent>(back(8)).record["n"], 3);
  const auto turn = std::get<TurnEvent>(back(9));
  EXPECT_EQ(turn.at, 40);
  EXPECT_EQ(turn.pinned, 16);
  EXPECT_EQ(turn.budget, 96);
  EXPECT_EQ(turn.options.dump(), R"({"temp":0,"a":"b"})");
}

TEST(Trace, LeavesOutWhatIsAsUsual) {
  EXPECT_EQ(to_json_line(TokenEvent{.pos = 1, .id = 2, .piece = "a"}),
            R"({"t":"token","pos":1,"id":2,"piece":"a","kind":"thought"})");
  EXPECT_EQ(to_json_line(SegmentEvent{.index = 0, .kind = SegmentKind::answer, .span = {0, 2}}),
            R"({"t":"segment","index":0,"kind":"answer","span":[0,2]})");
  EXPECT_EQ(to_json_line(EditEvent{.kind = EditKind::out, .span = {0, 2}}),
            R"({"t":"edit","op":"out","span":[0,2],"bytes":0,"us":0.0})");
}

TEST(Trace, RoundsTimes) {
  EXPECT_EQ(to_json_line(DecodeEvent{{0, 1}, 1.23456789}),
            R"({"t":"decode","span":[0,1],"ms":1.235})");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NO_THROW((void)from_json_line(to_json_line(DecodeEvent{{0, 1}, nan})));
}

TEST(Trace, KeepsPiecesThatAreNotUtf8) {
  std::mt19937 random(3);
  int n_hex = 0;
  for (int i = 0; i < 500; ++i) {
    std::string piece;
    for (unsigned n = random() % 5; n > 0; --n) {
      piece += static_cast<char>(random() % 2 == 0 ? random() % 256 : random() % 128);
    }
    const std::string line = to_json_line(TokenEvent{.pos = 0, .id = 1, .piece = piece});
    EXPECT_TRUE(json::accept(line));  // and so valid UTF-8
    n_hex += json::parse(line)["piece"].is_object() ? 1 : 0;
    EXPECT_EQ(std::get<TokenEvent>(from_json_line(line)).piece, piece);
  }
  EXPECT_GT(n_hex, 50);
  EXPECT_LT(n_hex, 450);
}

TEST(Trace, WritesAPartOfACharacterInHex) {
  EXPECT_EQ(to_json_line(TokenEvent{.pos = 0, .id = 1, .piece = "\xe2\x82"}),
            R"({"t":"token","pos":0,"id":1,"piece":{"hex":"e282"},"kind":"thought"})");
}

// Random contents in every field that takes text or numbers.
TEST(Trace, RandomEventsComeBack) {
  std::mt19937 random(11);
  const auto text = [&random] {
    std::string s;
    for (unsigned n = random() % 12; n > 0; --n) s += static_cast<char>(random() % 128);
    return s;
  };
  const auto number = [&random] { return static_cast<Pos>(random() % 0x7fffffff); };
  const auto span = [&random] {
    const auto begin = static_cast<Pos>(random() % 100000);
    return Span{begin, begin + static_cast<Pos>(random() % 1000)};
  };
  for (int i = 0; i < 200; ++i) {
    VoteResult vote{.at = number(), .total_votes = number(), .consensus = number()};
    for (unsigned n = random() % 4; n > 0; --n) {
      vote.ranked.push_back({{span(), span()}, number()});
    }
    const std::vector<TraceEvent> events = {
        RunEvent{.zoomr = text(),
                 .llama = text(),
                 .model = text(),
                 .policy = text(),
                 .budget = number(),
                 .unit = static_cast<Unit>(random() % 3),
                 .n_ctx = number(),
                 .options = {{text(), text()}}},
        TokenEvent{.pos = number(),
                   .id = static_cast<Token>(random()),
                   .piece = text(),
                   .kind = static_cast<SegmentKind>(random() % 4),
                   .forced = random() % 2 == 0},
        SegmentEvent{.index = number(),
                     .kind = static_cast<SegmentKind>(random() % 4),
                     .span = span(),
                     .pinned = random() % 2 == 0,
                     .partner = static_cast<int>(random() % 9) - 1},
        VoteEvent{vote},
        EditEvent{.kind = static_cast<EditKind>(random() % 4),
                  .span = span(),
                  .bytes = random(),
                  .us = random() / 1000.0,
                  .ok = random() % 2 == 0,
                  .why = text()},
        NoteEvent{number(), text()},
        FinalEvent{{{text(), number()}}},
        TurnEvent{
            .at = number(), .pinned = number(), .budget = number(), .options = {{text(), text()}}}};
    for (const TraceEvent& event : events) {
      const std::string line = to_json_line(event);
      EXPECT_EQ(to_json_line(from_json_line(line)), line);
    }
  }
}

TEST(Trace, ReplacesWhatIsNotUtf8OutsideOfPieces) {
  for (const TraceEvent& event :
       std::vector<TraceEvent>{NoteEvent{1, "bad \xff byte"}, RunEvent{.model = "\xc3"},
                               EditEvent{.why = "\x80"}, FinalEvent{{{"text", "cut \xe2\x82"}}}}) {
    const std::string line = to_json_line(event);
    EXPECT_TRUE(json::accept(line));
    EXPECT_NE(line.find("\ufffd"), std::string::npos);
  }
}

TEST(Trace, RefusesAnotherVersion) {
  json run = json::parse(to_json_line(one_of_each()[0]));
  run["version"] = kTraceVersion + 1;
  try {
    (void)from_json_line(run.dump());
    FAIL() << "read";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find("of version 3"), std::string::npos);
  }
}

TEST(Trace, ReadsTheVersionThatHadNoTurns) {
  json run = json::parse(to_json_line(one_of_each()[0]));
  run["version"] = 1;
  EXPECT_EQ(std::get<RunEvent>(from_json_line(run.dump())).budget, 128);
}

class NoEvent : public ::testing::TestWithParam<const char*> {};

TEST_P(NoEvent, IsRefused) {
  try {
    (void)from_json_line(GetParam());
    FAIL() << "read";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_TRUE(std::string(e.what()).starts_with("not an event of a trace: ")) << e.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lines, NoEvent,
    ::testing::Values("", "{", "[]", "7", "null", R"({"t":7})", R"({"t":"dance"})",
                      R"({"t":"line","span":[4,2]})", R"({"t":"line","span":[1]})",
                      R"({"t":"line","span":[-1,2]})", R"({"t":"line","span":[0,2147483648]})",
                      R"({"t":"line","span":[0.5,2]})", R"({"t":"line","span":[0,2]} {})",
                      R"({"t":"edit","op":"up","span":[0,1],"bytes":0,"us":0})",
                      R"({"t":"edit","op":"in","span":[0,1],"bytes":-1,"us":0})",
                      R"({"t":"token","pos":-1,"id":0,"kind":"thought","piece":""})",
                      R"({"t":"token","pos":0,"id":99999999999,"kind":"thought","piece":""})",
                      R"({"t":"token","pos":0,"id":0,"kind":"idea","piece":""})",
                      R"({"t":"token","pos":0,"id":0,"kind":"thought","piece":{"hex":"zz"}})",
                      R"({"t":"token","pos":0,"id":0,"kind":"thought","piece":{"hex":"+1"}})",
                      R"({"t":"token","pos":0,"id":0,"kind":"thought","piece":{"hex":"abc"}})",
                      R"({"t":"token","pos":0,"id":0,"kind":"thought","piece":{"octal":"7"}})"));

}  // namespace
}  // namespace zoomr
