#include "serve/pace.h"

#include <algorithm>

namespace zoomr {

namespace {

// Reading may take so many times what the others' tokens take. With 1.5 a step is 2.5 times as
// long, and a prompt takes 1 + 1 / 1.5 times as long as alone.
constexpr double kShare = 1.5;
constexpr double kAloneMs = 500;  // nobody writes: how long a new request may have to wait
constexpr int kFew = 8;           // tokens; fewer are not worth a step
constexpr int kMany = 512;        // tokens: libllama's default ubatch
constexpr double kWeight = 0.2;   // of a new measurement

void blend(double& mean, double value) {
  mean = mean < 0 ? value : (1 - kWeight) * mean + kWeight * value;
}

}  // namespace

void Pace::count(int n_writing, int n_read, double ms) {
  if (n_read == 0 && n_writing > 0) {
    if (!is_measured_) write_ms_ = -1;
    is_measured_ = true;
    blend(write_ms_, ms);
  } else if (n_read > 0 && n_writing == 0) {
    blend(read_ms_, ms / n_read);
  } else if (n_read > 0 && is_measured_) {
    blend(read_ms_, std::max(0.0, ms - write_ms_) / n_read);
  } else if (n_read > 0 && read_ms_ >= 0) {
    // The first that writes does so beside one that reads: what the reading leaves is an estimate.
    const double rest = ms - read_ms_ * n_read;
    if (rest > 0) blend(write_ms_, rest);
  }
}

int Pace::n_to_read(int n_writing) const {
  if (read_ms_ <= 0) return kMany / kFew;
  if (n_writing > 0 && write_ms_ < 0) return kFew;
  const double ms = n_writing > 0 ? kShare * write_ms_ : kAloneMs;
  return static_cast<int>(std::clamp(ms / read_ms_, double{kFew}, double{kMany}));
}

}  // namespace zoomr
