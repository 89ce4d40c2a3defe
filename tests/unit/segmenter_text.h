// Text for the segmenter's tests, cut into tokens and back.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/segmenter.h"

namespace zoomr {

using Pieces = std::vector<std::string>;

struct Cut {
  Timeline timeline;
  DelimiterFaults faults;
  Pieces pieces;
  std::vector<Boundary> boundaries;

  [[nodiscard]] std::string text(Span span) const {
    std::string text;
    for (Pos pos = span.begin; pos < span.end; ++pos) text += pieces[static_cast<std::size_t>(pos)];
    return text;
  }
  [[nodiscard]] Pieces lines() const {
    Pieces result;
    for (const Line& line : timeline.lines()) result.push_back(text(line.span));
    return result;
  }
  [[nodiscard]] Pieces segments() const {
    Pieces result;
    for (const Segment& s : timeline.segments()) {
      result.push_back(std::string(to_string(s.kind)) + ":" + text(s.span));
    }
    return result;
  }
};

// Bounds so small that a test's words reach them.
inline SegmenterOptions small() {
  return {.line_min = 2, .line_max = 8, .thought_max = 100, .summary_max = 20};
}

inline Cut cut(const Pieces& pieces, const SegmenterOptions& options, bool finish = true) {
  Cut result{.pieces = pieces};
  Segmenter segmenter(options);
  segmenter.end_prompt(result.timeline);
  Token token = 0;
  for (const std::string& piece : pieces) {
    result.boundaries.push_back(segmenter.push(result.timeline, token++, piece));
  }
  if (finish) segmenter.finish(result.timeline);
  result.faults = segmenter.faults();
  return result;
}

inline SegmenterOptions with_summaries() {
  SegmenterOptions options = small();
  options.delimiters = {.summary_begin = "<s>", .summary_end = "</s>"};
  return options;
}

inline SegmenterOptions with_thinking() {
  SegmenterOptions options = small();
  options.delimiters.think_begin = "<think>";
  options.delimiters.think_ends = {"</think>"};
  return options;
}

}  // namespace zoomr
