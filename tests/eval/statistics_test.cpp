#include "eval/statistics.h"

#include <cmath>

#include "eval/agreement.h"
#include "eval/testing.h"

namespace zoomr {
namespace {

TEST(Statistics, TheMeanIsTheRatioOfSums) {
  const std::vector<Share> shares = {{1, 2}, {3, 8}};
  EXPECT_DOUBLE_EQ(estimate(shares).mean, 0.4);
}

TEST(Statistics, AnIntervalHoldsTheMeanAndNarrowsWithMoreProblems) {
  std::vector<Share> few;
  std::vector<Share> many;
  for (int i = 0; i < 10; ++i) few.push_back({double(i % 2), 1});
  for (int i = 0; i < 1000; ++i) many.push_back({double(i % 2), 1});
  const Estimate a = estimate(few);
  const Estimate b = estimate(many);
  EXPECT_LT(a.low, 0.5);
  EXPECT_GT(a.high, 0.5);
  EXPECT_LT(b.high - b.low, (a.high - a.low) / 5);
  // Of a coin, half the width is 1.96 / (2 sqrt(n)).
  EXPECT_NEAR(b.high - b.low, 2 * 1.96 * 0.5 / std::sqrt(1000), 0.01);
}

// The generator and the way it is used are the same on every machine.
TEST(Statistics, TheSameProblemsGiveTheSameIntervalEverywhere) {
  const std::vector<Share> shares = {{1, 4}, {2, 4}, {3, 4}, {4, 4}, {0, 4}};
  EXPECT_DOUBLE_EQ(estimate(shares).mean, 0.5);
  EXPECT_DOUBLE_EQ(estimate(shares).low, 0.2);
  EXPECT_DOUBLE_EQ(estimate(shares).high, 0.8);
}

TEST(Statistics, OneProblemHasNoInterval) {
  const Estimate e = estimate(std::vector<Share>{{3, 4}});
  EXPECT_EQ(e.mean, 0.75);
  EXPECT_EQ(e.low, 0.75);
  EXPECT_EQ(e.high, 0.75);
}

TEST(Statistics, NothingIsNotANumber) {
  EXPECT_TRUE(std::isnan(estimate({}).mean));
  EXPECT_TRUE(std::isnan(estimate(std::vector<Share>{{0, 0}}).mean));
}

// Hard and easy problems: the difference between two policies is known far better than either.
TEST(Statistics, APairedDifferenceIsTighterThanItsParts) {
  std::vector<Share> a;
  std::vector<Share> b;
  for (int i = 0; i < 20; ++i) {
    const double hard = i % 2 == 0 ? 2 : 9;
    a.push_back({hard + 1, 10});
    b.push_back({hard, 10});
  }
  const Estimate difference = estimate_difference(a, b);
  EXPECT_NEAR(difference.mean, 0.1, 1e-9);
  EXPECT_NEAR(difference.low, 0.1, 1e-9);
  EXPECT_GT(estimate(a).high - estimate(a).low, 0.1);
}

TEST(Agreement, OfTheSamePredictionsIsPerfect) {
  std::vector<double> p;
  log_softmax(std::vector<float>{1, 2, 3}, p);
  const TokenAgreement same = compare(p, p, 2);
  EXPECT_EQ(same.kl, 0);
  EXPECT_TRUE(same.same_top);
  EXPECT_DOUBLE_EQ(same.log_p, same.log_full);
}

TEST(Agreement, IsWhatAHandComputes) {
  std::vector<double> p;
  std::vector<double> q;
  log_softmax(std::vector<float>{0, std::log(3.0F)}, p);  // 1/4, 3/4
  log_softmax(std::vector<float>{0, 0}, q);               // 1/2, 1/2
  const TokenAgreement t = compare(p, q, 0);
  EXPECT_NEAR(t.kl, 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-6);
  EXPECT_NEAR(t.log_p, std::log(0.5), 1e-6);
  EXPECT_NEAR(t.log_full, std::log(0.25), 1e-6);
  EXPECT_FALSE(t.same_top);  // of equal ones the first counts
}

TEST(Agreement, SummarisesAllAndTheFarTokens) {
  std::vector<TokenAgreement> tokens;
  std::vector<TokenAgreement> window;
  for (int i = 0; i < 100; ++i) {
    const bool far = i < 10;
    tokens.push_back({.kl = far ? 1.0 : 0.1, .same_top = !far, .log_p = -2, .log_full = -1});
    window.push_back({.log_p = far ? -2.5 : -1.5, .log_full = -1});
  }
  const Sample s = summarise(tokens, window);
  EXPECT_EQ(s["n_tokens"], 100);
  EXPECT_NEAR(s["kl_mean"].get<double>(), 0.19, 1e-9);
  EXPECT_NEAR(s["kl_median"].get<double>(), 0.1, 1e-9);
  EXPECT_NEAR(s["same_top"].get<double>(), 90, 1e-9);
  EXPECT_NEAR(s["perplexity"].get<double>(), std::exp(2), 1e-9);
  EXPECT_NEAR(s["perplexity_full"].get<double>(), std::exp(1), 1e-9);
  EXPECT_EQ(s["far_tokens"], 10);
  EXPECT_NEAR(s["far_kl_mean"].get<double>(), 1, 1e-9);
  EXPECT_NEAR(s["far_same_top"].get<double>(), 0, 1e-9);
}

TEST(Agreement, WithoutFarTokensTheirFiguresAreNull) {
  const std::vector<TokenAgreement> tokens(3, {.log_p = -1, .log_full = -1});
  EXPECT_TRUE(summarise(tokens, tokens)["far_kl_mean"].is_null());
}

TEST(Agreement, OfPairs) {
  const std::vector<double> a{0, 1, 2, 3};
  const std::vector<double> b{1, 3, 5, 7};
  const Agreement both = agreement(a, b);
  EXPECT_DOUBLE_EQ(both.mean_a, 1.5);
  EXPECT_DOUBLE_EQ(both.mean_b, 4);
  EXPECT_DOUBLE_EQ(both.correlation, 1);
  EXPECT_DOUBLE_EQ(both.mean_difference, 2.5);
  const std::vector<double> falling{3, 2, 1, 0};
  EXPECT_DOUBLE_EQ(agreement(a, falling).correlation, -1);
  const std::vector<double> level{1, 1, 1, 1};
  EXPECT_EQ(agreement(a, level).correlation, 0);
  EXPECT_EQ(agreement({}, {}).mean_difference, 0);
}

}  // namespace
}  // namespace zoomr
