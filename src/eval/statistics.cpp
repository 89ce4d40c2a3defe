#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "core/check.h"

namespace zoomr {

namespace {

constexpr int kResamples = 2000;
constexpr unsigned kSeed = 20260410;

double ratio(std::span<const Share> shares, std::span<const std::size_t> chosen) {
  double part = 0;
  double of = 0;
  for (const std::size_t i : chosen) {
    part += shares[i].part;
    of += shares[i].of;
  }
  return of > 0 ? part / of : std::nan("");
}

Estimate bootstrap(std::size_t n,
                   const std::function<double(std::span<const std::size_t>)>& statistic) {
  std::vector<std::size_t> chosen(n);
  for (std::size_t i = 0; i < n; ++i) chosen[i] = i;
  Estimate result;
  result.mean = statistic(chosen);
  result.low = result.high = result.mean;
  if (n < 2 || std::isnan(result.mean)) return result;
  std::mt19937 random(kSeed);  // not std::uniform_int_distribution: libraries differ
  std::vector<double> values;
  values.reserve(kResamples);
  for (int r = 0; r < kResamples; ++r) {
    for (std::size_t& i : chosen) i = random() % n;
    const double value = statistic(chosen);
    if (!std::isnan(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  const auto at = [&values](double q) {
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  };
  if (values.empty()) return result;
  result.low = at(0.025);
  result.high = at(0.975);
  return result;
}

}  // namespace

Estimate estimate(std::span<const Share> by_problem) {
  return bootstrap(by_problem.size(), [by_problem](std::span<const std::size_t> chosen) {
    return ratio(by_problem, chosen);
  });
}

Estimate estimate_difference(std::span<const Share> a, std::span<const Share> b) {
  check(a.size() == b.size(), "differences are of the same problems");
  return bootstrap(a.size(), [a, b](std::span<const std::size_t> chosen) {
    return ratio(a, chosen) - ratio(b, chosen);
  });
}

Agreement agreement(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "numbers are compared in pairs");
  Agreement result;
  const double n = static_cast<double>(std::max<std::size_t>(1, a.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    result.mean_a += a[i] / n;
    result.mean_b += b[i] / n;
    result.mean_difference += std::abs(a[i] - b[i]) / n;
  }
  double aa = 0;
  double bb = 0;
  double ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - result.mean_a;
    const double y = b[i] - result.mean_b;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  if (aa > 0 && bb > 0) result.correlation = ab / std::sqrt(aa * bb);
  return result;
}

}  // namespace zoomr
