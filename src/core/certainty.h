// How sure a model is of its next token.
#pragma once

#include <span>

namespace zoomr {

// The probability of the likeliest token, before any sampler: softmax of `logits`, [vocabulary].
// 0 without logits.
[[nodiscard]] float certainty(std::span<const float> logits);

}  // namespace zoomr
