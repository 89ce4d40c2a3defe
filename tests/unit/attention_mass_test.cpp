#include "core/attention_mass.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace zoomr {
namespace {

HeadLayout layout(bool keys, float softcap = 0) {
  const std::vector<LayerShape> layers = {
      {.n_head = 2, .n_head_kv = 1, .d_head = 1, .scale = 0.5F, .softcap = softcap}};
  return make_layout({.all = true}, layers, keys);
}

const HeadSelection kAll{.all = true};

KeyLog log_of(const std::vector<float>& keys, const HeadLayout& keys_layout) {
  KeyLog log;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    log.append(static_cast<Pos>(i), keys_layout, std::span(keys).subspan(i, 1));
  }
  return log;
}

TEST(AttentionMass, IsASoftmaxAHead) {
  const KeyLog log = log_of({0, 2, 4}, layout(true));
  std::vector<float> mass;
  add_attention_mass(log, {{0, 3}}, layout(false), std::vector<float>{1, 0}, kAll, mass);
  // Head 0: logits 0, 1, 2. Head 1: all 0.
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  EXPECT_NEAR(mass[0], 1 / sum + 1.0 / 3, 1e-6);
  EXPECT_NEAR(mass[2], std::exp(2.0) / sum + 1.0 / 3, 1e-6);
  EXPECT_NEAR(std::accumulate(mass.begin(), mass.end(), 0.0), 2.0, 1e-5);
}

TEST(AttentionMass, AWindowHidesWhatLiesBehindIt) {
  std::vector<LayerShape> layers(1, {.n_head = 1, .n_head_kv = 1, .d_head = 1, .window = 2});
  const HeadLayout keys = make_layout(kAll, layers, true);
  const HeadLayout queries = make_layout(kAll, layers, false);
  const KeyLog log = log_of({9, 9, 0, 0}, keys);
  std::vector<float> mass;
  add_attention_mass(log, {{0, 1}, {2, 4}}, queries, std::vector<float>{1}, kAll, mass);
  EXPECT_EQ(mass, (std::vector<float>{0, 0, 0.5F, 0.5F}));
  const std::vector<Line> lines = {{{0, 2}, 0}, {{2, 4}, 0}};
  EXPECT_EQ(line_mass(log, lines, queries, std::vector<float>{1}, kAll).peak,
            (std::vector<float>{0, 1}));
}

TEST(AttentionMass, OfChosenHeadsOnly) {
  const KeyLog log = log_of({0, 2, 4}, layout(true));
  std::vector<float> mass;
  const HeadSelection second{.chosen = {{0, 1}}};
  add_attention_mass(log, {{0, 3}}, layout(false), std::vector<float>{1, 0}, second, mass);
  for (const float m : mass) EXPECT_NEAR(m, 1.0 / 3, 1e-6);
}

TEST(LineMass, IsTheLargestShareOfOneHeadOrTheMean) {
  const KeyLog log = log_of({0, 0, 4, 4}, layout(true));
  const std::vector<Line> lines = {{{0, 2}, 0}, {{2, 4}, 0}, {{4, 6}, 0}};
  // Head 0 looks at the second line, head 1 everywhere alike.
  const std::vector<float> queries = {1, 0};
  const auto mass = line_mass(log, lines, layout(false), queries, kAll).peak;
  const double looks = 2 * std::exp(2.0) / (2 + 2 * std::exp(2.0));
  EXPECT_NEAR(mass[0], 0.5, 1e-6);
  EXPECT_NEAR(mass[1], looks, 1e-6);
  EXPECT_EQ(mass[2], 0);  // beyond the log
  const auto mean = line_mass(log, lines, layout(false), queries, kAll).mean;
  EXPECT_NEAR(mean[1], (looks + 0.5) / 2, 1e-6);
  const auto first = line_mass(log, lines, layout(false), queries, {.chosen = {{0, 0}}}).mean;
  EXPECT_NEAR(first[1], looks, 1e-6);
}

TEST(AttentionMass, SeesOnlyWhatIsResident) {
  const KeyLog log = log_of({0, 50, 0}, layout(true));
  std::vector<float> mass;
  add_attention_mass(log, {{0, 1}, {2, 3}}, layout(false), std::vector<float>{1, 1}, kAll, mass);
  EXPECT_EQ(mass[1], 0);
  EXPECT_NEAR(mass[0], 1.0, 1e-6);
}

TEST(AttentionMass, Accumulates) {
  const KeyLog log = log_of({0, 0}, layout(true));
  std::vector<float> mass;
  for (int i = 0; i < 3; ++i)
    add_attention_mass(log, {{0, 2}}, layout(false), std::vector<float>{1, 1}, kAll, mass);
  EXPECT_NEAR(mass[0], 3.0, 1e-5);
}

TEST(AttentionMass, CapsLogits) {
  const KeyLog log = log_of({0, 1000}, layout(true, 1.0F));
  std::vector<float> mass;
  add_attention_mass(log, {{0, 2}}, layout(false, 1.0F), std::vector<float>{1, 1}, kAll, mass);
  EXPECT_NEAR(mass[1] / mass[0], std::exp(1.0), 1e-4);  // tanh saturates at 1
}

}  // namespace
}  // namespace zoomr
