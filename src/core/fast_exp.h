// exp for loops over logits, several at once: std::exp is a call for each.
#pragma once

#include <bit>
#include <cstdint>

namespace zoomr {

// e^x within 5e-6 of it, relatively; x is taken as -87 or 87 where it is beyond them. 2^n * e^r
// with |r| <= ln(2) / 2: the exponent's bits and a polynomial.
[[nodiscard]] inline float fast_exp(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float bound = x < -87.0F ? -87.0F : (x > 87.0F ? 87.0F : x);
  const float shifted = bound * 1.44269504F + kRound;
  const float r = bound - (shifted - kRound) * 0.69314718F;
  const float power =
      1.0F + r * (1.0F + r * (0.5F + r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120)))));
  const auto n = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  return power * std::bit_cast<float>((n + 127) << 23);
}

// e^x within 4 %, in a fourth of the time, for what is an estimate anyway: the exponent's bits with
// x's fraction as the mantissa (Schraudolph 1999). Of many x the errors cancel out.
[[nodiscard]] inline float rough_exp(float x) {
  constexpr float kOne = 8388608.0F;      // 2^23: the exponent's lowest bit
  constexpr float kZero = 1064866805.0F;  // of x = 0: 127 * 2^23 less what centres the error
  const float bound = x < -87.0F ? -87.0F : (x > 87.0F ? 87.0F : x);
  return std::bit_cast<float>(static_cast<std::int32_t>(bound * (1.44269504F * kOne) + kZero));
}

}  // namespace zoomr
