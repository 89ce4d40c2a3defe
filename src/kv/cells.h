// A mirror of libllama's cell allocator for one unified stream: the lowest free cell is taken
// first, always.
//
// (llama-kv-cache.cpp: the head goes behind a placement and back to the lowest freed cell, so no
// free cell lies below it.) It tells which token sits highest, which libllama does not say. Pure
// value type.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

// libllama's contexts have, and its attention runs over, a multiple of this (llama-context.cpp,
// llama-kv-cache.cpp, get_n_kv).
constexpr int kCellStep = 256;
[[nodiscard]] constexpr int whole_steps(int n_cells) {
  return (n_cells + kCellStep - 1) / kCellStep * kCellStep;
}

class Cells {
 public:
  explicit Cells(int n_cells) : cells_(static_cast<std::size_t>(n_cells)) {}

  // Takes the lowest free cells for consecutive positions; false (nothing changed) when fewer are
  // free.
  [[nodiscard]] bool place(SeqId seq, Span span);
  // The cells of these positions of `from` belong to `to` as well; none is taken.
  void share(SeqId from, SeqId to, Span span);
  // Frees the cells of the positions that are there, but for those that are another's too.
  void free(SeqId seq, Span span);
  [[nodiscard]] int n_free() const;
  [[nodiscard]] int n_used_by(std::span<const SeqId> seqs) const;  // a shared one once
  [[nodiscard]] int width() const;                                 // highest used cell + 1
  // Of a shared cell nullopt: no one can move it alone.
  [[nodiscard]] std::optional<std::pair<SeqId, Pos>> topmost() const;
  [[nodiscard]] std::optional<int> cell_of(SeqId seq, Pos pos) const;
  [[nodiscard]] int size() const { return static_cast<int>(cells_.size()); }

 private:
  struct Cell {
    Pos pos = -1;
    std::vector<SeqId> owners;  // none: free
    [[nodiscard]] bool is_of(SeqId seq) const;
  };
  std::vector<Cell> cells_;
};

}  // namespace zoomr
