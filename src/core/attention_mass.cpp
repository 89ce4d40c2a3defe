#include "core/attention_mass.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/dot.h"

namespace zoomr {

namespace {

float logit(float product, const LayerShape& shape) {
  const float scaled = product * shape.scale;
  return shape.softcap > 0 ? shape.softcap * std::tanh(scaled / shape.softcap) : scaled;
}

}  // namespace

void KeyLog::append(Pos pos, const HeadLayout& layout, std::span<const float> keys) {
  check(pos == size_, "keys are logged position by position");
  if (size_ == 0) layout_ = layout;
  check(keys.size() == layout_.row_size, "a row of keys has the layout's size");
  keys_.insert(keys_.end(), keys.begin(), keys.end());
  ++size_;
}

void add_attention_mass(const KeyLog& log, const SpanSet& visible, const HeadLayout& query_layout,
                        std::span<const float> queries, std::vector<float>& mass) {
  mass.resize(static_cast<std::size_t>(log.size()), 0);
  std::vector<float> weights(static_cast<std::size_t>(visible.size()));
  for (const auto& item : query_layout.items) {
    const LayerShape& shape = query_layout.layers[static_cast<std::size_t>(item.head.layer)];
    const auto* key = query_layout.key_of(item, log.layout());
    if (key == nullptr) continue;
    const float* query = queries.data() + item.offset;
    std::size_t n = 0;
    float peak = -INFINITY;
    for (const Span span : visible.spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) {
        weights[n] = logit(dot(query, log.row(pos) + key->offset, item.d), shape);
        peak = std::max(peak, weights[n++]);
      }
    }
    float sum = 0;
    for (float& w : weights) sum += w = std::exp(w - peak);
    n = 0;
    for (const Span span : visible.spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) {
        mass[static_cast<std::size_t>(pos)] += weights[n++] / sum;
      }
    }
  }
}

}  // namespace zoomr
