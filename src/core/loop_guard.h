// Tells when a text has fallen into a loop: four equal consecutive non-blank lines (of text, ended
// by a newline), each of at least eight tokens. Pure; one owner (the session).
#pragma once

#include <string>
#include <string_view>

namespace zoomr {

class LoopGuard {
 public:
  static constexpr int kEqualLines = 4;
  static constexpr int kLeastTokens = 8;

  // Takes the text of one token; true when it completed the fourth equal line.
  bool push(std::string_view piece);

 private:
  bool end_line();

  std::string line_;      // without its newline so far
  int n_tokens_ = 0;      // of line_
  std::string previous_;  // the last non-blank line, trimmed
  int n_equal_ = 0;
};

}  // namespace zoomr
