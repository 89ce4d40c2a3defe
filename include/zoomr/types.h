// Tokens, positions and spans: the vocabulary that every layer of ZoomR shares.
//
// A span is always half open, [begin, end). Positions are token positions in one sequence's
// timeline; they are never renumbered, whatever leaves or comes back.
#pragma once

#include <compare>
#include <cstdint>

namespace zoomr {

using Token = std::int32_t;  // a token id of the model's vocabulary
using Pos = std::int32_t;    // a position in a timeline, counted from 0
using SeqId = std::int32_t;  // a sequence of the context

struct Span {
  Pos begin = 0;
  Pos end = 0;

  [[nodiscard]] constexpr Pos size() const { return end - begin; }
  [[nodiscard]] constexpr bool empty() const { return end <= begin; }
  [[nodiscard]] constexpr bool contains(Pos pos) const { return begin <= pos && pos < end; }
  [[nodiscard]] constexpr bool contains(Span other) const {
    return begin <= other.begin && other.end <= end;
  }
  [[nodiscard]] constexpr bool overlaps(Span other) const {
    return begin < other.end && other.begin < end;
  }
  constexpr auto operator<=>(const Span&) const = default;
};

}  // namespace zoomr
