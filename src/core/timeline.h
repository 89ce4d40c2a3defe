// The timeline: every token of one sequence, cut into segments and, inside them, into lines.
//
// Segments tile the timeline: prompt, then thoughts, summaries and answers in the order they were
// written. Lines tile it too; a line never crosses a segment. All lines but the last are closed,
// and a closed line never changes again: it is the smallest span that is zoomed. Pure; one owner
// (the session). Only the Segmenter edits it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

enum class SegmentKind : std::uint8_t { prompt, thought, summary, answer };
[[nodiscard]] std::string_view to_string(SegmentKind kind);

struct Segment {
  SegmentKind kind = SegmentKind::thought;
  Span span;  // end grows while the segment is open
  bool closed = false;
  bool pinned = false;  // every policy keeps it resident
  int partner = -1;     // of a thought: the segment index of its summary; of a summary: that of its
                        // thought; else -1
};

struct Line {
  Span span;
  int segment = 0;  // index into segments()
};

class Timeline {
 public:
  [[nodiscard]] Pos size() const { return static_cast<Pos>(tokens_.size()); }
  [[nodiscard]] std::span<const Token> tokens() const { return tokens_; }
  [[nodiscard]] std::span<const Segment> segments() const { return segments_; }
  [[nodiscard]] std::span<const Line> lines() const { return lines_; }  // closed lines, ascending

  // The tokens behind the last closed line; empty when everything is closed.
  [[nodiscard]] Span open_line() const;
  // Index into lines() of the closed line that holds pos; nullopt when pos is in the open line or
  // beyond the end.
  [[nodiscard]] std::optional<int> line_at(Pos pos) const;
  [[nodiscard]] const Segment& segment_of(const Line& line) const {
    return segments_[line.segment];
  }

  // Edits, in the order that keeps the tiling. REQUIRES: as commented; broken ones throw
  // Error(bug).
  void append(Token token);                          // REQUIRES: an open segment
  void open_segment(SegmentKind kind, bool pinned);  // REQUIRES: the last segment is closed
  void close_line(Pos end);                          // REQUIRES: open_line().begin < end <= size()
  void close_segment(Pos end);  // closes the open line at end too; later tokens: reopened by
                                // open_segment, which takes everything behind end
  // REQUIRES: the last segment is open.
  void retype_open(SegmentKind kind, bool pinned = false);
  void pair(int thought, int summary);  // REQUIRES: a thought and a summary
  void pin(int segment, bool pinned);   // REQUIRES: it is closed
  // Forgets all tokens from `end` on. REQUIRES: 0 or the end of a line, and all is closed.
  void truncate(Pos end);

 private:
  std::vector<Token> tokens_;
  std::vector<Segment> segments_;
  std::vector<Line> lines_;
};

}  // namespace zoomr
