#include "core/residency.h"

#include <algorithm>

namespace zoomr {

namespace {

// Cuts spans at line boundaries; parts that lie in no closed line stay whole.
std::vector<Span> by_line(const SpanSet& set, const Timeline& timeline) {
  std::vector<Span> parts;
  for (Span span : set.spans()) {
    while (!span.empty()) {
      const auto line = timeline.line_at(span.begin);
      const Pos end = line ? timeline.lines()[static_cast<std::size_t>(*line)].span.end : span.end;
      parts.push_back({span.begin, std::min(end, span.end)});
      span.begin = parts.back().end;
    }
  }
  return parts;
}

}  // namespace

Edit diff(const Residency& now, const Plan& plan, const Timeline& timeline) {
  SpanSet held = now.resident;
  held.insert(now.stored);
  SpanSet wanted = plan.resident;
  wanted.insert(plan.stored);
  Edit edit;
  edit.drop = held.minus(wanted).spans();
  edit.out = by_line(now.resident.intersection(plan.stored).minus(plan.resident), timeline);
  edit.in = by_line(now.stored.intersection(plan.resident), timeline);
  return edit;
}

std::string broken_invariant(const Residency& state, const Timeline& timeline,
                             const Limits& limits) {
  const SpanSet decoded{{0, limits.decoded}};
  if (limits.decoded > 0 && !state.resident.contains(limits.decoded - 1)) {
    return "the newest position " + std::to_string(limits.decoded - 1) + " is not resident";
  }
  if (state.resident.size() + limits.n_next > limits.budget) {
    return std::to_string(state.resident.size()) + " resident tokens and " +
           std::to_string(limits.n_next) + " to be decoded exceed the budget of " +
           std::to_string(limits.budget);
  }
  if (!state.resident.intersection(state.stored).empty()) {
    return "both resident and stored: " + state.resident.intersection(state.stored).to_string();
  }
  SpanSet held = state.resident;
  held.insert(state.stored);
  if (!held.minus(decoded).empty()) {
    return "held but not decoded: " + held.minus(decoded).to_string();
  }
  for (const Line& line : timeline.lines()) {
    const bool overlaps = state.stored.overlaps(line.span);
    if (overlaps && !state.stored.covers(line.span)) {
      return "a part of the line " + to_string(line.span) + " is stored";
    }
    if (limits.unit == Unit::token || line.span.end > limits.decoded) continue;
    if (state.resident.overlaps(line.span) && !state.resident.covers(line.span)) {
      return "a part of the line " + to_string(line.span) + " is resident";
    }
  }
  if (state.stored.overlaps(timeline.open_line())) return "a part of the open line is stored";
  for (const Segment& segment : timeline.segments()) {
    const Span span{segment.span.begin, std::min(segment.span.end, limits.decoded)};
    if (segment.pinned && !state.resident.covers(span)) return "a pinned segment is not resident";
  }
  return "";
}

}  // namespace zoomr
