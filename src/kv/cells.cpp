#include "kv/cells.h"

#include <algorithm>

namespace zoomr {

bool Cells::place(SeqId seq, Span span) {
  if (n_free() < span.size()) return false;
  Pos pos = span.begin;
  for (std::size_t i = 0; pos < span.end; ++i) {
    if (owner_[i].seq < 0) owner_[i] = {seq, pos++};
  }
  return true;
}

void Cells::free(SeqId seq, Span span) {
  for (Owner& owner : owner_) {
    if (owner.seq == seq && span.contains(owner.pos)) owner = {};
  }
}

int Cells::n_free() const {
  return static_cast<int>(
      std::count_if(owner_.begin(), owner_.end(), [](const Owner& o) { return o.seq < 0; }));
}

int Cells::width() const {
  for (std::size_t i = owner_.size(); i > 0; --i) {
    if (owner_[i - 1].seq >= 0) return static_cast<int>(i);
  }
  return 0;
}

std::optional<std::pair<SeqId, Pos>> Cells::topmost() const {
  const int top = width();
  if (top == 0) return std::nullopt;
  const Owner& owner = owner_[static_cast<std::size_t>(top - 1)];
  return std::pair{owner.seq, owner.pos};
}

std::optional<int> Cells::cell_of(SeqId seq, Pos pos) const {
  for (std::size_t i = 0; i < owner_.size(); ++i) {
    if (owner_[i].seq == seq && owner_[i].pos == pos) return static_cast<int>(i);
  }
  return std::nullopt;
}

}  // namespace zoomr
