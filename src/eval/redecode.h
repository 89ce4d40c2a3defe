// A trace decoded again on its model: does the model really say what the trace says it said, with
// the KV that the trace says was there?
//
// Each of the trace's tokens is decoded with its own edits (out: save and remove, in: restore,
// drop, compact, again: take back), alone in a context of its own. A token that was sampled as the
// largest logit must be the largest here too, or lie no further below it than rounding explains.
// What rounding explains is measured beside it: a second context plays the same trace with its
// tokens in other cells, longer decodes cut into other pieces, and another sequence's tokens in
// each batch.
#pragma once

#include <span>

#include "core/trace.h"
#include "engine/vocabulary.h"
#include "kv/kv.h"

namespace zoomr {

struct Redecoded {
  int n_turns = 0;
  int n_decoded = 0;  // tokens, those that were decoded a second time twice
  int n_moves = 0;    // edits that were applied
  // Tokens that were sampled as the largest logit (takes_largest() of the turn's settings).
  int n_judged = 0;
  int n_not_largest = 0;  // of these: not the largest here
  double mean_gap = 0;    // how far a token's logit lies below the largest
  double largest_gap = 0;
  Pos worst = -1;    // the position of the token with the largest gap; -1: no gap
  double noise = 0;  // the largest difference of any logit between both contexts, at these tokens

  // The run that wrote the trace and this one both carry such noise.
  [[nodiscard]] bool ok() const { return largest_gap <= 2 * noise; }
};

// Cells that the two contexts of redecode() need.
struct RedecodeCells {
  int first = 0;
  int second = 0;
};

// Throws Error(failed) when the trace is not true (core/replay.h).
[[nodiscard]] RedecodeCells redecode_cells(std::span<const TraceEvent> trace);

// Plays a trace in two empty Kvs of the trace's model: `first` with sequence 0, `second` with the
// sequences 0 and 1, both with the cells of redecode_cells(), which finds what is not true first.
// `vocabulary` says which tokens end a turn. Throws Error(failed) when the trace is not true, or
// cannot be decoded again.
[[nodiscard]] Redecoded redecode(std::span<const TraceEvent> trace, const Vocabulary& vocabulary,
                                 Kv& first, Kv& second);

}  // namespace zoomr
