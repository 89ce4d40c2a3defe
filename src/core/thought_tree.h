// The thought tree as text: a row a segment, with how much of it is resident, and its summary or
// first line; under it, when asked, a row a line. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/replay.h"

namespace zoomr {

struct TreeStyle {
  int width = 100;     // columns
  bool lines = false;  // rows of lines too
  bool color = false;  // ANSI colours
  bool ascii = false;  // no box characters
};

[[nodiscard]] std::vector<std::string> thought_tree(const Replay& replay, const TreeStyle& style);

}  // namespace zoomr
