// Attention mass computed from captured queries and keys: softmax(q.k) over the resident positions,
// summed over heads. What H2O accumulates. Pure; sizes in floats.
//
// Attention sinks of the model (a learned logit beside the keys) and position biases (ALiBi) are
// not part of it. A layer with a sliding window sees no further than that (one whose window comes
// in chunks less: that is not seen here).
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/capture.h"
#include "core/span_set.h"
#include "core/timeline.h"
#include "zoomr/types.h"

namespace zoomr {

// What the softmax sees of a product q.k.
[[nodiscard]] inline float attention_logit(float product, const LayerShape& shape) {
  const float scaled = product * shape.scale;
  return shape.softcap > 0 ? shape.softcap * std::tanh(scaled / shape.softcap) : scaled;
}

// In place; of no values nothing.
void softmax(std::vector<float>& values);

// Every key of a sequence, by position.
class KeyLog {
 public:
  // REQUIRES: positions ascend by one from 0; the same layout at every call.
  void append(Pos pos, const HeadLayout& layout, std::span<const float> keys);
  void truncate(Pos pos);  // forgets the keys from pos on
  [[nodiscard]] Pos size() const { return size_; }
  [[nodiscard]] const HeadLayout& layout() const { return layout_; }
  [[nodiscard]] const float* row(Pos pos) const {
    return keys_.data() + static_cast<std::size_t>(pos) * layout_.row_size;
  }

 private:
  HeadLayout layout_;
  std::vector<float> keys_;  // [position][layout_.row_size]
  Pos size_ = 0;
};

// [visible.size()] the weights of one query head of the layout over the positions of `visible`, in
// their order, the asking token's own as the last; empty when the key head it reads was not
// captured.
[[nodiscard]] std::vector<float> head_weights(const KeyLog& log, const SpanSet& visible,
                                              const HeadLayout& query_layout,
                                              std::span<const float> queries,
                                              const HeadLayout::Item& head);

// Adds to mass[pos], [log.size()], what the chosen query heads of one token give to the positions
// of `visible`. A head's mass sums to 1.
void add_attention_mass(const KeyLog& log, const SpanSet& visible, const HeadLayout& query_layout,
                        std::span<const float> queries, const HeadSelection& heads,
                        std::vector<float>& mass);

// [n_lines] of the share that heads give them: the mean over the heads, and the largest of one, so
// that a line which one head needs and all others ignore still counts.
struct LineShares {
  std::vector<float> mean;
  std::vector<float> peak;
};

// What the chosen query heads of one token give to each line when every logged key is visible.
// Lines beyond the log have none.
[[nodiscard]] LineShares line_mass(const KeyLog& log, std::span<const Line> lines,
                                   const HeadLayout& query_layout, std::span<const float> queries,
                                   const HeadSelection& heads);

}  // namespace zoomr
