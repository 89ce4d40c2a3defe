#include "core/loop_guard.h"

namespace zoomr {

bool LoopGuard::push(std::string_view piece) {
  ++n_tokens_;
  bool looped = false;
  for (const char c : piece) {
    if (c == '\n') {
      looped |= end_line();
    } else {
      if (n_tokens_ == 0) n_tokens_ = 1;  // of the line that this token goes on with
      line_ += c;
    }
  }
  return looped;
}

bool LoopGuard::end_line() {
  const std::size_t begin = line_.find_first_not_of(" \t\r");
  if (begin == std::string::npos) {  // blank lines between equal ones do not break a loop
    line_.clear();
    n_tokens_ = 0;
    return false;
  }
  const std::string text = line_.substr(begin, line_.find_last_not_of(" \t\r") - begin + 1);
  const bool counts = n_tokens_ >= kLeastTokens;
  n_equal_ = !counts ? 0 : text == previous_ ? n_equal_ + 1 : 1;
  previous_ = text;
  line_.clear();
  n_tokens_ = 0;
  return n_equal_ >= kEqualLines;
}

}  // namespace zoomr
