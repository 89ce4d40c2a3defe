// The thought tree as rows of text: a row a segment, with how much of it is resident, stored and
// dropped, and what it says; a summary hangs under its thought; under each segment, when asked, its
// lines. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/replay.h"

namespace zoomr {

struct TreeStyle {
  int width = 100;     // columns; below 60 rows are longer than that
  bool lines = false;  // rows of lines too
  bool color = false;  // ANSI colours
  bool ascii = false;  // nothing but ASCII, texts included
};

// One row that tells what the bars are made of.
[[nodiscard]] std::string tree_legend(const TreeStyle& style);
[[nodiscard]] std::vector<std::string> thought_tree(const Replay& replay, const TreeStyle& style);

}  // namespace zoomr
