// Means and their 95 % intervals, by bootstrap over problems: problems differ far more than samples
// of one do. Pure; seeded.
#pragma once

#include <span>
#include <vector>

namespace zoomr {

// One problem's part: what was right, of how much.
struct Share {
  double part = 0;
  double of = 0;
};

struct Estimate {
  double mean = 0;  // sum of parts / sum of ofs; NaN when there is nothing
  double low = 0;
  double high = 0;
};

// Resamples the problems 2,000 times.
[[nodiscard]] Estimate estimate(std::span<const Share> by_problem);
// Of a - b, problem by problem: the same problems in the same order.
[[nodiscard]] Estimate estimate_difference(std::span<const Share> a, std::span<const Share> b);

}  // namespace zoomr
