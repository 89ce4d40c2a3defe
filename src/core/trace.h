// The trace: the log of one run, one JSON object a line (docs/trace.md, with its schema). It holds
// every token, every boundary, every vote and every edit that was really applied, so residency can
// be rebuilt without a model. Pure: the writer and the readers of files live elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/segmenter.h"
#include "core/thought_index.h"
#include "core/timeline.h"
#include "zoomr/types.h"

namespace zoomr {

inline constexpr int kTraceVersion = 2;  // 1 had no turns

struct RunEvent {     // first line of a trace
  std::string zoomr;  // version
  std::string llama;  // llama.cpp's version
  std::string model;  // description, e.g. "llama 135M Q4_1"
  std::string policy;
  Pos budget = 0;  // tokens; 0: unbounded
  Unit unit = Unit::line;
  int n_ctx = 0;
  nlohmann::ordered_json options;  // every option by its flag's name
};
struct TokenEvent {
  Pos pos = 0;
  Token id = 0;
  std::string piece;                        // bytes; may not be valid UTF-8 on its own
  SegmentKind kind = SegmentKind::thought;  // of the segment it was appended to
  bool forced = false;                      // appended by the engine, not sampled
};
struct LineEvent {  // a line closed
  Span span;
};
struct SegmentEvent {  // a segment closed
  int index = 0;
  SegmentKind kind = SegmentKind::thought;
  Span span;
  bool pinned = false;
  int partner = -1;  // of a summary: its thought's index
};
struct DecodeEvent {  // [span.begin, span.end) were decoded and are resident now
  Span span;
  double ms = 0;
  // Share of the value heads' attention, at the newest of them, on lines that were not resident:
  // the missed mass, 0..1. < 0: not measured.
  double missed = -1;
};
struct VoteEvent {
  VoteResult result;
};
// again: resident -> not decoded; the next decode brings these newest tokens back.
enum class EditKind : std::uint8_t { drop, out, in, compact, again };
struct EditEvent {
  EditKind kind = EditKind::drop;
  Span span;
  std::size_t bytes = 0;  // moved: 0 for drops and for an out whose blob was already stored
  double us = 0;          // microseconds
  bool ok = true;         // false: it failed and changed nothing; `why` says how
  std::string why;
};
struct NoteEvent {  // anything else worth knowing: a delimiter fault, a warning
  Pos at = 0;
  std::string text;
};
struct FinalEvent {  // last line, of a run or of a turn; the same record that run --json prints
  nlohmann::ordered_json record;
};
struct TurnEvent {  // behind a final record: the session goes on
  Pos at = 0;       // its first tokens that are kept; what was behind them is forgotten
  // First tokens that stay pinned: of what is kept the segments that end at it or before stay as
  // they are, no other is pinned any more.
  Pos pinned = 0;
  Pos budget = 0;                  // tokens, from now on; 0: unbounded
  nlohmann::ordered_json options;  // of sampling, by their flags' names
};

using TraceEvent = std::variant<RunEvent, TokenEvent, LineEvent, SegmentEvent, DecodeEvent,
                                VoteEvent, EditEvent, NoteEvent, FinalEvent, TurnEvent>;

// Whoever watches a run: the trace file, the terminal, a test.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void write(const TraceEvent& event) = 0;
};

// One line of JSON without its newline; always valid UTF-8 (a piece that is not is written as hex
// bytes).
[[nodiscard]] std::string to_json_line(const TraceEvent& event);
// Throws Error(bad_input) with what is wrong.
[[nodiscard]] TraceEvent from_json_line(std::string_view line);

}  // namespace zoomr
