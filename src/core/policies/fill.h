// What the line policies share: start from what must stay, then take lines while there is room.
#pragma once

#include <span>
#include <utility>

#include "core/policy.h"

namespace zoomr {

class Filler {
 public:
  // Takes pinned segments and the line that holds the newest decoded position: they stay even when
  // the room is too short for them.
  explicit Filler(const View& view);

  // Takes the span when it is held (resident or stored), decoded and fits the room; true when all
  // of it is in the plan afterwards.
  bool try_add(Span span);
  // The whole lines that touch the span, the most recent first, while they fit.
  void add_lines_backwards(Span span);
  // Movable lines by their rank, [lines], the largest first and ties in their order, while they
  // fit; those below `least` are left out.
  void add_lines_by(std::span<const float> rank, float least);
  // Lines that are resident anyway and fit, the most recent first: what need not move stays.
  void keep_recent_lines();
  [[nodiscard]] Pos room_left() const { return view_.room - resident_.size(); }
  [[nodiscard]] const SpanSet& resident() const { return resident_; }

  // All else that is held goes to the store, but for the open line's tokens.
  [[nodiscard]] Plan rest_stored() &&;
  // All else is dropped for good.
  [[nodiscard]] Plan rest_dropped() &&;

 private:
  const View& view_;
  SpanSet resident_;
};

// The decoded tokens of pinned segments: every policy keeps them.
[[nodiscard]] SpanSet pinned_tokens(const View& view);
// The line, closed or open, that holds the newest decoded position, cut at what is decoded.
[[nodiscard]] Span newest_line(const View& view);
// Lines that are decoded whole and belong to a segment that is not pinned.
[[nodiscard]] bool is_movable(const View& view, const Line& line);

}  // namespace zoomr
