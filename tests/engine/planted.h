// A planted world for the fake Kv: every token needs one old passage, and one head, 1.2, says so.
// Queries and keys depend on positions alone, whatever is resident.
#pragma once

#include <algorithm>

#include "engine/testing.h"

namespace zoomr {

constexpr Pos kPassage = 16;  // tokens

// Which old passage the token at `pos` needs; -1: none is old enough.
inline Pos needed(Pos pos) {
  const Pos n_old = (pos - 40) / kPassage;
  return n_old < 1 ? -1 : (pos / 3 * 7) % n_old;  // three tokens in a row need the same
}

inline void plant(Token /*token*/, Pos pos, const HeadLayout& layout, bool keys,
                  std::span<float> row) {
  for (const HeadLayout::Item& item : layout.items) {
    std::span<float> head = row.subspan(item.offset, static_cast<std::size_t>(item.d));
    std::fill(head.begin(), head.end(), 0.0F);
    const Pos passage = keys ? pos / kPassage : needed(pos);
    const bool looks = keys || item.head == Head{1, 2};  // one head looks back, the others nowhere
    if (looks && passage >= 0) head[static_cast<std::size_t>(passage % item.d)] = keys ? 1 : 50;
  }
}

inline FakeKv::Options planted_options(int n_cells) {
  return {.n_cells = n_cells,
          .layers = std::vector<LayerShape>(2, {.n_head = 4, .n_head_kv = 2, .d_head = 32})};
}

}  // namespace zoomr
