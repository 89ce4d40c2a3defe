#include "kv/cells.h"

#include <algorithm>

namespace zoomr {

bool Cells::Cell::is_of(SeqId seq) const {
  return std::find(owners.begin(), owners.end(), seq) != owners.end();
}

bool Cells::place(SeqId seq, Span span) {
  if (n_free() < span.size()) return false;
  Pos pos = span.begin;
  for (std::size_t i = 0; pos < span.end; ++i) {
    if (cells_[i].owners.empty()) cells_[i] = {pos++, {seq}};
  }
  return true;
}

void Cells::share(SeqId from, SeqId to, Span span) {
  for (Cell& cell : cells_) {
    if (span.contains(cell.pos) && cell.is_of(from) && !cell.is_of(to)) cell.owners.push_back(to);
  }
}

void Cells::free(SeqId seq, Span span) {
  for (Cell& cell : cells_) {
    if (span.contains(cell.pos)) std::erase(cell.owners, seq);
  }
}

int Cells::n_free() const {
  return static_cast<int>(std::count_if(cells_.begin(), cells_.end(),
                                        [](const Cell& cell) { return cell.owners.empty(); }));
}

int Cells::n_used_by(std::span<const SeqId> seqs) const {
  return static_cast<int>(std::count_if(cells_.begin(), cells_.end(), [&](const Cell& cell) {
    return std::any_of(seqs.begin(), seqs.end(), [&](SeqId seq) { return cell.is_of(seq); });
  }));
}

int Cells::width() const {
  for (std::size_t i = cells_.size(); i > 0; --i) {
    if (!cells_[i - 1].owners.empty()) return static_cast<int>(i);
  }
  return 0;
}

std::optional<std::pair<SeqId, Pos>> Cells::topmost() const {
  const int top = width();
  if (top == 0) return std::nullopt;
  const Cell& cell = cells_[static_cast<std::size_t>(top - 1)];
  if (cell.owners.size() > 1) return std::nullopt;
  return std::pair{cell.owners.front(), cell.pos};
}

std::optional<int> Cells::cell_of(SeqId seq, Pos pos) const {
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (cells_[i].pos == pos && cells_[i].is_of(seq)) return static_cast<int>(i);
  }
  return std::nullopt;
}

}  // namespace zoomr
