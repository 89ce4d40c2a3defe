#include <gtest/gtest.h>

#include <cmath>

#include "core/policy.h"
#include "unit/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

// prompt [0,10), ten lines of ten tokens [10,110), open [110,115)
World chain() { return World(make_timeline(10, std::vector<Pos>(10, 10), 5)); }

std::unique_ptr<Policy> policy(const char* name, int window = 20, int sink = 4) {
  return make_policy(name, {.window = window, .sink = sink, .select = "paper"});
}

VoteResult vote_for(const std::vector<Span>& winners) {
  VoteResult vote{.at = 100};
  for (const Span span : winners) vote.ranked.push_back({{span, span}, 5});
  vote.consensus = static_cast<int>(winners.size());
  vote.total_votes = 10;
  return vote;
}

TEST(Full, KeepsEverythingWhateverTheRoom) {
  World w = chain();
  w.room = 1;
  const auto p = policy("full");
  EXPECT_FALSE(p->bounded());
  EXPECT_EQ(p->plan(w.view()).resident, (SpanSet{{0, 115}}));
  EXPECT_FALSE(p->needs(w.view()).keys.any());
}

TEST(StreamingLlm, KeepsThePromptAndTheNewest) {
  World w = chain();
  w.room = 40;
  const Plan plan = policy("streaming-llm")->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {85, 115}}));
  EXPECT_TRUE(plan.stored.empty());
}

TEST(StreamingLlm, KeepsAllThatFits) {
  World w = chain();
  w.room = 115;
  EXPECT_EQ(policy("streaming-llm")->plan(w.view()).resident, (SpanSet{{0, 115}}));
}

TEST(StreamingLlm, NeverAsksBackWhatIsGone) {
  World w = chain();
  w.residency.resident = {{0, 10}, {90, 115}};
  w.room = 60;
  EXPECT_EQ(policy("streaming-llm")->plan(w.view()).resident, (SpanSet{{0, 10}, {90, 115}}));
}

TEST(H2o, KeepsTheHeaviestOfTheOld) {
  World w = chain();
  w.room = 30;  // 10 pinned, 10 recent, 10 heavy
  w.evidence.mass.assign(115, 0.1F);
  for (Pos pos = 40; pos < 50; ++pos) w.evidence.mass[static_cast<std::size_t>(pos)] = 5;
  const Plan plan = policy("h2o")->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {40, 50}, {105, 115}}));
}

TEST(H2o, AMassThatIsNoNumberCountsAsNone) {
  World w(make_timeline(10, std::vector<Pos>(100, 10), 5));
  w.room = 310;
  w.evidence.mass.assign(1015, 1.0F);
  for (std::size_t pos = 10; pos < 1015; pos += 2) w.evidence.mass[pos] = std::nanf("");
  for (std::size_t pos = 301; pos < 501; pos += 2) w.evidence.mass[pos] = 5;
  const Plan plan = policy("h2o")->plan(w.view());
  EXPECT_EQ(plan.resident.size(), 310);
  for (Pos pos = 301; pos < 501; pos += 2) EXPECT_TRUE(plan.resident.contains(pos)) << pos;
}

TEST(H2o, EvictsNothingWhileThereIsRoom) {
  World w = chain();
  EXPECT_EQ(policy("h2o")->plan(w.view()).resident, w.residency.resident);
}

TEST(H2o, NeedsTheMassOfAllHeadsAtEveryStep) {
  const Needs needs = policy("h2o")->needs(chain().view());
  EXPECT_TRUE(needs.mass.all);
}

std::unique_ptr<Policy> retrieval(float miss = 0) {
  return make_policy("zoomr", {.window = 20,
                               .sink = 4,
                               .select = "retrieval",
                               .heads = {{.layer = 3, .head = 5, .key_head = 1}},
                               .miss = miss});
}

TEST(Retrieval, AsksForItsHeadsAtEveryToken) {
  const Needs needs = retrieval()->needs(chain().view());
  EXPECT_EQ(needs.lines.chosen, (std::vector<Head>{{3, 5}}));
  EXPECT_EQ(needs.keys.chosen, (std::vector<Head>{{3, 1}}));
  EXPECT_FALSE(needs.keys.all);
  EXPECT_FALSE(needs.vote);
}

// Of the chain's 11 lines: what the value heads read now.
LineNeed need_of(const std::map<std::size_t, float>& shares) {
  const std::vector<float> none(11);
  LineNeed need{.now = none, .order = none, .soon = none, .kept = none};
  for (const auto& [line, share] : shares) need.now[line] = need.kept[line] = share;
  return need;
}

TEST(Retrieval, TheMostNeededLinesComeBackFirst) {
  World w = chain();
  w.residency = {{{0, 10}, {90, 115}}, {{10, 90}}};
  w.room = 43;  // 10 pinned, 5 of the newest line, two lines, and no third one
  w.evidence.lines = need_of({{2, 0.3F}, {5, 0.5F}, {7, 0.2F}});
  EXPECT_EQ(retrieval()->plan(w.view()).resident,
            (SpanSet{{0, 10}, {20, 30}, {50, 60}, {110, 115}}));
}

TEST(Retrieval, TheWindowTakesASixthOfTheRoom) {
  World w = chain();
  w.evidence.lines = need_of({{1, 0.2F}, {2, 0.2F}, {3, 0.2F}, {4, 0.2F}});
  w.room = 15 + 30;  // a window of 5: the newest line
  EXPECT_EQ(retrieval()->plan(w.view()).resident, (SpanSet{{0, 40}, {110, 115}}));
  w.room = 15 + 60;  // a window of 10: one line more
  EXPECT_EQ(retrieval()->plan(w.view()).resident, (SpanSet{{0, 50}, {90, 115}}));
}

TEST(Retrieval, WhatHardlyAnybodyLooksAtWaits) {
  World w = chain();
  w.residency = {{{0, 10}, {90, 115}}, {{10, 90}}};
  w.room = 100;
  w.evidence.lines = need_of({{1, 0.01F}, {5, 0.01F}});
  EXPECT_EQ(retrieval()->plan(w.view()).resident, (SpanSet{{0, 10}, {90, 115}}));
}

TEST(Retrieval, NoMoreThanZoomMaxComeBackAtOneToken) {
  World w = chain();
  w.residency = {{{0, 10}, {90, 115}}, {{10, 90}}};
  w.room = 100;
  w.evidence.lines = need_of({{2, 0.1F}, {3, 0.4F}, {5, 0.3F}, {7, 0.2F}});
  EXPECT_EQ(retrieval()->plan(w.view()).resident,
            (SpanSet{{0, 10}, {30, 40}, {50, 60}, {70, 80}, {90, 115}}));
}

// Behind the window the least needed lines leave, as long as the need of all that waits stays below
// the share.
TEST(Retrieval, WithMissTheBudgetIsACeiling) {
  World w = chain();
  w.residency = {{{0, 10}, {50, 115}}, {{10, 50}}};
  w.room = 100;
  w.evidence.lines = need_of({{1, 0.01F}, {5, 0.03F}, {6, 0.04F}, {7, 0.02F}, {8, 0.3F}});
  const auto resident = [&w](float miss) { return retrieval(miss)->plan(w.view()).resident; };
  EXPECT_EQ(resident(0), w.residency.resident);
  EXPECT_EQ(resident(0.02F), (SpanSet{{0, 10}, {50, 90}, {100, 115}}));
  EXPECT_EQ(resident(0.05F), (SpanSet{{0, 10}, {50, 70}, {80, 90}, {100, 115}}));
  EXPECT_EQ(resident(0.07F), (SpanSet{{0, 10}, {60, 70}, {80, 90}, {100, 115}}));
  EXPECT_EQ(resident(1), (SpanSet{{0, 10}, {80, 90}, {100, 115}}));  // asked for at this token
  w.evidence.lines.kept[1] = 0.5F;  // waits, and is above the share
  EXPECT_EQ(resident(0.06F), (SpanSet{{0, 20}, {60, 70}, {80, 90}, {100, 115}}));
  EXPECT_THROW((void)retrieval(1.5F), Error);
}

TEST(Retrieval, ANameBringsALineInAhead) {
  World w = chain();
  w.residency = {{{0, 10}, {90, 115}}, {{10, 90}}};
  w.room = 56;
  w.evidence.lines = need_of({});
  w.evidence.lines.soon[4] = w.evidence.lines.kept[4] = 0.5F;
  const Plan plan = retrieval()->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {40, 50}, {90, 115}}));
}

// The label of the item before comes back where the next number is written, and that token is
// decoded again.
TEST(Retrieval, ALabelComesBackForTheNextNumber) {
  World w = chain();
  w.residency = {{{0, 10}, {90, 115}}, {{10, 90}}};
  w.room = 56;
  w.evidence.lines = need_of({{2, 0.04F}});
  w.evidence.lines.order[4] = 0.5F;
  w.evidence.lines.order[6] = 0.2F;  // too little
  const Plan plan = retrieval()->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {40, 50}, {90, 115}}));
  EXPECT_EQ(plan.again_from, 114);
}

TEST(Retrieval, WhatWasNeededAMomentAgoStaysBeforeWhatIsOnlyRecent) {
  World w = chain();
  w.residency = {{{0, 10}, {30, 40}, {80, 115}}, {{10, 30}, {40, 80}}};
  w.room = 47;  // pinned, window, one line
  w.evidence.lines = need_of({});
  w.evidence.lines.kept[3] = 0.1F;
  EXPECT_EQ(retrieval()->plan(w.view()).resident, (SpanSet{{0, 10}, {30, 40}, {90, 115}}));
}

TEST(Retrieval, ATokenThatMissedWhatComesBackIsDecodedAgain) {
  World w = chain();
  w.residency = {{{0, 10}, {30, 40}, {90, 115}}, {{10, 30}, {40, 90}}};
  w.room = 66;
  w.evidence.lines = need_of({{3, 0.5F}, {5, 0.3F}});
  EXPECT_EQ(retrieval()->plan(w.view()).again_from, 114);
  EXPECT_EQ(retrieval()->plan(w.view()).unless_sure, 0.95F);
  w.evidence.lines = need_of({{3, 0.5F}});  // it was there
  EXPECT_LT(retrieval()->plan(w.view()).again_from, 0);
  w.room = 24;  // it was not, but does not fit
  w.evidence.lines = need_of({{5, 0.3F}});
  EXPECT_LT(retrieval()->plan(w.view()).again_from, 0);
}

// What a name head reads is for later tokens: the next one's certainty says nothing about it.
TEST(Retrieval, ANameThatMissedItsLineIsDecodedAgainHoweverSureTheModelIs) {
  World w = chain();
  w.residency = {{{0, 10}, {30, 40}, {90, 115}}, {{10, 30}, {40, 90}}};
  w.room = 66;
  w.evidence.lines = need_of({});
  w.evidence.lines.soon[5] = w.evidence.lines.kept[5] = 0.4F;
  EXPECT_TRUE(retrieval()->plan(w.view()).resident.covers({50, 60}));
  EXPECT_EQ(retrieval()->plan(w.view()).again_from, 114);
  EXPECT_GT(retrieval()->plan(w.view()).unless_sure, 1);
  w.evidence.lines.now[5] = 0.5F;  // the value heads ask for it as well
  EXPECT_GT(retrieval()->plan(w.view()).unless_sure, 1);
  w.residency = {{{0, 10}, {50, 60}, {90, 115}}, {{10, 50}, {60, 90}}};  // it was there
  EXPECT_LT(retrieval()->plan(w.view()).again_from, 0);
}

TEST(Zoomr, StoresAllButPromptAndWindowWhenTheRoomIsShort) {
  World w = chain();
  w.room = 40;
  const Plan plan = policy("zoomr")->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {90, 115}}));
  EXPECT_EQ(plan.stored, (SpanSet{{10, 90}}));
}

TEST(Zoomr, BringsTheConsensusBack) {
  World w = chain();
  w.room = 60;
  w.follow({{{0, 10}, {90, 115}}, {{10, 90}}});
  w.evidence.vote = vote_for({{30, 40}, {50, 60}});
  const Plan plan = policy("zoomr")->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {30, 40}, {50, 60}, {90, 115}}));
}

TEST(Zoomr, BringsOnlyWhatFitsBestFirst) {
  World w = chain();
  w.room = 46;  // one line fits
  w.follow({{{0, 10}, {90, 115}}, {{10, 90}}});
  w.evidence.vote = vote_for({{50, 60}, {30, 40}});
  const Plan plan = policy("zoomr")->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {50, 60}, {90, 115}}));
}

TEST(Zoomr, AThoughtThatDoesNotFitComesBackInItsLastLines) {
  World w = chain();
  w.room = 60;
  w.follow({{{0, 10}, {90, 115}}, {{10, 90}}});
  w.evidence.vote = vote_for({{10, 60}});
  const Plan plan = policy("zoomr")->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {40, 60}, {90, 115}}));
}

TEST(Zoomr, KeepsWhatIsResidentAnywayWhileThereIsRoom) {
  World w = chain();
  w.room = 115;
  EXPECT_EQ(policy("zoomr")->plan(w.view()).resident, (SpanSet{{0, 115}}));
}

TEST(Zoomr, VotesAtSentenceEndsOnly) {
  World w = chain();
  const auto p = policy("zoomr");
  EXPECT_TRUE(p->needs(w.view()).keys.all);
  EXPECT_FALSE(p->needs(w.view()).vote.has_value());
  w.boundary.sentence = true;
  const Needs needs = p->needs(w.view());
  ASSERT_TRUE(needs.vote.has_value());
  EXPECT_TRUE(needs.queries.all);
  // Lines that end before the window of 20: [10,20) .. [80,90); the prompt is no candidate.
  EXPECT_EQ(needs.vote->candidates.size(), 8U);
  EXPECT_EQ(needs.vote->candidates.front().key, (Span{10, 20}));
}

TEST(Zoomr, SelectNoneNeverLooks) {
  World w = chain();
  w.boundary.sentence = true;
  const auto p = make_policy("zoomr", {.select = "none"});
  EXPECT_FALSE(p->needs(w.view()).keys.any());
  EXPECT_FALSE(p->needs(w.view()).vote.has_value());
}

TEST(Zoomr, ReadsNoKeysOfAPinnedPrompt) {
  World w(make_timeline(10, {}));
  View view = w.view();
  view.decoded = 4;
  EXPECT_FALSE(policy("zoomr")->needs(view).keys.any());
}

// Two thoughts with summaries of 4 tokens, then an open thought.
World summarised() {
  Timeline t;
  t.open_segment(SegmentKind::prompt, true);
  for (int i = 0; i < 10; ++i) t.append(i);
  t.close_segment(10);
  for (int k = 0; k < 2; ++k) {
    t.open_segment(SegmentKind::thought, false);
    for (int i = 0; i < 20; ++i) t.append(i);
    t.close_line(t.size() - 10);
    t.close_segment(t.size());
    t.open_segment(SegmentKind::summary, false);
    for (int i = 0; i < 4; ++i) t.append(i);
    t.close_segment(t.size());
    t.pair(1 + 2 * k, 2 + 2 * k);
  }
  t.open_segment(SegmentKind::thought, false);
  for (int i = 0; i < 6; ++i) t.append(i);
  t.close_line(t.size());
  for (int i = 0; i < 2; ++i) t.append(i);
  return World(std::move(t));  // [10,30) t1, [30,34) s1, [34,54) t2, [54,58) s2, [58,66) open
}

TEST(Zoomr, SummariesAreTheIndexOfTheirThoughts) {
  World w = summarised();
  w.boundary.sentence = true;
  const auto p = make_policy("zoomr", {.window = 8, .select = "paper", .summaries = true});
  const Needs needs = p->needs(w.view());
  ASSERT_EQ(needs.vote->candidates.size(), 2U);
  EXPECT_EQ(needs.vote->candidates[0].key, (Span{30, 34}));
  EXPECT_EQ(needs.vote->candidates[0].details, (Span{10, 30}));
}

TEST(Zoomr, SummariesStayWhereThoughtsLeave) {
  World w = summarised();
  w.room = 34;
  const auto p = make_policy("zoomr", {.window = 8, .select = "paper", .summaries = true});
  const Plan plan = p->plan(w.view());
  EXPECT_TRUE(plan.resident.covers({30, 34}));
  EXPECT_TRUE(plan.resident.covers({54, 58}));
  EXPECT_TRUE(plan.stored.covers({10, 30}));
}

TEST(Zoomr, SummariesBeyondAQuarterLeaveOldestFirst) {
  World w = summarised();
  w.room = 25;  // a quarter is 6: one summary of 4
  const auto p = make_policy("zoomr", {.window = 8, .select = "paper", .summaries = true});
  const Plan plan = p->plan(w.view());
  EXPECT_TRUE(plan.resident.covers({54, 58}));
  EXPECT_TRUE(plan.stored.covers({30, 34}));
}

TEST(SummaryOnly, DropsAThoughtOnceItsSummaryIsThere) {
  World w = summarised();
  w.room = 60;
  const auto p = make_policy("summary-only", {.window = 8, .summaries = true});
  const Plan plan = p->plan(w.view());
  EXPECT_EQ(plan.resident, (SpanSet{{0, 10}, {30, 34}, {54, 66}}));
  EXPECT_TRUE(plan.stored.empty());
}

TEST(SummaryOnly, WithoutSummariesIsRefused) {
  try {
    (void)make_policy("summary-only", {});
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find("--summaries"), std::string::npos);
  }
}

TEST(Random, StaysBetweenBoundariesAndChangesAtThem) {
  World w = chain();
  w.room = 60;
  const auto p = policy("random");
  const Plan first = p->plan(w.view());
  w.follow(first);
  EXPECT_EQ(p->plan(w.view()).resident, first.resident);
  w.timeline.append(1);
  w.residency.resident.insert({115, 116});
  EXPECT_EQ(p->plan(w.view()).resident.minus({{115, 116}}), first.resident);
  w.timeline.close_line(116);
  EXPECT_NE(p->plan(w.view()).resident.minus({{110, 116}}), first.resident.minus({{110, 116}}));
}

TEST(Random, NothingComesBackBetweenBoundaries) {
  // Lines of many sizes, so that a small one would fit where a large one had to leave.
  std::vector<Pos> sizes;
  for (int i = 0; i < 40; ++i) sizes.push_back(8 + i * 7 % 31);
  World w(make_timeline(10, sizes));
  w.room = 150;
  const auto p = policy("random", 40);
  w.follow(p->plan(w.view()));
  for (int i = 0; i < 60; ++i) {
    const Pos pos = w.timeline.size();
    w.timeline.append(1);
    w.residency.resident.insert({pos, pos + 1});
    const Plan plan = p->plan(w.view());
    ASSERT_TRUE(plan.resident.minus(w.residency.resident).empty()) << "token " << i;
    w.follow(plan);
  }
}

TEST(Random, LosesNothing) {
  World w = chain();
  w.room = 45;
  const Plan plan = policy("random")->plan(w.view());
  EXPECT_EQ(plan.resident.size() + plan.stored.size(), 115);
}

TEST(Registry, AnUnknownPolicyNamesTheKnownOnes) {
  try {
    (void)make_policy("lru", {});
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    for (const PolicyInfo& info : policies()) {
      EXPECT_NE(std::string(e.what()).find(info.name), std::string::npos) << info.name;
    }
  }
}

TEST(Registry, AnUnknownSelectionIsRefused) {
  EXPECT_THROW((void)make_policy("zoomr", {.select = "magic"}), Error);
  EXPECT_THROW((void)make_policy("zoomr", {.select = "retrieval", .sure = -0.1F}), Error);
  EXPECT_THROW((void)make_policy("zoomr", {.select = "retrieval", .second_look_name = -0.1F}),
               Error);
}

// Every policy, every room: the plan breaks no invariant.
class EveryPolicy : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryPolicy, PlansWithinTheRoom) {
  const auto p = make_policy(
      GetParam(), {.window = 20, .select = "paper", .summaries = GetParam() == "summary-only"});
  for (Pos room = 26; room < 130; ++room) {
    World w = chain();
    w.room = p->bounded() ? room : 1000;
    w.evidence.vote = vote_for({{20, 30}, {60, 70}});
    w.follow(p->plan(w.view()));
    ASSERT_EQ(w.broken(p->unit()), "") << "room " << room;
  }
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> result;
  for (const PolicyInfo& info : policies()) result.push_back(info.name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, EveryPolicy, ::testing::ValuesIn(names()));

}  // namespace
}  // namespace zoomr
