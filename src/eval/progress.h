// How far an evaluation is, and how long it will take: one line that changes on a terminal, a line
// a piece of work elsewhere.
#pragma once

#include <chrono>
#include <ostream>
#include <string>

namespace zoomr {

class Progress {
 public:
  // `n` pieces of work, of which those already done take no time.
  Progress(std::ostream& out, std::size_t n);
  void skip() { ++n_done_; }
  void begin(const std::string& what);
  // Shows more of the piece that runs, on a terminal and at most once a second.
  void tell(const std::string& more);
  void end();
  void finish();  // clears the live line

 private:
  [[nodiscard]] std::string time_left() const;

  using Clock = std::chrono::steady_clock;
  std::ostream& out_;
  bool live_;
  std::size_t n_;
  std::size_t n_done_ = 0;  // skipped ones too
  std::size_t n_timed_ = 0;
  double seconds_ = 0;  // of the timed ones
  Clock::time_point began_;
  Clock::time_point told_;
  std::string line_;
};

}  // namespace zoomr
