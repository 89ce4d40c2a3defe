#include "core/attention_mass.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/dot.h"

namespace zoomr {

void softmax(std::vector<float>& values) {
  if (values.empty()) return;
  const float peak = *std::max_element(values.begin(), values.end());
  float sum = 0;
  for (float& v : values) sum += v = std::exp(v - peak);
  for (float& v : values) v /= sum;
}

void KeyLog::append(Pos pos, const HeadLayout& layout, std::span<const float> keys) {
  check(pos == size_, "keys are logged position by position");
  if (size_ == 0) layout_ = layout;
  check(keys.size() == layout_.row_size, "a row of keys has the layout's size");
  keys_.insert(keys_.end(), keys.begin(), keys.end());
  ++size_;
}

void KeyLog::truncate(Pos pos) {
  size_ = std::min(size_, pos);
  keys_.resize(static_cast<std::size_t>(size_) * layout_.row_size);
}

std::vector<float> head_weights(const KeyLog& log, const SpanSet& visible,
                                const HeadLayout& query_layout, std::span<const float> queries,
                                const HeadLayout::Item& head) {
  const auto* key = query_layout.key_of(head, log.layout());
  if (key == nullptr) return {};
  const LayerShape& shape = query_layout.layers[static_cast<std::size_t>(head.head.layer)];
  const Pos first = shape.first_seen(visible.empty() ? 0 : visible.spans().back().end - 1);
  std::vector<float> weights;
  weights.reserve(static_cast<std::size_t>(visible.size()));
  for (const Span span : visible.spans()) {
    for (Pos pos = span.begin; pos < span.end; ++pos) {
      if (pos < first) {
        weights.push_back(-std::numeric_limits<float>::infinity());
        continue;
      }
      weights.push_back(attention_logit(
          dot(queries.data() + head.offset, log.row(pos) + key->offset, head.d), shape));
    }
  }
  softmax(weights);
  return weights;
}

void add_attention_mass(const KeyLog& log, const SpanSet& visible, const HeadLayout& query_layout,
                        std::span<const float> queries, const HeadSelection& heads,
                        std::vector<float>& mass) {
  mass.resize(static_cast<std::size_t>(log.size()), 0);
  for (const HeadLayout::Item& head : query_layout.items) {
    if (!heads.contains(head.head)) continue;
    const std::vector<float> weights = head_weights(log, visible, query_layout, queries, head);
    if (weights.empty()) continue;
    std::size_t n = 0;
    for (const Span span : visible.spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) {
        mass[static_cast<std::size_t>(pos)] += weights[n++];
      }
    }
  }
}

LineShares line_mass(const KeyLog& log, std::span<const Line> lines, const HeadLayout& query_layout,
                     std::span<const float> queries, const HeadSelection& heads) {
  LineShares shares{std::vector<float>(lines.size(), 0), std::vector<float>(lines.size(), 0)};
  int n_heads = 0;
  const SpanSet all{{0, log.size()}};
  for (const HeadLayout::Item& head : query_layout.items) {
    if (!heads.contains(head.head)) continue;
    const std::vector<float> weights = head_weights(log, all, query_layout, queries, head);
    if (weights.empty()) continue;
    ++n_heads;
    for (std::size_t i = 0; i < lines.size() && lines[i].span.end <= log.size(); ++i) {
      float sum = 0;
      for (Pos pos = lines[i].span.begin; pos < lines[i].span.end; ++pos) {
        sum += weights[static_cast<std::size_t>(pos)];
      }
      shares.mean[i] += sum;
      shares.peak[i] = std::max(shares.peak[i], sum);
    }
  }
  for (float& mean : shares.mean) mean /= static_cast<float>(std::max(1, n_heads));
  return shares;
}

}  // namespace zoomr
