#include "core/residency.h"

#include <gtest/gtest.h>

#include <random>

#include "unit/testing.h"

namespace zoomr {
namespace {

// prompt [0,4), lines [4,7) [7,12) [12,14), open [14,16)
Timeline timeline() { return make_timeline(4, {3, 5, 2}, 2); }
const Limits kLimits{.decoded = 16, .budget = 20, .n_next = 1, .unit = Unit::line};

TEST(Diff, SplitsWhatMovesAtLines) {
  const Residency now{{{0, 16}}, {}};
  const Edit edit = diff(now, {{{0, 4}, {12, 16}}, {{4, 12}}}, timeline());
  EXPECT_EQ(edit.out, (std::vector<Span>{{4, 7}, {7, 12}}));
  EXPECT_TRUE(edit.in.empty());
  EXPECT_TRUE(edit.drop.empty());
}

TEST(Diff, BringsBackLineByLine) {
  const Residency now{{{0, 4}, {12, 16}}, {{4, 12}}};
  const Edit edit = diff(now, {{{0, 16}}, {}}, timeline());
  EXPECT_EQ(edit.in, (std::vector<Span>{{4, 7}, {7, 12}}));
}

TEST(Diff, WhatIsInNeitherSetIsDropped) {
  const Residency now{{{0, 7}, {12, 16}}, {{7, 12}}};
  const Edit edit = diff(now, {{{0, 4}, {14, 16}}, {}}, timeline());
  EXPECT_EQ(edit.drop, (std::vector<Span>{{4, 14}}));
}

TEST(Diff, NothingToDoIsEmpty) {
  const Residency now{{{0, 16}}, {}};
  EXPECT_TRUE(diff(now, {{{0, 16}}, {}}, timeline()).empty());
}

TEST(Diff, WhatWasDroppedCannotComeBack) {
  const Residency now{{{0, 4}, {7, 16}}, {}};
  EXPECT_TRUE(diff(now, {{{0, 16}}, {}}, timeline()).empty());
}

TEST(Invariants, AGoodStateHasNone) {
  EXPECT_EQ(broken_invariant({{{0, 4}, {12, 16}}, {{4, 12}}}, timeline(), kLimits), "");
}

TEST(Invariants, TheNewestPositionIsResident) {
  const Residency state{{{0, 15}}, {}};
  EXPECT_NE(broken_invariant(state, timeline(), kLimits).find("newest"), std::string::npos);
}

TEST(Invariants, TheBudgetCountsTheNextDecode) {
  Limits limits = kLimits;
  limits.budget = 17;
  EXPECT_EQ(broken_invariant({{{0, 16}}, {}}, timeline(), limits), "");
  limits.n_next = 2;
  EXPECT_NE(broken_invariant({{{0, 16}}, {}}, timeline(), limits).find("budget"),
            std::string::npos);
}

TEST(Invariants, NothingIsBothResidentAndStored) {
  const Residency state{{{0, 16}}, {{4, 7}}};
  EXPECT_NE(broken_invariant(state, timeline(), kLimits).find("both"), std::string::npos);
}

TEST(Invariants, NothingOutsideOfWhatIsDecoded) {
  Limits limits = kLimits;
  limits.decoded = 14;
  EXPECT_NE(broken_invariant({{{0, 16}}, {}}, timeline(), limits).find("not decoded"),
            std::string::npos);
}

TEST(Invariants, StoredSpansAreWholeLines) {
  const Residency state{{{0, 5}, {7, 16}}, {{5, 7}}};
  EXPECT_NE(broken_invariant(state, timeline(), kLimits).find("line [4,7)"), std::string::npos);
}

TEST(Invariants, ALinePolicyDropsWholeLines) {
  const Residency state{{{0, 5}, {7, 16}}, {}};
  EXPECT_NE(broken_invariant(state, timeline(), kLimits), "");
  Limits limits = kLimits;
  limits.unit = Unit::token;
  EXPECT_EQ(broken_invariant(state, timeline(), limits), "");
}

TEST(Invariants, PinnedSegmentsStay) {
  const Residency state{{{4, 16}}, {{0, 4}}};
  EXPECT_NE(broken_invariant(state, timeline(), kLimits).find("pinned"), std::string::npos);
}

TEST(Invariants, TheOpenLineIsNeverStored) {
  const Residency state{{{0, 14}, {15, 16}}, {{14, 15}}};
  EXPECT_NE(broken_invariant(state, timeline(), kLimits).find("open line"), std::string::npos);
}

class DiffRandom : public ::testing::TestWithParam<int> {};

// Applying an edit to any state gives exactly the plan, where the plan asks nothing impossible.
TEST_P(DiffRandom, AppliedGivesThePlan) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  std::vector<Pos> sizes;
  for (int i = 0; i < 12; ++i) sizes.push_back(1 + static_cast<Pos>(random() % 6));
  const Timeline t = make_timeline(5, sizes);
  const auto draw = [&](const Residency& from) {
    Plan plan;
    for (const Line& line : t.lines()) {
      const bool held = from.resident.covers(line.span) || from.stored.covers(line.span);
      const unsigned choice = random() % 3;
      if (!held || choice == 2) continue;
      (choice == 0 ? plan.resident : plan.stored).insert(line.span);
    }
    return plan;
  };
  Residency now{{{0, t.size()}}, {}};
  for (int step = 0; step < 6; ++step) {
    const Plan plan = draw(now);
    const Edit edit = diff(now, plan, t);
    for (const Span span : edit.drop) {
      now.resident.erase(span);
      now.stored.erase(span);
    }
    for (const Span span : edit.out) {
      ASSERT_TRUE(now.resident.covers(span));
      now.resident.erase(span);
      now.stored.insert(span);
    }
    for (const Span span : edit.in) {
      ASSERT_TRUE(now.stored.covers(span));
      now.stored.erase(span);
      now.resident.insert(span);
    }
    ASSERT_EQ(now.resident, plan.resident);
    ASSERT_EQ(now.stored, plan.stored);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DiffRandom, ::testing::Range(0, 6));

}  // namespace
}  // namespace zoomr
