#include "core/replay.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/columns.h"
#include "core/text_hash.h"
#include "core/thought_tree.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

using Events = std::vector<TraceEvent>;

// A run of a prompt of 4 tokens and two lines of 4; the first line leaves and comes back.
Events good_run() {
  Events events = {RunEvent{.zoomr = "t",
                            .llama = "t",
                            .model = "m",
                            .policy = "zoomr",
                            .budget = 12,
                            .unit = Unit::line,
                            .n_ctx = 256,
                            .options = {{"summaries", "none"}}}};
  const auto token = [&](Pos pos, SegmentKind kind) {
    events.push_back(
        TokenEvent{.pos = pos, .id = pos, .piece = "w" + std::to_string(pos) + " ", .kind = kind});
  };
  for (Pos pos = 0; pos < 4; ++pos) token(pos, SegmentKind::prompt);
  events.push_back(LineEvent{{0, 4}});
  events.push_back(
      SegmentEvent{.index = 0, .kind = SegmentKind::prompt, .span = {0, 4}, .pinned = true});
  events.push_back(DecodeEvent{{0, 4}, 1});
  for (Pos pos = 4; pos < 12; ++pos) {
    token(pos, SegmentKind::thought);
    if (pos == 8) events.push_back(LineEvent{{4, 8}});
    events.push_back(DecodeEvent{{pos, pos + 1}, 1});
    if (pos == 9)
      events.push_back(EditEvent{.kind = EditKind::out, .span = {4, 8}, .bytes = 100, .us = 1});
    if (pos == 10)
      events.push_back(EditEvent{.kind = EditKind::in, .span = {4, 8}, .bytes = 100, .us = 1});
    if (pos == 11)
      events.push_back(EditEvent{.kind = EditKind::out, .span = {4, 8}, .bytes = 0, .us = 1});
  }
  events.push_back(LineEvent{{8, 12}});
  events.push_back(SegmentEvent{.index = 1, .kind = SegmentKind::thought, .span = {4, 12}});
  std::string text;
  for (Pos pos = 4; pos < 12; ++pos) text += "w" + std::to_string(pos) + " ";
  events.push_back(FinalEvent{{{"text_hash", text_hash(text)},
                               {"peak_resident_tokens", 12},
                               {"stored_tokens", 4},
                               {"bytes_moved", 200}}});
  return events;
}

Replay replay(const Events& events) {
  Replay r;
  for (const TraceEvent& event : events) r.apply(event);
  return r;
}

TEST(Replay, RebuildsResidency) {
  const Replay r = replay(good_run());
  EXPECT_TRUE(r.complete());
  EXPECT_EQ(r.residency().resident, (SpanSet{{0, 4}, {8, 12}}));
  EXPECT_EQ(r.residency().stored, (SpanSet{{4, 8}}));
  EXPECT_EQ(r.counts().edits, 3);
  EXPECT_EQ(r.counts().peak_resident, 12);
  EXPECT_EQ(r.segments().size(), 2U);
  EXPECT_EQ(r.text({4, 6}), "w4 w5 ");
}

struct Tampering {
  std::string name;
  std::function<void(Events&)> change;
  std::string complaint;
};

template <typename T>
T& find(Events& events, std::size_t nth = 0) {
  for (TraceEvent& event : events) {
    if (auto* e = std::get_if<T>(&event); e != nullptr && nth-- == 0) return *e;
  }
  throw std::logic_error("no such event");
}

template <typename T>
void erase(Events& events, std::size_t nth) {
  for (auto it = events.begin(); it != events.end(); ++it) {
    if (std::holds_alternative<T>(*it) && nth-- == 0) {
      events.erase(it);
      return;
    }
  }
}

class Tampered : public ::testing::TestWithParam<Tampering> {};

TEST_P(Tampered, IsFound) {
  Events events = good_run();
  GetParam().change(events);
  try {
    (void)replay(events);
    FAIL() << "nobody noticed";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(GetParam().complaint), std::string::npos) << e.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Tampered,
    ::testing::Values(
        Tampering{"a_removed_out", [](Events& e) { erase<EditEvent>(e, 0); }, "not stored"},
        Tampering{"a_removed_in", [](Events& e) { erase<EditEvent>(e, 1); }, "not resident"},
        Tampering{"a_moved_span",
                  [](Events& e) {
                    find<EditEvent>(e).span = {4, 7};
                  },
                  "whole lines"},
        Tampering{"the_newest_hidden",
                  [](Events& e) {
                    find<EditEvent>(e, 2).span = {8, 12};
                  },
                  "newest"},
        Tampering{"a_pinned_line_out",
                  [](Events& e) {
                    find<EditEvent>(e).span = {0, 4};
                  },
                  "pinned"},
        Tampering{"a_changed_word", [](Events& e) { find<TokenEvent>(e, 6).piece = "x"; }, "hash"},
        Tampering{"a_skipped_token", [](Events& e) { erase<TokenEvent>(e, 5); }, "does not go on"},
        Tampering{"a_skipped_decode", [](Events& e) { erase<DecodeEvent>(e, 2); },
                  "does not go on"},
        Tampering{"a_smaller_budget", [](Events& e) { find<RunEvent>(e).budget = 9; }, "budget"},
        Tampering{"a_better_peak",
                  [](Events& e) { find<FinalEvent>(e).record["peak_resident_tokens"] = 9; },
                  "peak_resident_tokens"},
        Tampering{"fewer_bytes", [](Events& e) { find<FinalEvent>(e).record["bytes_moved"] = 1; },
                  "bytes_moved"},
        Tampering{"a_line_that_jumps",
                  [](Events& e) {
                    find<LineEvent>(e, 1).span = {5, 8};
                  },
                  "does not follow"},
        Tampering{"swapped_tokens", [](Events& e) { find<TokenEvent>(e, 6).pos = 7; },
                  "out of order"},
        Tampering{"no_run", [](Events& e) { erase<RunEvent>(e, 0); }, "begins with its run"}),
    [](const auto& test) { return test.param.name; });

TEST(Replay, AFailedEditChangesNothing) {
  Events events = good_run();
  EditEvent failed{.kind = EditKind::out, .span = {8, 12}, .us = 1, .ok = false, .why = "full"};
  events.insert(events.end() - 1, failed);
  const Replay r = replay(events);
  EXPECT_EQ(r.counts().failed_edits, 1);
  EXPECT_EQ(r.residency().stored, (SpanSet{{4, 8}}));
}

TEST(ThoughtTree, TellsEverySegmentAndLine) {
  const Replay r = replay(good_run());
  const auto rows = thought_tree(r, {.width = 90, .lines = true});
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_NE(rows[0].find("prompt"), std::string::npos);
  EXPECT_NE(rows[1].find("thought 1"), std::string::npos);
  EXPECT_NE(rows[1].find("in part"), std::string::npos);
  EXPECT_NE(rows[2].find("folded"), std::string::npos);
  EXPECT_NE(rows[3].find("resident"), std::string::npos);
  EXPECT_NE(rows[3].find("w8 w9"), std::string::npos);
}

TEST(ThoughtTree, FitsTheWidth) {
  const Replay r = replay(good_run());
  for (int width = 80; width < 140; width += 7) {
    for (const std::string& row : thought_tree(r, {.width = width, .lines = true}))
      EXPECT_LE(columns_of(row), width);
  }
}

TEST(ThoughtTree, AsciiIsAscii) {
  const Replay r = replay(good_run());
  for (const std::string& row : thought_tree(r, {.width = 100, .lines = true, .ascii = true})) {
    for (const char c : row) EXPECT_GE(c, ' ') << row;
  }
}

}  // namespace
}  // namespace zoomr
