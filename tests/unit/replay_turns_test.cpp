// Conversations of several turns, rebuilt from their traces.
#include <gtest/gtest.h>

#include "unit/tampering.h"

namespace zoomr {
namespace {

constexpr std::size_t kSecond = 1;  // turns, by their TurnEvent
constexpr std::size_t kThird = 2;

void say(Events& events, Pos pos, const std::string& piece, SegmentKind kind) {
  events.push_back(TokenEvent{.pos = pos, .id = 100 + pos, .piece = piece, .kind = kind});
}

void close(Events& events, int index, SegmentKind kind, Span span, bool pinned) {
  events.push_back(LineEvent{span});
  events.push_back(SegmentEvent{.index = index, .kind = kind, .span = span, .pinned = pinned});
}

// recorded_run(), zoomed out whole and back; a second turn of 4 and 2 tokens; a cut at 16 and a
// third turn of 2 and 2 tokens. In it the first prompt, which is not pinned any more, leaves.
Events conversation() {
  Events events = recorded_run();
  for (const EditKind kind : {EditKind::out, EditKind::in}) {
    for (const Span span : {Span{0, 4}, Span{12, 16}, Span{16, 19}}) {
      events.push_back(edit(kind, span));
    }
  }
  events.push_back(TurnEvent{.at = 20, .pinned = 4, .budget = 20, .options = {{"temp", 1}}});
  for (Pos pos = 20; pos < 24; ++pos) say(events, pos, " more", SegmentKind::prompt);
  close(events, 4, SegmentKind::prompt, {20, 24}, true);
  events.push_back(DecodeEvent{{19, 24}, 3});
  say(events, 24, " Yes", SegmentKind::answer);
  events.push_back(DecodeEvent{{24, 25}, 1});
  say(events, 25, ".", SegmentKind::answer);
  close(events, 5, SegmentKind::answer, {24, 26}, false);
  events.push_back(FinalEvent{{{"text_hash", text_hash(" Yes.")},
                               {"finish_reason", "stop"},
                               {"n_prompt", 24},
                               {"n_generated", 2},
                               {"peak_resident_tokens", 17},
                               {"stored_tokens", 4},
                               {"zoom_ins", 0},
                               {"zoom_outs", 0}}});
  events.push_back(edit(EditKind::drop, {16, 25}));
  events.push_back(TurnEvent{.at = 16, .pinned = 0, .budget = 12, .options = {{"temp", 0}}});
  for (Pos pos = 16; pos < 18; ++pos) say(events, pos, " less", SegmentKind::prompt);
  close(events, 3, SegmentKind::prompt, {16, 18}, true);
  events.push_back(DecodeEvent{{16, 18}, 3});
  events.push_back(edit(EditKind::out, {0, 4}));
  say(events, 18, " No", SegmentKind::answer);
  events.push_back(DecodeEvent{{18, 19}, 1});
  say(events, 19, "!!!", SegmentKind::answer);
  close(events, 4, SegmentKind::answer, {18, 20}, false);
  events.push_back(FinalEvent{{{"text_hash", text_hash(" No")},
                               {"text_bytes", 3},  // the rest is a stop text
                               {"finish_reason", "stop"},
                               {"n_prompt", 18},
                               {"n_generated", 2},
                               {"peak_resident_tokens", 10},
                               {"stored_tokens", 8},
                               {"zoom_ins", 0},
                               {"zoom_outs", 1}}});
  return events;
}

TEST(ReplayTurns, RebuildsEachTurn) {
  const Events events = conversation();
  const Events two(
      events.begin(),
      events.begin() + static_cast<std::ptrdiff_t>(index_of<FinalEvent>(events, 1)) + 1);
  const Replay second = replay(two);
  EXPECT_TRUE(second.complete());
  EXPECT_EQ(second.n_turns(), 2);
  EXPECT_EQ(second.size(), 26);
  EXPECT_EQ(second.residency().resident, (SpanSet{{0, 4}, {12, 25}}));
  EXPECT_EQ(second.residency().stored, (SpanSet{{4, 8}}));
  EXPECT_TRUE(second.segments()[0].pinned);
  const Replay third = replay(events);
  EXPECT_TRUE(third.complete());
  EXPECT_EQ(third.n_turns(), 3);
  EXPECT_EQ(third.size(), 20);
  EXPECT_EQ(third.decoded(), 19);
  EXPECT_EQ(third.text({14, 20}), " 3</s> less less No!!!");
  EXPECT_EQ(third.residency().resident, (SpanSet{{12, 19}}));
  EXPECT_EQ(third.residency().stored, (SpanSet{{0, 8}}));
  EXPECT_EQ(third.dropped(), (SpanSet{{8, 12}}));
  EXPECT_EQ(third.run().budget, 12);
  EXPECT_EQ(third.counts().n_prompt, 18);
  EXPECT_EQ(third.counts().n_generated, 2);
}

TEST(ReplayTurns, BetweenTurnsItIsComplete) {
  Events events = conversation();
  events.resize(index_of<TurnEvent>(events));
  EXPECT_TRUE(replay(events).complete());
  events.push_back(TurnEvent{.at = 20, .budget = 20});
  EXPECT_FALSE(replay(events).complete());
}

TEST(ReplayTurns, WhatComesBackMayMakeRoomAfterwards) {
  Events events = conversation();  // 17 are resident behind the second turn, of 20
  const auto behind = static_cast<std::ptrdiff_t>(index_of<FinalEvent>(events, 1)) + 1;
  events.insert(events.begin() + behind, edit(EditKind::out, {4, 8}));
  events.insert(events.begin() + behind, edit(EditKind::in, {4, 8}));
  EXPECT_TRUE(replay(events).complete());
}

TEST(ReplayTurns, AnInterruptedOneNeedNotHaveMadeRoom) {
  Events events = recorded_run();
  events.push_back(TurnEvent{.at = 20, .pinned = 4, .budget = 11});
  events.push_back(FinalEvent{{{"text_hash", text_hash("")}, {"finish_reason", "stop"}}});
  EXPECT_THROW((void)replay(events), Error);
  find<FinalEvent>(events, 1).record["finish_reason"] = "interrupted";
  EXPECT_TRUE(replay(events).complete());
}

class TamperedTurn : public ::testing::TestWithParam<Tampering> {};

TEST_P(TamperedTurn, IsFound) { expect_found(conversation(), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Turns, TamperedTurn,
    ::testing::Values(
        Tampering{"one_without_the_record_before_it", [](Events& e) { erase<FinalEvent>(e, 0); },
                  "no final record"},
        Tampering{"tokens_without_a_turn", [](Events& e) { erase<TurnEvent>(e, 0); },
                  "follows the final record"},
        Tampering{"one_that_keeps_more_than_there_is",
                  [](Events& e) { find<TurnEvent>(e, 0).at = 21; }, "no line ends there"},
        Tampering{"one_that_keeps_nothing", [](Events& e) { find<TurnEvent>(e, 0).at = 0; },
                  "no line ends there"},
        Tampering{"one_that_cuts_a_line", [](Events& e) { find<TurnEvent>(e, 1).at = 15; },
                  "no line ends there"},
        Tampering{"one_that_leaves_what_it_forgets",
                  [](Events& e) { find<TurnEvent>(e, 0).at = 16; }, "out of order"},
        Tampering{"a_cut_that_keeps_its_kv",
                  [](Events& e) {
                    find<TurnEvent>(e, 1).budget = 0;
                    e.erase(e.begin() + static_cast<std::ptrdiff_t>(index_of<TurnEvent>(e, 1)) - 1);
                  },
                  "held but not decoded"},
        Tampering{"one_that_does_not_come_back_whole",
                  [](Events& e) {
                    e.erase(e.begin() + static_cast<std::ptrdiff_t>(index_of<TurnEvent>(e, 0)) - 1);
                  },
                  "newest position"},
        Tampering{"a_pin_that_still_holds", [](Events& e) { find<TurnEvent>(e, 1).pinned = 4; },
                  "pinned"},
        Tampering{"a_smaller_budget", [](Events& e) { find<TurnEvent>(e, 0).budget = 15; },
                  "budget"},
        Tampering{"a_record_of_less_text",
                  [](Events& e) { find<FinalEvent>(e, 2).record["text_bytes"] = 2; }, "hash"},
        Tampering{"a_record_of_more_text",
                  [](Events& e) { find<FinalEvent>(e, 2).record["text_bytes"] = 99; },
                  "more text than there is"},
        Tampering{"a_prompt_that_another_turn_had",
                  [](Events& e) { find<FinalEvent>(e, kThird).record["n_prompt"] = 24; },
                  "n_prompt"},
        Tampering{"words_that_another_turn_had",
                  [](Events& e) { find<FinalEvent>(e, kSecond).record["n_generated"] = 18; },
                  "n_generated"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace zoomr
