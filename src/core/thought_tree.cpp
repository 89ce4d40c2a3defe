#include "core/thought_tree.h"

#include <algorithm>
#include <cstdio>

#include "core/columns.h"

namespace zoomr {

namespace {

constexpr int kBarWidth = 10;

struct Shares {
  Pos resident = 0;
  Pos stored = 0;
  Pos dropped = 0;
  Pos waiting = 0;  // not decoded yet
  [[nodiscard]] Pos all() const { return resident + stored + dropped + waiting; }
};

Shares shares_of(const Replay& replay, Span span) {
  Shares s;
  const Residency& now = replay.residency();
  s.resident = now.resident.intersection(SpanSet{span}).size();
  s.stored = now.stored.intersection(SpanSet{span}).size();
  s.waiting = std::max(0, span.end - std::max(span.begin, replay.decoded()));
  s.dropped = span.size() - s.resident - s.stored - s.waiting;
  return s;
}

// A bar of resident, stored and dropped parts, each at least one column when it is there at all.
std::string bar(const Shares& s, const TreeStyle& style) {
  const auto columns = [&s](Pos part) {
    return part == 0 ? 0 : std::max(1, static_cast<int>(part * kBarWidth / std::max(1, s.all())));
  };
  const int dropped = columns(s.dropped);
  const int stored = columns(s.stored);
  const int resident = std::max(0, kBarWidth - dropped - stored);
  const auto repeat = [](const char* text, int n) {
    std::string result;
    for (int i = 0; i < n; ++i) result += text;
    return result;
  };
  const std::string full =
      repeat(style.ascii ? "#" : "\u2588", s.resident + s.waiting > 0 ? resident : 0);
  std::string rest = repeat(style.ascii ? "." : "\u2591", stored + (full.empty() ? resident : 0));
  std::string gone = repeat(style.ascii ? " " : "\u00b7", dropped);
  if (s.stored == 0 && full.empty()) {
    rest.clear();
    gone = repeat(style.ascii ? " " : "\u00b7", kBarWidth);
  }
  if (!style.color) return full + rest + gone;
  return "\x1b[32m" + full + "\x1b[33m" + rest + "\x1b[31m" + gone + "\x1b[0m";
}

const char* state_word(const Shares& s) {
  if (s.resident + s.waiting == s.all()) return "resident";
  if (s.stored == s.all()) return "folded";
  if (s.dropped == s.all()) return "dropped";
  return "in part";
}

std::string row_text(const std::string& head, const std::string& tail, const Shares& s,
                     const std::string& quoted, const TreeStyle& style) {
  char numbers[32];
  std::snprintf(numbers, sizeof numbers, "%5d/%-5d", s.resident + s.waiting, s.all());
  const std::string left =
      head + std::string(static_cast<std::size_t>(std::max(0, 13 - columns_of(head))), ' ') + tail +
      std::string(static_cast<std::size_t>(std::max(0, 13 - columns_of(tail))), ' ');
  std::string state = state_word(s);
  state.resize(8, ' ');
  const int used = columns_of(left) + kBarWidth + 1 + 11 + 1 + 8 + 2;
  return left + bar(s, style) + " " + numbers + " " + state + "  " +
         shorten(quoted, std::max(8, style.width - used));
}

std::string span_text(Span span) {
  return "[" + std::to_string(span.begin) + "," + std::to_string(span.end) + ")";
}

// A thought is told by its summary, all else by its beginning.
std::string quote(const Replay& replay, const Segment& segment) {
  if (segment.kind == SegmentKind::thought && segment.partner >= 0) {
    const Segment& summary = replay.segments()[static_cast<std::size_t>(segment.partner)];
    return one_line(replay.text(summary.span));
  }
  return one_line(replay.text(segment.span));
}

}  // namespace

std::vector<std::string> thought_tree(const Replay& replay, const TreeStyle& style) {
  std::vector<std::string> rows;
  int n_thoughts = 0;
  const auto& segments = replay.segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const Shares s = shares_of(replay, segment.span);
    const bool folded = s.resident + s.waiting == 0;
    const char* mark = style.ascii ? (folded ? "+ " : "- ") : (folded ? "\u25b8 " : "\u25be ");
    std::string head = std::string(mark) + std::string(to_string(segment.kind));
    if (segment.kind == SegmentKind::thought) head += " " + std::to_string(++n_thoughts);
    rows.push_back(row_text(head, span_text(segment.span), s, quote(replay, segment), style));
    if (!style.lines || segment.pinned) continue;
    for (const Line& line : replay.lines()) {
      if (line.segment != static_cast<int>(i)) continue;
      rows.push_back(row_text(style.ascii ? "  |" : "  \u2502", span_text(line.span),
                              shares_of(replay, line.span), one_line(replay.text(line.span)),
                              style));
    }
  }
  return rows;
}

}  // namespace zoomr
