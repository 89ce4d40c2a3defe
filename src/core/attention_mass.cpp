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

namespace {

// The weights, [visible.size()], of each chosen query head over the positions of `visible` in their
// order; f(weights) is called for each head.
template <typename F>
void for_each_head(const KeyLog& log, const SpanSet& visible, const HeadLayout& query_layout,
                   std::span<const float> queries, const HeadSelection& heads, const F& f) {
  std::vector<float> weights(static_cast<std::size_t>(visible.size()));
  for (const auto& item : query_layout.items) {
    const LayerShape& shape = query_layout.layers[static_cast<std::size_t>(item.head.layer)];
    const auto* key = query_layout.key_of(item, log.layout());
    if (key == nullptr || !heads.contains(item.head)) continue;
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
    for (float& w : weights) w /= sum;
    f(weights);
  }
}

}  // namespace

void add_attention_mass(const KeyLog& log, const SpanSet& visible, const HeadLayout& query_layout,
                        std::span<const float> queries, const HeadSelection& heads,
                        std::vector<float>& mass) {
  mass.resize(static_cast<std::size_t>(log.size()), 0);
  for_each_head(log, visible, query_layout, queries, heads, [&](const std::vector<float>& weights) {
    std::size_t n = 0;
    for (const Span span : visible.spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) {
        mass[static_cast<std::size_t>(pos)] += weights[n++];
      }
    }
  });
}

std::vector<float> peak_line_mass(const KeyLog& log, std::span<const Line> lines,
                                  const HeadLayout& query_layout, std::span<const float> queries) {
  std::vector<float> mass(lines.size(), 0);
  const SpanSet all{{0, log.size()}};
  for_each_head(
      log, all, query_layout, queries, {.all = true}, [&](const std::vector<float>& weights) {
        for (std::size_t i = 0; i < lines.size() && lines[i].span.end <= log.size(); ++i) {
          float sum = 0;
          for (Pos pos = lines[i].span.begin; pos < lines[i].span.end; ++pos) {
            sum += weights[static_cast<std::size_t>(pos)];
          }
          mass[i] = std::max(mass[i], sum);
        }
      });
  return mass;
}

}  // namespace zoomr
