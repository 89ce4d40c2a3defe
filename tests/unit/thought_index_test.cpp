#include "core/thought_index.h"

#include <gtest/gtest.h>

#include "unit/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

// One layer, two query heads on one key head of two floats.
const std::vector<LayerShape> kLayers = {{.n_head = 2, .n_head_kv = 1, .d_head = 2}};
const HeadLayout kKeys = make_layout({.all = true}, kLayers, true);
const HeadLayout kQueries = make_layout({.all = true}, kLayers, false);

// Prompt [0,2), lines [2,4) [4,6) [6,8); the lines' mean keys are (1,0), (0,1), (2,2).
class Vote : public ::testing::Test {
 protected:
  Vote() {
    const std::vector<std::vector<float>> keys = {{1, 1}, {1, -1}, {0, 2}, {0, 0}, {3, 2}, {1, 2}};
    for (Pos pos = 2; pos < 8; ++pos)
      index.add_key(pos, kKeys, keys[static_cast<std::size_t>(pos - 2)]);
    index.close_lines(timeline);
  }
  [[nodiscard]] static VoteRule rule(int k, int consensus) {
    return {.k = k,
            .consensus = consensus,
            .candidates = {{{2, 4}, {2, 4}}, {{4, 6}, {4, 6}}, {{6, 8}, {6, 8}}}};
  }
  Timeline timeline = make_timeline(2, {2, 2, 2}, 1);
  ThoughtIndex index;
};

TEST_F(Vote, CountsTheFirstKOfEveryHead) {
  // Head 0 (1,0): scores 1, 0, 2. Head 1 (0,-1): scores 0, -1, -2.
  const VoteResult r = index.vote(8, rule(1, 1), kQueries, std::vector<float>{1, 0, 0, -1});
  EXPECT_EQ(r.total_votes, 2);
  ASSERT_EQ(r.ranked.size(), 2U);
  EXPECT_EQ(r.ranked[0].candidate.details, (Span{6, 8}));  // a tie: the more recent first
  EXPECT_EQ(r.ranked[1].candidate.details, (Span{2, 4}));
  EXPECT_DOUBLE_EQ(r.agreeability, 0.5);
}

TEST_F(Vote, AddsUpOverHeads) {
  // With k = 2: head 0 votes for [6,8) and [2,4), head 1 for [2,4) and [4,6).
  const VoteResult r = index.vote(8, rule(2, 2), kQueries, std::vector<float>{1, 0, 0, -1});
  EXPECT_EQ(r.total_votes, 4);
  EXPECT_EQ(r.ranked[0].candidate.details, (Span{2, 4}));
  EXPECT_EQ(r.ranked[0].votes, 2);
  EXPECT_EQ(r.consensus, 2);
  EXPECT_DOUBLE_EQ(r.agreeability, 0.75);
}

TEST_F(Vote, AHeadVotesForWhatItsSlidingWindowLeavesIt) {
  std::vector<LayerShape> layers = kLayers;
  const auto ranked = [&](Pos window) {
    layers[0].window = window;
    return index.vote(8, rule(1, 1), make_layout({.all = true}, layers, false),
                      std::vector<float>{1, 0, 0, -1});
  };
  EXPECT_EQ(ranked(7).total_votes, 2);  // from token 2 on: as without
  EXPECT_EQ(ranked(7).ranked.size(), 2U);
  EXPECT_EQ(ranked(6).ranked.size(), 2U);  // of [2,4) the last token
  const VoteResult r = ranked(5);          // [2,4) is hidden: head 1 votes for [4,6)
  EXPECT_EQ(r.ranked[1].candidate.details, (Span{4, 6}));
  EXPECT_EQ(ranked(1).total_votes, 0);
}

TEST_F(Vote, KBeyondTheCandidatesVotesForAll) {
  const VoteResult r = index.vote(8, rule(9, 9), kQueries, std::vector<float>{1, 0, 0, 1});
  EXPECT_EQ(r.total_votes, 6);
  EXPECT_EQ(r.consensus, 3);
  EXPECT_DOUBLE_EQ(r.agreeability, 1.0);
}

TEST_F(Vote, ASpanOfSeveralLinesHasTheirWeightedMean) {
  // [2,6): mean (0.5, 0.5); [6,8): (2,2). Head (1,0): 0.5 against 2.
  VoteRule r{.k = 1, .consensus = 1, .candidates = {{{2, 6}, {2, 6}}, {{6, 8}, {6, 8}}}};
  EXPECT_TRUE(index.indexed({2, 6}));
  const VoteResult up = index.vote(8, r, kQueries, std::vector<float>{1, 0, 1, 0});
  EXPECT_EQ(up.ranked[0].candidate.key, (Span{6, 8}));
  const VoteResult down = index.vote(8, r, kQueries, std::vector<float>{-1, 0, -1, 0});
  EXPECT_EQ(down.ranked[0].candidate.key, (Span{2, 6}));
}

TEST_F(Vote, LeavesOutWhatIsNotIndexed) {
  EXPECT_FALSE(index.indexed({0, 2}));
  EXPECT_FALSE(index.indexed({2, 5}));
  EXPECT_FALSE(index.indexed({8, 9}));
  const VoteRule r{.k = 1, .consensus = 1, .candidates = {{{0, 2}, {0, 2}}}};
  const VoteResult none = index.vote(8, r, kQueries, std::vector<float>{1, 0, 0, 1});
  EXPECT_TRUE(none.ranked.empty());
  EXPECT_EQ(none.total_votes, 0);
}

TEST_F(Vote, OnlyHeadsWithKeysVote) {
  const std::vector<LayerShape> two = {kLayers[0], kLayers[0]};
  const HeadLayout queries = make_layout({.all = true}, two, false);
  const VoteResult r = index.vote(8, rule(1, 1), queries, std::vector<float>(8, 1.0F));
  EXPECT_EQ(r.total_votes, 2);
}

TEST_F(Vote, TheKeyNeedNotBeWhatComesBack) {
  const VoteRule r{.k = 1, .consensus = 1, .candidates = {{{6, 8}, {2, 6}}}};
  const VoteResult v = index.vote(8, r, kQueries, std::vector<float>{1, 0, 0, 1});
  EXPECT_EQ(v.ranked[0].candidate.details, (Span{2, 6}));
}

TEST(ThoughtIndex, ALineIsIndexedWhenAllOfItIsDecoded) {
  const Timeline t = make_timeline(1, {3});
  ThoughtIndex index;
  index.add_key(1, kKeys, std::vector<float>{1, 1});
  index.add_key(2, kKeys, std::vector<float>{1, 1});
  index.close_lines(t);
  EXPECT_FALSE(index.indexed({1, 4}));
  index.add_key(3, kKeys, std::vector<float>{1, 1});
  index.close_lines(t);
  EXPECT_TRUE(index.indexed({1, 4}));
}

TEST(ThoughtIndex, RefusesAGapInThePositions) {
  ThoughtIndex index;
  index.add_key(1, kKeys, std::vector<float>{1, 1});
  EXPECT_THROW(index.add_key(3, kKeys, std::vector<float>{1, 1}), Error);
}

}  // namespace
}  // namespace zoomr
