#include "core/certainty.h"

#include <algorithm>

#include "core/fast_exp.h"

namespace zoomr {

float certainty(std::span<const float> logits) {
  if (logits.empty()) return 0;
  const float peak = *std::max_element(logits.begin(), logits.end());
  const float* values = logits.data();
  const std::size_t n = logits.size();
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) sum += fast_exp(values[i] - peak);
  return 1 / sum;
}

}  // namespace zoomr
