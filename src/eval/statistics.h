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

// Of pairs of numbers: how well one tells the other.
struct Agreement {
  double mean_a = 0;
  double mean_b = 0;
  double correlation = 0;      // Pearson's; 0 where one of them does not vary
  double mean_difference = 0;  // absolute
};
// REQUIRES: as many of the one as of the other. Of no pairs all is 0.
[[nodiscard]] Agreement agreement(std::span<const double> a, std::span<const double> b);

}  // namespace zoomr
