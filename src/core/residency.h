// Which positions are resident, stored or dropped, and how one state becomes the next: plan -> diff
// -> edit.
//
// The residency is the truth about a sequence's KV: libllama is never asked what is resident. Pure
// value types.
#pragma once

#include <string>
#include <vector>

#include "core/span_set.h"
#include "core/timeline.h"
#include "zoomr/types.h"

namespace zoomr {

// The smallest span that a policy moves or drops.
enum class Unit : std::uint8_t { token, line, thought };

struct Residency {
  SpanSet resident;  // decoded, their KV is in the context
  SpanSet stored;    // their KV is in the store only; disjoint from resident
  // What is decoded and in neither was dropped for good.

  bool operator==(const Residency&) const = default;
};

// What a policy wants to hold after this step. What is in neither set is dropped for good.
struct Plan {
  SpanSet resident;
  SpanSet stored;
  // The second look: the newest tokens, from here on, were decoded without what comes back now, and
  // are decoded again behind it. < 0: as they are.
  Pos again_from = -1;
  // Unless the model gives its next token at least this probability: then what comes back hardly
  // changes it.
  float unless_sure = 2;
};

// Spans in the order they are applied: drops and outs make the room that ins need.
struct Edit {
  std::vector<Span> drop;  // resident or stored -> gone
  std::vector<Span> out;   // resident -> stored, a closed line each
  std::vector<Span> in;    // stored -> resident, a closed line each

  [[nodiscard]] bool empty() const { return drop.empty() && out.empty() && in.empty(); }
};

// The edit that turns `now` into `plan`. Spans that move are cut at lines, since a line is what the
// store keeps. A plan may not ask back what was dropped: such positions are ignored here and
// reported by broken_invariant().
[[nodiscard]] Edit diff(const Residency& now, const Plan& plan, const Timeline& timeline);

struct Limits {
  Pos decoded = 0;         // positions [0, decoded) have KV somewhere or were dropped
  Pos budget = 0;          // most resident tokens, those of the next decode included
  Pos n_next = 0;          // tokens of the next decode
  Unit unit = Unit::line;  // the policy's
};

// The first broken invariant in words, or "" when all hold: newest position resident; |resident| +
// n_next <= budget; resident and stored disjoint and inside [0, decoded); stored spans made of
// whole closed lines; boundaries of what left aligned to the unit; pinned segments resident.
[[nodiscard]] std::string broken_invariant(const Residency& state, const Timeline& timeline,
                                           const Limits& limits);

}  // namespace zoomr
