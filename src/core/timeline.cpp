#include "core/timeline.h"

#include <algorithm>

#include "core/check.h"

namespace zoomr {

std::string_view to_string(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::prompt:
      return "prompt";
    case SegmentKind::thought:
      return "thought";
    case SegmentKind::summary:
      return "summary";
    case SegmentKind::answer:
      return "answer";
  }
  return "?";
}

Span Timeline::open_line() const { return {lines_.empty() ? 0 : lines_.back().span.end, size()}; }

std::optional<int> Timeline::line_at(Pos pos) const {
  const auto it =
      std::upper_bound(lines_.begin(), lines_.end(), pos,
                       [](Pos value, const Line& line) { return value < line.span.end; });
  if (pos < 0 || it == lines_.end()) return std::nullopt;
  return static_cast<int>(it - lines_.begin());
}

void Timeline::append(Token token) {
  check(!segments_.empty() && !segments_.back().closed, "a token needs an open segment");
  tokens_.push_back(token);
  segments_.back().span.end = size();
}

void Timeline::open_segment(SegmentKind kind, bool pinned) {
  check(segments_.empty() || segments_.back().closed,
        "a segment opens when the one before it is closed");
  const Pos begin = segments_.empty() ? 0 : segments_.back().span.end;
  segments_.push_back({.kind = kind, .span = {begin, size()}, .pinned = pinned});
}

void Timeline::close_line(Pos end) {
  const Span open = open_line();
  check(open.begin < end && end <= open.end, "a line closes inside the open line");
  lines_.push_back({{open.begin, end}, static_cast<int>(segments_.size()) - 1});
}

void Timeline::close_segment(Pos end) {
  check(!segments_.empty() && !segments_.back().closed, "a segment to close is open");
  check(end <= size() && end > segments_.back().span.begin, "a segment closes behind its begin");
  if (open_line().begin < end) close_line(end);
  check(open_line().begin == end, "a segment closes at a line's end");
  segments_.back().span.end = end;
  segments_.back().closed = true;
}

void Timeline::retype_open(SegmentKind kind, bool pinned) {
  check(!segments_.empty() && !segments_.back().closed, "a segment to retype is open");
  segments_.back().kind = kind;
  segments_.back().pinned = pinned;
}

void Timeline::pair(int thought, int summary) {
  check(segments_.at(thought).kind == SegmentKind::thought, "only a thought has a summary");
  check(segments_.at(summary).kind == SegmentKind::summary, "a thought's partner is a summary");
  segments_[thought].partner = summary;
  segments_[summary].partner = thought;
}

void Timeline::pin(int segment, bool pinned) {
  check(segments_.at(segment).closed, "what is pinned or not between two turns is closed");
  segments_[segment].pinned = pinned;
}

void Timeline::truncate(Pos end) {
  check(open_line().empty() && (segments_.empty() || segments_.back().closed),
        "a timeline is cut when all is closed");
  while (!lines_.empty() && lines_.back().span.end > end) lines_.pop_back();
  check(open_line().begin == end, "a timeline is cut at a line's end");
  tokens_.resize(static_cast<std::size_t>(end));
  while (!segments_.empty() && segments_.back().span.begin >= end) segments_.pop_back();
  if (segments_.empty()) return;
  Segment& last = segments_.back();
  const bool shorter = last.span.end > end;
  last.span.end = end;
  // A summary that is gone, or of which a part is, sums nothing up; nor does one of a part.
  if (shorter && last.kind == SegmentKind::summary && last.partner >= 0) {
    segments_[last.partner].partner = -1;
    last.partner = -1;
  }
  if (last.partner >= static_cast<int>(segments_.size())) last.partner = -1;
}

}  // namespace zoomr
