#include "core/policies/fill.h"

#include <algorithm>
#include <vector>

namespace zoomr {

SpanSet pinned_tokens(const View& view) {
  SpanSet pinned;
  for (const Segment& segment : view.timeline.segments()) {
    if (segment.pinned)
      pinned.insert({segment.span.begin, std::min(segment.span.end, view.decoded)});
  }
  return pinned;
}

Span newest_line(const View& view) {
  const Pos newest = view.decoded - 1;
  const auto line = view.timeline.line_at(newest);
  const Span span = line ? view.timeline.lines()[static_cast<std::size_t>(*line)].span
                         : view.timeline.open_line();
  return {span.begin, std::min(span.end, view.decoded)};
}

bool is_movable(const View& view, const Line& line) {
  return line.span.end <= view.decoded && !view.timeline.segment_of(line).pinned;
}

Filler::Filler(const View& view) : view_(view), resident_(pinned_tokens(view)) {
  if (view.decoded > 0) resident_.insert(newest_line(view));
}

bool Filler::try_add(Span span) {
  span.end = std::min(span.end, view_.decoded);
  if (span.empty() || resident_.covers(span)) return true;
  const bool held = view_.residency.resident.covers(span) || view_.residency.stored.covers(span);
  if (!held) return false;
  const SpanSet more = SpanSet{span}.minus(resident_);
  if (more.size() > room_left()) return false;
  resident_.insert(span);
  return true;
}

void Filler::add_lines_backwards(Span span) {
  const auto lines = view_.timeline.lines();
  for (std::size_t i = lines.size(); i > 0 && lines[i - 1].span.end > span.begin; --i) {
    if (lines[i - 1].span.begin >= span.end || lines[i - 1].span.end > view_.decoded) continue;
    if (!try_add(lines[i - 1].span)) return;
  }
}

void Filler::add_lines_by(std::span<const float> rank, float least) {
  const auto lines = view_.timeline.lines();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < std::min(rank.size(), lines.size()); ++i) {
    if (rank[i] >= least && is_movable(view_, lines[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&rank](std::size_t a, std::size_t b) { return rank[a] > rank[b]; });
  for (const std::size_t i : order) {
    if (room_left() <= 0) return;
    try_add(lines[i].span);
  }
}

void Filler::keep_recent_lines() {
  const auto lines = view_.timeline.lines();
  for (std::size_t i = lines.size(); i > 0 && room_left() > 0; --i) {
    if (view_.residency.resident.covers(lines[i - 1].span)) try_add(lines[i - 1].span);
  }
}

Plan Filler::rest_stored() && {
  SpanSet held = view_.residency.resident;
  held.insert(view_.residency.stored);
  Plan plan{std::move(resident_), {}};
  plan.stored = held.minus(plan.resident);
  return plan;
}

Plan Filler::rest_dropped() && { return {std::move(resident_), {}}; }

}  // namespace zoomr
