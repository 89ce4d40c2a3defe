#include "core/replay.h"

#include <gtest/gtest.h>

#include "unit/tampering.h"

namespace zoomr {
namespace {

TEST(Replay, RebuildsResidency) {
  const Replay r = replay(recorded_run());
  EXPECT_TRUE(r.complete());
  EXPECT_EQ(r.decoded(), 19);
  EXPECT_EQ(r.size(), 20);
  EXPECT_EQ(r.residency().resident, (SpanSet{{0, 4}, {12, 19}}));
  EXPECT_EQ(r.residency().stored, (SpanSet{{4, 8}}));
  EXPECT_EQ(r.dropped(), (SpanSet{{8, 12}}));
}

TEST(Replay, RebuildsTheTimeline) {
  const Replay r = replay(recorded_run());
  ASSERT_EQ(r.segments().size(), 4U);
  EXPECT_EQ(r.segments()[0].kind, SegmentKind::prompt);
  EXPECT_TRUE(r.segments()[0].pinned);
  EXPECT_EQ(r.segments()[1].span, (Span{4, 12}));
  EXPECT_EQ(r.segments()[1].partner, 2);
  EXPECT_EQ(r.segments()[2].kind, SegmentKind::summary);
  EXPECT_EQ(r.segments()[2].partner, 1);
  EXPECT_EQ(r.segments()[3].kind, SegmentKind::answer);
  ASSERT_EQ(r.lines().size(), 5U);
  EXPECT_EQ(r.lines()[2].span, (Span{8, 12}));
  EXPECT_EQ(r.lines()[2].segment, 1);
  EXPECT_EQ(r.text({4, 8}), "One and two.\n");
  EXPECT_EQ(r.text({18, 99}), " caf\xc3\xa9.");
  EXPECT_EQ(r.timeline().tokens()[5], 105);
}

TEST(Replay, Counts) {
  const Replay::Counts c = replay(recorded_run()).counts();
  EXPECT_EQ(c.edits, 4);
  EXPECT_EQ(c.failed_edits, 0);
  EXPECT_EQ(c.zoom_ins, 1);
  EXPECT_EQ(c.zoom_outs, 2);
  EXPECT_EQ(c.votes, 1);
  EXPECT_EQ(c.n_prompt, 4);
  EXPECT_EQ(c.n_generated, 16);
  EXPECT_EQ(c.peak_resident, 15);
  EXPECT_EQ(c.bytes_moved, 200U);
}

TEST(Replay, LeavesInjectedSummariesOutOfTheText) {
  EXPECT_TRUE(replay(recorded_run("injected")).complete());
  Events events = recorded_run("injected");
  find<RunEvent>(events).options["summaries"] = "native";
  EXPECT_THROW((void)replay(events), Error);
}

TEST(Replay, TakesAllLinesOfAStepBeforeItsSegments) {
  // A thought and its summary close in one step: the lines of both come first.
  Events events = recorded_run();
  const std::size_t first = index_of<LineEvent>(events, 2);
  const TraceEvent line = events[first];
  const TraceEvent segment = events[first + 1];
  events.erase(events.begin() + static_cast<std::ptrdiff_t>(first),
               events.begin() + static_cast<std::ptrdiff_t>(first) + 2);
  insert_before<LineEvent>(events, 2, line);
  insert_before<SegmentEvent>(events, 1, segment);
  // The edits of the thought's first line need no more than that line.
  const Replay r = replay(events);
  EXPECT_TRUE(r.complete());
  EXPECT_EQ(r.lines()[2].segment, 1);
  EXPECT_EQ(r.lines()[3].segment, 2);
}

TEST(Replay, AnOpenSegmentIsOfItsLastTokensKind) {
  Events events = recorded_run();
  events.resize(index_of<TokenEvent>(events, 14));
  const Replay r = replay(events);
  ASSERT_EQ(r.segments().size(), 3U);
  EXPECT_FALSE(r.segments()[2].closed);
  EXPECT_EQ(r.segments()[2].kind, SegmentKind::summary);
  EXPECT_EQ(r.segments()[2].span, (Span{12, 14}));
  EXPECT_FALSE(r.complete());
}

TEST(Replay, AFailedEditChangesNothing) {
  Events events = recorded_run();
  insert_before<FinalEvent>(
      events, 0,
      EditEvent{.kind = EditKind::out, .span = {12, 16}, .us = 1, .ok = false, .why = "full"});
  const Replay r = replay(events);
  EXPECT_EQ(r.counts().failed_edits, 1);
  EXPECT_EQ(r.residency().stored, (SpanSet{{4, 8}}));
}

TEST(Replay, ACompactionChangesNothing) {
  Events events = recorded_run();
  insert_before<FinalEvent>(events, 0, EditEvent{.kind = EditKind::compact, .span = {12, 16}});
  EXPECT_EQ(replay(events).residency(), replay(recorded_run()).residency());
}

TEST(Replay, ASecondLookCountsItsTokens) {
  Events events = recorded_run();
  insert_before<FinalEvent>(events, 0, EditEvent{.kind = EditKind::again, .span = {17, 19}});
  insert_before<FinalEvent>(events, 0, DecodeEvent{{17, 19}, 2});
  find<FinalEvent>(events).record["second_looks"] = 2;
  EXPECT_EQ(replay(events).counts().second_looks, 2);
}

TEST(Replay, ARunThatFailedMayEndInTheMiddleOfAStep) {
  Events events = recorded_run();
  insert_before<FinalEvent>(events, 0, EditEvent{.kind = EditKind::out, .span = {16, 19}});
  auto& record = find<FinalEvent>(events).record;
  record["zoom_outs"] = 3;
  record["stored_tokens"] = 7;
  EXPECT_THROW((void)replay(events), Error);
  record["finish_reason"] = "error";
  EXPECT_TRUE(replay(events).complete());
}

TEST(Replay, WithoutABudgetAnythingFits) {
  Events events = recorded_run();
  find<RunEvent>(events).budget = 0;
  EXPECT_TRUE(replay(events).complete());
}

TEST(Replay, KeepsNotes) {
  Events events = recorded_run();
  insert_before<FinalEvent>(events, 0, NoteEvent{19, "a stray delimiter"});
  EXPECT_EQ(replay(events).notes(), std::vector<std::string>{"a stray delimiter"});
}

TEST(Replay, BeginsWithARun) {
  Events events = recorded_run();
  erase<RunEvent>(events);
  try {
    (void)replay(events);
    FAIL() << "nobody noticed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
  }
}

class Tampered : public ::testing::TestWithParam<Tampering> {};

TEST_P(Tampered, IsFound) { expect_found(recorded_run(), GetParam()); }

// What the final record says of `key` is one too many.
Tampering record(const std::string& key) {
  return {"the_record_of_" + key,
          [key](Events& e) {
            auto& value = find<FinalEvent>(e).record[key];
            value = value.get<int>() + 1;
          },
          key};
}

INSTANTIATE_TEST_SUITE_P(
    Edits, Tampered,
    ::testing::Values(
        Tampering{"a_removed_out", [](Events& e) { erase<EditEvent>(e, 0); }, "not stored"},
        Tampering{"a_removed_in", [](Events& e) { erase<EditEvent>(e, 1); }, "not resident"},
        Tampering{"a_removed_second_out", [](Events& e) { erase<EditEvent>(e, 2); }, "budget"},
        Tampering{"a_removed_drop", [](Events& e) { erase<EditEvent>(e, 3); }, "budget"},
        Tampering{"a_shorter_out",
                  [](Events& e) {
                    find<EditEvent>(e).span = {4, 7};
                  },
                  "line"},
        Tampering{"an_out_as_a_drop", [](Events& e) { find<EditEvent>(e).kind = EditKind::drop; },
                  "not stored"},
        Tampering{"an_out_that_failed", [](Events& e) { find<EditEvent>(e).ok = false; },
                  "not stored"},
        Tampering{"an_out_twice",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 0, edit(EditKind::out, {4, 8}));
                  },
                  "not resident"},
        Tampering{"a_drop_twice",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 3, edit(EditKind::drop, {8, 12}));
                  },
                  "not held"},
        Tampering{"an_in_before_the_drop_that_makes_its_room",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 3, edit(EditKind::in, {4, 8}));
                  },
                  "beyond the budget"},
        Tampering{"an_edit_beyond_what_is_decoded",
                  [](Events& e) {
                    find<EditEvent>(e).span = {4, 20};
                  },
                  "is decoded"},
        Tampering{"an_empty_edit",
                  [](Events& e) {
                    find<EditEvent>(e).span = {8, 8};
                  },
                  "an edit"},
        Tampering{"a_compaction_of_what_is_stored",
                  [](Events& e) {
                    insert_before<FinalEvent>(e, 0, edit(EditKind::compact, {4, 8}));
                  },
                  "compacted but is not resident"},
        Tampering{"a_second_look_at_what_is_not_the_newest",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 0, edit(EditKind::again, {4, 8}));
                  },
                  "not the newest"},
        Tampering{"a_second_look_without_its_decode",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 0, edit(EditKind::again, {9, 10}));
                  },
                  "does not go on at 9"},
        Tampering{"the_newest_hidden",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 0, edit(EditKind::drop, {9, 10}));
                  },
                  "newest"},
        Tampering{"a_pinned_line_out",
                  [](Events& e) {
                    find<EditEvent>(e).span = {0, 4};
                  },
                  "pinned"},
        Tampering{"the_open_line_out",
                  [](Events& e) {
                    insert_before<EditEvent>(e, 0, edit(EditKind::out, {8, 9}));
                  },
                  "line"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Tokens, Tampered,
    ::testing::Values(
        Tampering{"a_changed_word", [](Events& e) { find<TokenEvent>(e, 6).piece = "x"; }, "hash"},
        Tampering{"a_changed_hash",
                  [](Events& e) { find<FinalEvent>(e).record["text_hash"] = "0123456789abcdef"; },
                  "hash"},
        Tampering{"no_hash", [](Events& e) { find<FinalEvent>(e).record.erase("text_hash"); },
                  "hash"},
        Tampering{"a_skipped_token", [](Events& e) { erase<TokenEvent>(e, 5); }, "does not go on"},
        Tampering{"a_token_out_of_order", [](Events& e) { find<TokenEvent>(e, 6).pos = 7; },
                  "out of order"},
        Tampering{"a_skipped_decode", [](Events& e) { erase<DecodeEvent>(e, 2); },
                  "does not go on"},
        Tampering{"a_decode_of_what_is_not_there",
                  [](Events& e) { find<DecodeEvent>(e, 2).span.end = 9; }, "does not go on"},
        Tampering{"a_smaller_budget", [](Events& e) { find<RunEvent>(e).budget = 14; }, "budget"},
        Tampering{"a_vote_of_the_future", [](Events& e) { find<VoteEvent>(e).result.at = 14; },
                  "vote"},
        Tampering{"a_second_run", [](Events& e) { insert_before<FinalEvent>(e, 0, e[0]); },
                  "second run"},
        Tampering{"more_behind_the_end",
                  [](Events& e) {
                    e.push_back(NoteEvent{20, "and then"});
                  },
                  "follows the final record"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Boundaries, Tampered,
    ::testing::Values(
        Tampering{"a_line_that_jumps",
                  [](Events& e) {
                    find<LineEvent>(e, 1).span = {5, 8};
                  },
                  "does not follow"},
        Tampering{"an_empty_line",
                  [](Events& e) {
                    find<LineEvent>(e, 1).span = {4, 4};
                  },
                  "does not follow"},
        Tampering{"a_line_of_the_future",
                  [](Events& e) {
                    find<LineEvent>(e, 1).span = {4, 10};
                  },
                  "does not follow"},
        Tampering{"a_removed_line", [](Events& e) { erase<LineEvent>(e, 1); }, "line"},
        Tampering{"a_segment_that_ends_in_a_line",
                  [](Events& e) { find<SegmentEvent>(e, 1).span.end = 11; }, "end with a line"},
        Tampering{"a_segment_that_begins_late",
                  [](Events& e) { find<SegmentEvent>(e, 1).span.begin = 5; }, "does not follow"},
        Tampering{"a_segment_of_another_index",
                  [](Events& e) { find<SegmentEvent>(e, 1).index = 7; }, "does not follow"},
        Tampering{"a_removed_segment", [](Events& e) { erase<SegmentEvent>(e, 1); },
                  "does not follow"},
        Tampering{"a_summary_of_a_prompt", [](Events& e) { find<SegmentEvent>(e, 2).partner = 0; },
                  "no thought"},
        Tampering{"a_summary_of_the_future",
                  [](Events& e) { find<SegmentEvent>(e, 2).partner = 9; }, "no thought"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(Records, Tampered,
                         ::testing::Values(record("n_prompt"), record("n_generated"),
                                           record("peak_resident_tokens"), record("stored_tokens"),
                                           record("zoom_ins"), record("zoom_outs"), record("votes"),
                                           record("bytes_moved")),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace zoomr
