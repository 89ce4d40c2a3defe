#include "core/certainty.h"

#include <gtest/gtest.h>

#include <vector>

namespace zoomr {
namespace {

TEST(Certainty, IsTheLargestProbability) {
  EXPECT_NEAR(certainty(std::vector<float>{1, 1, 1, 1}), 0.25, 1e-5);
  EXPECT_NEAR(certainty(std::vector<float>{0.5F, 2, -1}), 0.7856, 1e-4);
  EXPECT_NEAR(certainty(std::vector<float>(100000, -3)), 1e-5, 1e-8);
}

TEST(Certainty, HoldsAtTheEnds) {
  EXPECT_EQ(certainty({}), 0);
  EXPECT_EQ(certainty(std::vector<float>{-7}), 1);
  EXPECT_NEAR(certainty(std::vector<float>{1e4F, -1e30F, -1e4F}), 1, 1e-6);
}

}  // namespace
}  // namespace zoomr
