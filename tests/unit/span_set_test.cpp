#include "core/span_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace zoomr {
namespace {

TEST(SpanSet, TouchingSpansBecomeOne) {
  SpanSet set{{0, 4}, {4, 8}};
  EXPECT_EQ(set.spans(), (std::vector<Span>{{0, 8}}));
  EXPECT_EQ(set.size(), 8);
}

TEST(SpanSet, EmptySpansChangeNothing) {
  SpanSet set{{3, 3}, {5, 2}};
  EXPECT_TRUE(set.empty());
  set.insert({1, 2});
  set.erase({4, 4});
  EXPECT_EQ(set.to_string(), "[1,2)");
}

TEST(SpanSet, ErasingTheMiddleLeavesTwo) {
  SpanSet set{{0, 10}};
  set.erase({3, 7});
  EXPECT_EQ(set.to_string(), "[0,3) [7,10)");
  EXPECT_EQ(set.size(), 6);
}

TEST(SpanSet, CoversAndOverlapsAtTheirEdges) {
  const SpanSet set{{2, 5}, {8, 9}};
  EXPECT_TRUE(set.covers({2, 5}));
  EXPECT_FALSE(set.covers({2, 6}));
  EXPECT_FALSE(set.overlaps({5, 8}));
  EXPECT_TRUE(set.overlaps({4, 8}));
  EXPECT_TRUE(set.covers({6, 6}));
  EXPECT_FALSE(set.contains(5));
  EXPECT_TRUE(set.contains(8));
}

TEST(SpanSet, SpansOfATemporaryOutliveIt) {
  const SpanSet a{{0, 10}};
  Pos sum = 0;
  for (const Span span : a.minus(SpanSet{{2, 4}}).spans()) sum += span.size();
  EXPECT_EQ(sum, 8);
}

// Against a plain set of positions.
class SpanSetRandom : public ::testing::TestWithParam<int> {};

TEST_P(SpanSetRandom, IsASetOfPositions) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  SpanSet set;
  SpanSet other;
  std::set<Pos> model;
  std::set<Pos> other_model;
  for (int i = 0; i < 300; ++i) {
    const Pos begin = static_cast<Pos>(random() % 60);
    const Span span{begin, begin + static_cast<Pos>(random() % 12)};
    const bool insert = random() % 2 == 0;
    SpanSet& s = random() % 2 == 0 ? set : other;
    std::set<Pos>& m = &s == &set ? model : other_model;
    if (insert)
      s.insert(span);
    else
      s.erase(span);
    for (Pos pos = span.begin; pos < span.end; ++pos) {
      if (insert)
        m.insert(pos);
      else
        m.erase(pos);
    }
    ASSERT_EQ(s.size(), static_cast<Pos>(m.size()));
    for (Pos pos = 0; pos < 75; ++pos) ASSERT_EQ(s.contains(pos), m.contains(pos));
    for (std::size_t j = 1; j < s.spans().size(); ++j) {
      ASSERT_LT(s.spans()[j - 1].end, s.spans()[j].begin);
    }
    Pos both = 0;
    for (const Pos pos : model) both += other_model.contains(pos) ? 1 : 0;
    ASSERT_EQ(set.intersection(other).size(), both);
    ASSERT_EQ(set.minus(other).size(), static_cast<Pos>(model.size()) - both);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpanSetRandom, ::testing::Range(0, 5));

}  // namespace
}  // namespace zoomr
