#include "eval/progress.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace zoomr {

Progress::Progress(std::ostream& out, std::size_t n)
    : out_(out), live_(&out == &std::cerr && isatty(STDERR_FILENO) != 0), n_(n) {}

std::string Progress::time_left() const {
  if (n_timed_ == 0) return "";
  const double left = seconds_ / static_cast<double>(n_timed_) * static_cast<double>(n_ - n_done_);
  char text[48];
  if (left < 90) {
    std::snprintf(text, sizeof text, ", %.0f s left", left);
  } else if (left < 90 * 60) {
    std::snprintf(text, sizeof text, ", %.0f min left", left / 60);
  } else {
    std::snprintf(text, sizeof text, ", %.1f h left", left / 3600);
  }
  return text;
}

void Progress::begin(const std::string& what) {
  constexpr std::size_t kWidth = 20;
  const std::size_t full = n_ > 0 ? n_done_ * kWidth / n_ : kWidth;
  std::string line;
  if (live_) {
    line = "\r\033[K[" + std::string(full, '#') + std::string(kWidth - full, '.') + "] ";
  } else {
    line = "eval: ";
  }
  line += std::to_string(n_done_) + "/" + std::to_string(n_) + ", " + what + time_left();
  out_ << line << (live_ ? "" : "\n") << std::flush;
  began_ = Clock::now();
  told_ = began_;
  line_ = line;
}

void Progress::tell(const std::string& more) {
  if (!live_ || Clock::now() - told_ < std::chrono::seconds(1)) return;
  told_ = Clock::now();
  out_ << line_ << ", " << more << std::flush;
}

void Progress::end() {
  seconds_ += std::chrono::duration<double>(Clock::now() - began_).count();
  ++n_timed_;
  ++n_done_;
}

void Progress::finish() {
  if (live_) out_ << "\r\033[K" << std::flush;
}

}  // namespace zoomr
