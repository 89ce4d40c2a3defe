// What the unit tests share: timelines and views made by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/policy.h"

namespace zoomr {

// A timeline of a pinned prompt and lines of the given sizes in one open thought.
inline Timeline make_timeline(Pos n_prompt, const std::vector<Pos>& lines, Pos n_open = 0) {
  Timeline t;
  t.open_segment(SegmentKind::prompt, true);
  for (Pos i = 0; i < n_prompt; ++i) t.append(i);
  t.close_segment(n_prompt);
  t.open_segment(SegmentKind::thought, false);
  for (const Pos size : lines) {
    for (Pos i = 0; i < size; ++i) t.append(i);
    t.close_line(t.size());
  }
  for (Pos i = 0; i < n_open; ++i) t.append(i);
  return t;
}

// Everything that a View refers to, kept together.
struct World {
  Timeline timeline;
  Residency residency;
  Evidence evidence;
  Boundary boundary;
  Pos room = 1000;

  explicit World(Timeline t) : timeline(std::move(t)) {
    residency.resident = {{0, timeline.size()}};
  }
  [[nodiscard]] View view() const {
    return {.timeline = timeline,
            .residency = residency,
            .evidence = evidence,
            .boundary = boundary,
            .decoded = timeline.size(),
            .room = room,
            .seed = 7};
  }
  // Moves the state to the plan, as the engine would.
  void follow(const Plan& plan) { residency = {plan.resident, plan.stored}; }
  // What breaks when the next decode takes one token.
  [[nodiscard]] std::string broken(Unit unit) const {
    return broken_invariant(
        residency, timeline,
        {.decoded = timeline.size(), .budget = room + 1, .n_next = 1, .unit = unit});
  }
};

}  // namespace zoomr
