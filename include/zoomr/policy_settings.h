// The settings of every policy in one struct; each policy's docstring says which it reads.
#pragma once

#include <string>

namespace zoomr {

struct PolicySettings {
  int window = 64;               // most recent tokens always resident
  int sink = 4;                  // first tokens always resident
  int vote_k = 2;                // votes of each query head
  int consensus = 2;             // thoughts or lines brought back by a vote
  std::string select = "paper";  // who votes, with what: see DESIGN.md
  bool summaries = false;        // thoughts have summaries: they are the index; else lines are
};

}  // namespace zoomr
