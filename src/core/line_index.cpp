#include "core/line_index.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "core/dot.h"
#include "core/fast_exp.h"

namespace zoomr {

namespace {

constexpr int kTokens = KeyBlocks::kTokens;
constexpr Pos kNewest = 64;  // tokens that are not put into a block yet

// In place; returns the largest.
float to_logits(float* products, std::size_t n, const LayerShape& shape) {
  float peak = -std::numeric_limits<float>::max();
  if (shape.softcap > 0) {
    for (std::size_t i = 0; i < n; ++i) {
      peak = std::max(peak, products[i] = attention_logit(products[i], shape));
    }
    return peak;
  }
#pragma omp simd reduction(max : peak)
  for (std::size_t i = 0; i < n; ++i) {
    products[i] *= shape.scale;
    peak = std::max(peak, products[i]);
  }
  return peak;
}

// e^(logit - peak), in place.
void to_weights(float* logits, std::size_t n, float peak) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) logits[i] = fast_exp(logits[i] - peak);
}

void to_rough_weights(float* logits, std::size_t n, float peak) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) logits[i] = rough_exp(logits[i] - peak);
}

float sum(const float* values, std::size_t n) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (std::size_t i = 0; i < n; ++i) total += values[i];
  return total;
}

// In pieces, so that small ones are not lost in a large sum.
double total(const std::vector<float>& values) {
  double all = 0;
  for (std::size_t i = 0; i < values.size(); i += 256) {
    all += sum(values.data() + i, std::min<std::size_t>(256, values.size() - i));
  }
  return all;
}

// result[line]: its tokens' part of all weights.
void share_out(const std::vector<float>& weights, std::span<const Line> lines,
               std::span<float> result) {
  const auto all = static_cast<float>(total(weights));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Span span = lines[i].span;
    result[i] = sum(weights.data() + span.begin, static_cast<std::size_t>(span.size())) / all;
  }
}

}  // namespace

Pos LineIndex::n_newest() const {
  return layout_.row_size == 0 ? 0 : static_cast<Pos>(newest_.size() / layout_.row_size);
}

void LineIndex::append(Pos pos, const HeadLayout& layout, std::span<const float> keys) {
  check(pos == size(), "keys are indexed position by position");
  if (heads_.empty()) {
    layout_ = layout;
    for (const HeadLayout::Item& item : layout_.items) heads_.emplace_back(item.d);
  }
  check(keys.size() == layout_.row_size, "a row of keys has the layout's size");
  newest_.insert(newest_.end(), keys.begin(), keys.end());
  if (n_newest() >= kNewest + kTokens) fill_block();
}

void LineIndex::fill_block() {
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    heads_[h].add(newest_.data() + layout_.items[h].offset, layout_.row_size);
  }
  ++n_blocks_;
  const auto taken = static_cast<std::ptrdiff_t>(layout_.row_size * kTokens);
  newest_.erase(newest_.begin(), newest_.begin() + taken);
}

void LineIndex::reopen_block() {
  std::vector<float> rows(layout_.row_size * kTokens);
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    const HeadLayout::Item& item = layout_.items[h];
    const auto d = static_cast<std::size_t>(item.d);
    const std::vector<float> keys = heads_[h].take_last();
    for (std::size_t t = 0; t < kTokens; ++t) {
      std::copy_n(keys.data() + t * d, d, rows.data() + t * layout_.row_size + item.offset);
    }
  }
  --n_blocks_;
  newest_.insert(newest_.begin(), rows.begin(), rows.end());
}

void LineIndex::truncate(Pos pos) {
  check(pos >= 0, "positions are not negative");
  if (pos >= size()) return;
  while (pos < blocks_end()) reopen_block();
  newest_.resize(static_cast<std::size_t>(pos - blocks_end()) * layout_.row_size);
}

std::size_t LineIndex::bytes() const {
  std::size_t n = newest_.size() * sizeof(float);
  for (const KeyBlocks& head : heads_) n += head.bytes();
  return n;
}

LineShares LineIndex::shares(std::span<const Line> lines, const HeadLayout& query_layout,
                             std::span<const float> queries, const HeadSelection& heads) const {
  struct Asking {
    const HeadLayout::Item* key;
    const HeadLayout::Item* query;
  };
  std::vector<Asking> asking;
  for (const HeadLayout::Item& head : query_layout.items) {
    const HeadLayout::Item* key = query_layout.key_of(head, layout_);
    if (key != nullptr && heads.contains(head.head)) asking.push_back({key, &head});
  }
  std::size_t n_lines = 0;  // those that end within the index
  while (n_lines < lines.size() && lines[n_lines].span.end <= size()) ++n_lines;

  std::vector<float> by_head(asking.size() * n_lines);  // [head][line]
  std::exception_ptr failure;                           // none may leave the threads
#pragma omp parallel num_threads(options_.threads) if (options_.threads > 1 && !is_short())
  {
    std::vector<float> weights;
#pragma omp for schedule(dynamic, 1)
    for (std::size_t h = 0; h < asking.size(); ++h) {
      try {
        const HeadLayout::Item& query = *asking[h].query;
        weigh(*asking[h].key, queries.data() + query.offset,
              query_layout.layers[static_cast<std::size_t>(query.head.layer)], weights);
        share_out(weights, lines.first(n_lines), std::span(by_head).subspan(h * n_lines, n_lines));
      } catch (...) {
#pragma omp critical
        failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);

  LineShares result{.mean = std::vector<float>(lines.size(), 0),
                    .peak = std::vector<float>(lines.size(), 0)};
  for (std::size_t h = 0; h < asking.size(); ++h) {
    for (std::size_t i = 0; i < n_lines; ++i) {
      const float share = by_head[h * n_lines + i];
      result.mean[i] += share;
      result.peak[i] = std::max(result.peak[i], share);
    }
  }
  for (float& mean : result.mean)
    mean /= static_cast<float>(std::max<std::size_t>(1, asking.size()));
  return result;
}

// weights[size()]: e^(logit - the largest estimate) of each token for one query.
void LineIndex::weigh(const HeadLayout::Item& key, const float* query, const LayerShape& shape,
                      std::vector<float>& weights) const {
  weights.resize(static_cast<std::size_t>(size()));
  const KeyBlocks& keys = heads_[static_cast<std::size_t>(&key - layout_.items.data())];
  const int n_pairs =
      is_short() ? keys.n_pairs()
                 : std::clamp(static_cast<int>(options_.dims * static_cast<float>(keys.n_pairs())),
                              1, keys.n_pairs());
  const KeyBlocks::Query ready = keys.prepare(query, n_pairs);
  for (int b = 0; b < n_blocks_; ++b) {
    keys.products(ready, b, n_pairs, weights.data() + static_cast<std::ptrdiff_t>(b) * kTokens);
  }
  for (Pos pos = blocks_end(); pos < size(); ++pos) {
    const auto row = static_cast<std::size_t>(pos - blocks_end()) * layout_.row_size;
    weights[static_cast<std::size_t>(pos)] = dot(query, newest_.data() + row + key.offset, key.d);
  }
  const float peak = to_logits(weights.data(), weights.size(), shape);
  if (n_pairs == keys.n_pairs()) return to_weights(weights.data(), weights.size(), peak);
  const auto estimated = static_cast<std::size_t>(blocks_end());
  to_rough_weights(weights.data(), estimated, peak);
  to_weights(weights.data() + estimated, weights.size() - estimated, peak);
  weigh_best(keys, ready, shape, peak, weights);
}

// All dimensions for the first block and for those with the largest sums of estimates.
void LineIndex::weigh_best(const KeyBlocks& keys, const KeyBlocks::Query& query,
                           const LayerShape& shape, float peak, std::vector<float>& weights) const {
  if (n_blocks_ == 0) return;
  std::vector<std::pair<float, int>> blocks;
  for (int b = 1; b < n_blocks_; ++b) {
    blocks.emplace_back(sum(weights.data() + static_cast<std::ptrdiff_t>(b) * kTokens, kTokens), b);
  }
  const auto n = std::min(static_cast<std::size_t>(options_.best), blocks.size());
  std::partial_sort(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(n), blocks.end(),
                    std::greater<>());
  blocks.resize(n);
  blocks.emplace_back(0.0F, 0);
  for (const auto& [estimate, b] : blocks) {
    float* at = weights.data() + static_cast<std::ptrdiff_t>(b) * kTokens;
    keys.products(query, b, keys.n_pairs(), at);
    to_logits(at, kTokens, shape);
    to_weights(at, kTokens, peak);
  }
}

}  // namespace zoomr
