#include "serve/pace.h"

#include <gtest/gtest.h>

namespace zoomr {
namespace {

// A machine on which a step takes `write` and each token that is read `read` more.
Pace measured(double write, double read) {
  Pace pace;
  for (int i = 0; i < 50; ++i) {
    pace.count(4, 0, write);
    pace.count(4, 20, write + 20 * read);
  }
  return pace;
}

TEST(Pace, AStepThatReadsTakesLessThanThreeTimesAsLong) {
  for (const double read : {0.05, 0.5, 2.0}) {
    const double step = 20 + measured(20, read).n_to_read(4) * read;
    EXPECT_LT(step, 3 * 20);
    EXPECT_GT(step, 1.5 * 20);
  }
}

TEST(Pace, APromptTakesLessThanTwiceAsLongAsAlone) {
  const int n = measured(20, 2).n_to_read(4);
  const double alone = 500 * 2.0;
  EXPECT_LT(500.0 / n * (20 + n * 2.0), 2 * alone);
}

TEST(Pace, AloneReadsLargePiecesButNotForLong) {
  EXPECT_EQ(measured(20, 0.1).n_to_read(0), 512);
  EXPECT_EQ(measured(20, 10).n_to_read(0), 50);
}

// Two requests on a fresh server: no step was without reading yet.
TEST(Pace, IsMeasuredThoughSomebodyReadsAllTheTime) {
  Pace pace;
  pace.count(0, 64, 128);  // 2 ms a token
  pace.count(1, 8, 20 + 16);
  EXPECT_EQ(pace.n_to_read(1), 15);  // 1.5 times 20 ms
  pace.count(1, 8, 3);               // impossible: a hiccup in what was measured before
  EXPECT_EQ(pace.n_to_read(1), 15);
  pace.count(1, 0, 40);  // a step without reading says it truly
  EXPECT_EQ(pace.n_to_read(1), 30);
}

TEST(Pace, BeginsWithoutMeasurements) {
  EXPECT_GT(Pace().n_to_read(0), 0);
  EXPECT_GT(Pace().n_to_read(3), 0);
}

}  // namespace
}  // namespace zoomr
