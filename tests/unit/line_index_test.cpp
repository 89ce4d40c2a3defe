#include "core/line_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "core/fast_exp.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

constexpr Pos kLine = 20;  // tokens
const HeadSelection kAll{.all = true};

std::vector<LayerShape> shapes(int d, float softcap = 0) {
  return std::vector<LayerShape>(
      2, {.n_head = 4, .n_head_kv = 2, .d_head = d, .scale = 0.125F, .softcap = softcap});
}

std::vector<Line> lines_of(Pos n) {
  std::vector<Line> lines;
  for (Pos at = 0; at < n; at += kLine) lines.push_back({{at, at + kLine}, 0});
  return lines;
}

// Keys as heads that look things up have them: noise on a part that all share and that is far
// larger in some dimensions than in others, and of some tokens the key that a query asks for.
class Memory {
 public:
  explicit Memory(int d, unsigned seed = 1, float softcap = 0)
      : keys(make_layout(kAll, shapes(d, softcap), true)),
        queries(make_layout(kAll, shapes(d, softcap), false)),
        random_(seed),
        base_(normal(keys.row_size, 4)),
        width_(normal(keys.row_size, 1)) {}

  std::vector<float> normal(std::size_t n, float deviation) {
    std::normal_distribution<float> distribution(0, deviation);
    std::vector<float> values(n);
    for (float& value : values) value = distribution(random_);
    return values;
  }
  std::vector<float> key() {
    std::vector<float> row = normal(keys.row_size, 1);
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = base_[i] + row[i] * std::exp(0.7F * width_[i]);
    }
    return row;
  }
  std::vector<float> query() { return normal(queries.row_size, 2); }

  HeadLayout keys;
  HeadLayout queries;

 private:
  std::mt19937 random_;
  std::vector<float> base_;
  std::vector<float> width_;
};

// The same keys in the index and in the log that says what is right.
struct Both {
  void append(const HeadLayout& layout, std::span<const float> row) {
    index.append(index.size(), layout, row);
    log.append(log.size(), layout, row);
  }
  LineIndex index;
  KeyLog log;
};

Both fill(Memory& memory, Pos n, const LineIndexOptions& options = {}) {
  Both both{.index = LineIndex(options), .log = {}};
  for (Pos i = 0; i < n; ++i) both.append(memory.keys, memory.key());
  return both;
}

void expect_line_mass(const Both& both, const Memory& memory, std::span<const float> query,
                      const HeadSelection& heads, float error) {
  const std::vector<Line> lines = lines_of(both.log.size() + kLine);
  const LineShares shares = both.index.shares(lines, memory.queries, query, heads);
  const auto mean = line_mass(both.log, lines, memory.queries, query, heads).mean;
  const auto peak = line_mass(both.log, lines, memory.queries, query, heads).peak;
  ASSERT_EQ(shares.mean.size(), mean.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_NEAR(shares.mean[i], mean[i], error) << "line " << i;
    EXPECT_NEAR(shares.peak[i], peak[i], error) << "line " << i;
  }
}

TEST(LineIndex, OfAShortMemoryIsLineMass) {
  for (const int d : {1, 6, 64, 128}) {
    for (const float softcap : {0.0F, 5.0F}) {
      Memory memory(d, 3, softcap);
      const Both both = fill(memory, 517);
      const HeadSelection some{.chosen = {{0, 1}, {1, 3}}};
      expect_line_mass(both, memory, memory.query(), kAll, 1e-3F);
      expect_line_mass(both, memory, memory.query(), some, 1e-3F);
    }
  }
}

TEST(LineIndex, NewestTokensAreExact) {
  Memory memory(64);
  const Both both = fill(memory, 90);
  expect_line_mass(both, memory, memory.query(), kAll, 1e-6F);
}

// The three lines with the largest shares, of those that have any.
std::vector<std::size_t> best_lines(const std::vector<float>& shares, float least) {
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  order.resize(3);
  std::erase_if(order, [&](std::size_t i) { return shares[i] < least; });
  return order;
}

// The part of the true best lines that the index has among its best ones.
double recall(const LineIndexOptions& options) {
  constexpr int kQueries = 20;
  Memory memory(64);
  const Both both = fill(memory, 6000, options);
  const std::vector<Line> lines = lines_of(6000);
  int found = 0;
  int asked = 0;
  for (int i = 0; i < kQueries; ++i) {
    const std::vector<float> query = memory.query();
    const auto truth =
        best_lines(line_mass(both.log, lines, memory.queries, query, kAll).mean, 0.005F);
    const auto ours = best_lines(both.index.shares(lines, memory.queries, query, kAll).mean, 0.0F);
    asked += static_cast<int>(truth.size());
    for (const std::size_t line : truth) {
      found += static_cast<int>(std::count(ours.begin(), ours.end(), line));
    }
  }
  EXPECT_GE(asked, 2 * kQueries);
  return static_cast<double>(found) / asked;
}

TEST(LineIndex, InTwoStagesFindsTheBestLines) {
  EXPECT_GE(recall({.exact_below = 0}), 0.95);
  EXPECT_LT(recall({.exact_below = 0, .dims = 0.05F, .best = 0}), 0.8);  // so the test can fail
}

TEST(LineIndex, InTwoStagesSharesAreNearTheTrueOnes) {
  Memory memory(64);
  const Both both = fill(memory, 6000);
  expect_line_mass(both, memory, memory.query(), kAll, 0.04F);
}

TEST(LineIndex, SideBySideGivesTheSameShares) {
  const auto shares = [](int threads) {
    Memory memory(64);
    const Both both = fill(memory, 1000, {.exact_below = 0, .best = 4, .threads = threads});
    return both.index.shares(lines_of(1000), memory.queries, memory.query(), kAll);
  };
  const LineShares alone = shares(1);
  for (const int threads : {2, 5}) {
    EXPECT_EQ(shares(threads).mean, alone.mean);
    EXPECT_EQ(shares(threads).peak, alone.peak);
  }
}

TEST(LineIndex, TruncatedItIsAsIfTheTokensHadNotBeen) {
  for (const Pos cut : {299, 260, 190, 33, 0}) {
    Memory memory(32);
    Both both = fill(memory, 300);
    Both fresh;
    for (Pos pos = 0; pos < cut; ++pos) {
      fresh.append(memory.keys, std::span(both.log.row(pos), memory.keys.row_size));
    }
    both.index.truncate(cut);
    EXPECT_EQ(both.index.size(), cut);
    both.log = fresh.log;
    for (int i = 0; i < 150; ++i) both.append(memory.keys, memory.key());
    expect_line_mass(both, memory, memory.query(), kAll, 1e-3F);
  }
}

TEST(LineIndex, TakesKeysPositionByPosition) {
  Memory memory(8);
  LineIndex index;
  const std::vector<float> row = memory.key();
  index.append(0, memory.keys, row);
  EXPECT_THROW(index.append(2, memory.keys, row), Error);
  EXPECT_THROW(index.append(1, memory.keys, std::span(row).first(3)), Error);
}

TEST(LineIndex, OfNothingGivesNothing) {
  Memory memory(8);
  const LineIndex index;
  const auto shares = index.shares(lines_of(40), memory.queries, memory.query(), kAll);
  EXPECT_EQ(shares.mean, std::vector<float>(2, 0));
}

TEST(LineIndex, TakesHalfOfWhatFloatsTake) {
  Memory memory(64);
  const Both both = fill(memory, 4096);
  const auto floats = static_cast<double>(4096 * memory.keys.row_size * sizeof(float));
  EXPECT_LT(static_cast<double>(both.index.bytes()), 0.58 * floats);
}

TEST(KeyBlocks, HoldAWideHeadsLargestSumIn32Bits) {
  constexpr int kWide = 512;
  KeyBlocks blocks(kWide);
  std::vector<float> keys(static_cast<std::size_t>(KeyBlocks::kTokens) * kWide);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i / kWide % 2 == 0 ? 1.0F : -1.0F;
  blocks.add(keys.data(), kWide);
  const std::vector<float> query(kWide, 1);
  std::vector<float> products(KeyBlocks::kTokens);
  blocks.products(blocks.prepare(query.data(), blocks.n_pairs()), 0, blocks.n_pairs(),
                  products.data());
  for (std::size_t t = 0; t < products.size(); ++t) {
    EXPECT_NEAR(products[t], t % 2 == 0 ? kWide : -kWide, 1);
  }
}

TEST(KeyBlocks, HoldKeysThatDoNotDiffer) {
  KeyBlocks blocks(4);
  const std::vector<float> keys(static_cast<std::size_t>(KeyBlocks::kTokens) * 4, 2);
  blocks.add(keys.data(), 4);
  const std::vector<float> query = {1, 2, 3, 4};
  std::vector<float> products(KeyBlocks::kTokens);
  blocks.products(blocks.prepare(query.data(), 1), 0, 1, products.data());
  for (const float product : products) EXPECT_NEAR(product, 20, 1e-5);
}

TEST(FastExp, IsExp) {
  for (float x = -86; x < 86; x += 0.037F) {
    EXPECT_NEAR(fast_exp(x) / std::exp(static_cast<double>(x)), 1, 7e-6) << x;
  }
  EXPECT_LT(fast_exp(-1e30F), 1e-37F);
  EXPECT_EQ(fast_exp(0), 1);
}

TEST(RoughExp, IsExpOnAverage) {
  double sum = 0;
  double n = 0;
  for (float x = -80; x < 80; x += 0.037F) {
    const double ratio = rough_exp(x) / std::exp(static_cast<double>(x));
    EXPECT_NEAR(ratio, 1, 0.04) << x;
    sum += ratio;
    ++n;
  }
  EXPECT_NEAR(sum / n, 1, 0.003);
}

}  // namespace
}  // namespace zoomr
