// The inner product that votes and attention mass spend their time in.
#pragma once

namespace zoomr {

// a . b over n floats. The order of summation is the compiler's (SIMD).
[[nodiscard]] inline float dot(const float* a, const float* b, int n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace zoomr
