#include "core/key_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/check.h"
#include "core/dot.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace zoomr {

namespace {

constexpr int kMostKey = 8191;  // the largest integer of a key

// sums[t] = over the first n pairs: their column's two integers of token t times the query's two.
void sum_pairs(const std::int16_t* block, const KeyBlocks::Query& query, int n,
               std::int32_t* sums) {
  constexpr int kColumn = 2 * KeyBlocks::kTokens;
#if defined(__SSE2__)
  constexpr int kRegisters = KeyBlocks::kTokens / 4;
  __m128i sum[kRegisters] = {};
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    const std::int16_t* column = block + static_cast<std::ptrdiff_t>(query.pairs[i]) * kColumn;
    std::int32_t two = 0;
    std::memcpy(&two, &query.integers[2 * i], sizeof two);
    const __m128i twos = _mm_set1_epi32(two);
#pragma GCC unroll 8
    for (int j = 0; j < kRegisters; ++j) {
      const auto* at = reinterpret_cast<const __m128i*>(column) + j;
      sum[j] = _mm_add_epi32(sum[j], _mm_madd_epi16(_mm_loadu_si128(at), twos));
    }
  }
  for (int j = 0; j < kRegisters; ++j) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums) + j, sum[j]);
  }
#else
  std::fill_n(sums, KeyBlocks::kTokens, 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    const std::int16_t* column = block + static_cast<std::ptrdiff_t>(query.pairs[i]) * kColumn;
    const std::int32_t a = query.integers[2 * i];
    const std::int32_t b = query.integers[2 * i + 1];
    for (int t = 0; t < KeyBlocks::kTokens; ++t)
      sums[t] += column[2 * t] * a + column[2 * t + 1] * b;
  }
#endif
}

}  // namespace

KeyBlocks::KeyBlocks(int d)
    : d_(d), n_pairs_((d + 1) / 2), spread_(static_cast<std::size_t>(n_pairs_) * 2, 0) {}

void KeyBlocks::add(const float* keys, std::size_t stride) {
  const auto d = static_cast<std::size_t>(d_);
  const std::size_t width = spread_.size();
  std::vector<float> centre(width, 0);
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t i = 0; i < d; ++i) centre[i] += keys[t * stride + i] / kTokens;
  }
  std::vector<float> spread(width, 0);
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t i = 0; i < d; ++i) {
      spread[i] += std::fabs(keys[t * stride + i] - centre[i]) / kTokens;
    }
  }
  if (size() == 0) learn_unit(spread);
  float largest = 0;
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t i = 0; i < d; ++i) {
      largest = std::max(largest, std::fabs(keys[t * stride + i] - centre[i]) / unit_[i]);
    }
  }
  const float scale = largest / kMostKey;
  const std::size_t begin = values_.size();
  values_.resize(begin + block_size());  // zeros
  for (std::size_t t = 0; t < kTokens && scale > 0; ++t) {
    for (std::size_t i = 0; i < d; ++i) {
      const float integer = (keys[t * stride + i] - centre[i]) / unit_[i] / scale;
      values_[begin + (i / 2 * kTokens + t) * 2 + i % 2] =
          static_cast<std::int16_t>(std::lround(integer));
    }
  }
  for (std::size_t i = 0; i < width; ++i) spread_[i] += spread[i];
  centres_.insert(centres_.end(), centre.begin(), centre.end());
  scales_.push_back(scale);
}

// A dimension in which the first block hardly differs still gets a twentieth of the mean: later
// blocks may differ there, and would take the others' bits.
void KeyBlocks::learn_unit(const std::vector<float>& spread) {
  unit_ = spread;
  const float mean = std::accumulate(spread.begin(), spread.end(), 0.0F) / static_cast<float>(d_);
  for (float& unit : unit_) unit = mean > 0 ? std::max(unit, mean / 20) : 1;
}

std::vector<float> KeyBlocks::take_last() {
  check(size() > 0, "there is a block to take");
  const auto d = static_cast<std::size_t>(d_);
  const std::size_t begin = values_.size() - block_size();
  const std::size_t width = spread_.size();
  const float* centre = centres_.data() + centres_.size() - width;
  std::vector<float> keys(kTokens * d);
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t i = 0; i < d; ++i) {
      const std::int16_t integer = values_[begin + (i / 2 * kTokens + t) * 2 + i % 2];
      const float difference = static_cast<float>(integer) * unit_[i] * scales_.back();
      keys[t * d + i] = centre[i] + difference;
      spread_[i] -= std::fabs(difference) / kTokens;
    }
  }
  values_.resize(begin);
  centres_.resize(centres_.size() - width);
  scales_.pop_back();
  return keys;
}

KeyBlocks::Query KeyBlocks::prepare(const float* query, int first) const {
  const std::size_t width = spread_.size();
  Query made{.values = std::vector<float>(query, query + d_),
             .pairs = std::vector<int>(static_cast<std::size_t>(n_pairs_)),
             .integers = std::vector<std::int16_t>(width)};
  made.values.resize(width, 0);
  if (size() == 0) return made;
  std::vector<float> weight(static_cast<std::size_t>(n_pairs_), 0);
  for (std::size_t i = 0; i < width; ++i) weight[i / 2] += std::fabs(made.values[i]) * spread_[i];
  std::iota(made.pairs.begin(), made.pairs.end(), 0);
  const auto split = made.pairs.begin() + std::min(first, n_pairs_);
  std::nth_element(made.pairs.begin(), split, made.pairs.end(), [&](int a, int b) {
    return weight[static_cast<std::size_t>(a)] > weight[static_cast<std::size_t>(b)];
  });
  std::sort(made.pairs.begin(), split);  // memory is read forwards
  std::sort(split, made.pairs.end());
  made.scale = scale_of(made.values);
  if (made.scale == 0) return made;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t from = static_cast<std::size_t>(made.pairs[i / 2]) * 2 + i % 2;
    made.integers[i] =
        static_cast<std::int16_t>(std::lround(made.values[from] * unit_[from] / made.scale));
  }
  return made;
}

// As fine as leaves the sum over all dimensions within 32 bits, rounding included; 0: all are zero.
float KeyBlocks::scale_of(const std::vector<float>& values) const {
  constexpr float kMostSum = static_cast<float>(INT32_MAX / kMostKey) * 0.999F;
  float largest = 0;
  float all = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float size = std::fabs(values[i] * unit_[i]);
    largest = std::max(largest, size);
    all += size;
  }
  return std::max(largest / INT16_MAX, all / (kMostSum - static_cast<float>(values.size())));
}

void KeyBlocks::products(const Query& query, int block, int n, float* products) const {
  const auto b = static_cast<std::size_t>(block);
  std::int32_t sums[kTokens];
  sum_pairs(values_.data() + b * block_size(), query, n, sums);
  const float centre = dot(query.values.data(), centres_.data() + b * spread_.size(), 2 * n_pairs_);
  const float scale = query.scale * scales_[b];
  for (int t = 0; t < kTokens; ++t) products[t] = centre + scale * static_cast<float>(sums[t]);
}

std::size_t KeyBlocks::bytes() const {
  return values_.size() * sizeof(std::int16_t) + (centres_.size() + scales_.size()) * sizeof(float);
}

}  // namespace zoomr
