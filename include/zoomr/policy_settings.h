// The settings of every policy in one struct; each policy's docstring says which it reads.
#pragma once

#include <string>
#include <vector>

namespace zoomr {

// A query head that looks things up, and the key head that it reads.
struct RetrievalHead {
  int layer = 0;
  int head = 0;
  int key_head = 0;
};

struct PolicySettings {
  int window = 32;    // most recent tokens always resident
  int sink = 4;       // first tokens always resident
  int vote_k = 2;     // votes of each query head
  int consensus = 2;  // thoughts or lines brought back by a vote
  // What comes back: see docs/selection.md. auto: retrieval, or paper where thoughts have summaries
  // or no head looks things up.
  std::string select = "auto";
  // select retrieval: who says which lines are needed now. Empty: a probe at load finds them.
  std::vector<RetrievalHead> heads;
  // select retrieval: who says, at a name, which lines are needed soon.
  std::vector<RetrievalHead> name_heads;
  // select retrieval: who says, before an item's number, which label is the last one.
  std::vector<RetrievalHead> order_heads;
  float zoom_in = 0.05F;      // share of the value heads' attention at which a line comes back
  float zoom_in_name = 0.3F;  // the same of the name heads, and of the order heads
  int zoom_max = 3;           // most lines that come back at one token
  float second_look = 0.05F;  // share at which the token that asked is decoded again; > 1: never
  float sure = 0.95F;         // unless its next token has this probability; > 1: none has
  float second_look_name = 0.2F;  // the same of the name heads, however sure; > 1: never
  float fade = 0.8F;              // what is left of a line's need after one token
  // The budget is then a ceiling: lines wait in the store as long as the need of all that wait
  // adds up to no more than this share of attention. 0: off, what fits the budget stays.
  float miss = 0;
  bool summaries = false;  // thoughts have summaries: they are the index; else lines are
};

}  // namespace zoomr
