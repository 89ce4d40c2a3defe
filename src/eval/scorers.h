// What a reply got right. One rule extracts answers; scorers differ in what they call a step
// (docs/evaluation.md). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/problem.h"

namespace zoomr {

struct Count {
  int right = 0;
  int of = 0;
};

struct Score {
  bool right = false;
  std::string answer;  // what the rule extracted, normalised; "": nothing
  Count steps;         // of 0: the scorer knows none
  struct Part {        // what the steps are made of, e.g. near and far look-ups
    std::string name;
    Count count;
  };
  std::vector<Part> parts;
};

// The answer of a reply: the last \boxed{...}; else what follows the last "Result:", "Answer:" or
// "answer is" on its line; else the last number. Of an equation the right side counts; marks of
// Markdown and LaTeX, thousands' commas, currency signs and a final full stop are taken off.
[[nodiscard]] std::string extract_answer(std::string_view text);
// Equal as numbers where both are, else as text without regard to case and outer space.
[[nodiscard]] bool same_answer(std::string_view a, std::string_view b);

[[nodiscard]] Score score(const Problem& problem, const std::string& text);

// Throws Error(bad_input) when the scorer is unknown or the steps are not what it reads.
void check_scorable(const Problem& problem, const std::string& where);

}  // namespace zoomr
