#include "engine/stats.h"

#include <gtest/gtest.h>

namespace zoomr {
namespace {

TEST(Stats, RatesAreTokensOverTime) {
  Stats stats;
  stats.token_seconds = {1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5};
  EXPECT_DOUBLE_EQ(stats.tokens_per_second(), 8.0 / 6);
  EXPECT_DOUBLE_EQ(stats.tokens_per_second_last_quarter(), 2.0);
  EXPECT_DOUBLE_EQ(stats.rate_of_last(4), 2.0);
  EXPECT_DOUBLE_EQ(stats.rate_of_last(9), 0.0);
}

TEST(Stats, NothingGivesZeros) {
  const Stats stats;
  EXPECT_EQ(stats.tokens_per_second(), 0);
  EXPECT_EQ(stats.tokens_per_second_last_quarter(), 0);
  EXPECT_EQ(stats.mean_resident(), 0);
  EXPECT_EQ(stats.agreeability(), 0);
}

TEST(Stats, ASecondLookTakesTheFirstOnesMissedMassBack) {
  Stats stats;
  EXPECT_EQ(stats.missed_mean(), -1);
  EXPECT_EQ(stats.missed_p95(), -1);
  stats.count_missed(std::vector<float>{0.25F, 0.0F});
  stats.count_missed(std::vector<float>{0.5F, 0.25F, 0.0F});
  stats.count({.kind = EditKind::again, .span = {7, 8}});
  stats.count_missed(std::vector<float>{0.0F, 0.25F, 0.0F});
  EXPECT_EQ(stats.second_looks, 1);
  EXPECT_EQ(stats.missed, (std::vector<float>{0.25F, 0.25F}));
  EXPECT_EQ(stats.missed_of_line, (std::vector<float>{0.25F, 0.25F, 0.0F}));
  EXPECT_DOUBLE_EQ(stats.missed_mean(), 0.25);
}

TEST(Stats, TheMissed95thPercentile) {
  Stats stats;
  for (int i = 100; i > 0; --i) stats.count_missed(std::vector<float>{static_cast<float>(i) / 100});
  EXPECT_NEAR(stats.missed_p95(), 0.95, 0.011);
}

TEST(Stats, AFailedMoveIsNoMove) {
  Stats stats;
  stats.count({.kind = EditKind::in, .span = {0, 4}, .bytes = 100, .ok = false});
  EXPECT_EQ(stats.zoom_ins, 0);
  EXPECT_EQ(stats.bytes_moved, 0U);
  EXPECT_EQ(stats.failed_moves, 1);
  stats.count({.kind = EditKind::out, .span = {0, 4}, .bytes = 100});
  EXPECT_EQ(stats.zoom_outs, 1);
  EXPECT_EQ(stats.bytes_moved, 100U);
}

TEST(Stats, ThePromptCountsForThePeakOnly) {
  Stats stats;
  stats.count_decode(50, 50, 0.5, false);
  stats.count_decode(10, 1, 0.1, true);
  EXPECT_EQ(stats.peak_resident, 50);
  EXPECT_DOUBLE_EQ(stats.mean_resident(), 10);
  EXPECT_DOUBLE_EQ(stats.prompt_tokens_per_second(), 100);
}

}  // namespace
}  // namespace zoomr
