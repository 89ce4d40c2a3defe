// What a person watches while a model thinks: lines stream in, folded ones shrink to one row, one
// that comes back unfolds in its place, and a status row tells what memory holds.
//
// LiveText is the picture as data: it hears the run's events and gives rows, so tests read it
// without a terminal. TerminalView paints the rows in place and throttles. PlainText just prints
// the text: what a pipe gets.
#pragma once

#include <chrono>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "core/trace.h"
#include "zoomr/types.h"

namespace zoomr {

class LiveText final : public TraceSink {
 public:
  explicit LiveText(bool show_summaries) : show_summaries_(show_summaries) {}
  void write(const TraceEvent& event) override;

  // The thinking so far in rows of at most `width` columns, at most `height` of them: the newest.
  [[nodiscard]] std::vector<std::string> rows(int width, int height, bool color) const;
  // "resident 181/256 · zooms 4 in, 31 out · missed 3 % · 912 tokens · 11.2 tokens/s"
  [[nodiscard]] std::string status(double tokens_per_second) const;
  [[nodiscard]] int n_generated() const { return n_generated_; }

 private:
  struct TextLine {
    Span span;
    std::string text;
    SegmentKind kind = SegmentKind::thought;
    bool closed = false;
    bool folded = false;
    bool dropped = false;
    bool came_back = false;
  };
  void add_token(const TokenEvent& token);
  void close_line(Span span);
  void mark(const EditEvent& edit);
  [[nodiscard]] bool hidden(const TextLine& line) const;
  [[nodiscard]] std::string folded_row(std::size_t first, std::size_t last, int width) const;

  bool show_summaries_;
  bool injected_ = false;
  Pos budget_ = 0;
  Pos resident_ = 0;
  int n_generated_ = 0;
  int zoom_ins_ = 0;
  int zoom_outs_ = 0;
  int drops_ = 0;
  double missed_ = -1;               // missed mass, a running mean over some 20 tokens; < 0: none
  double missed_before_ = -1;        // without the newest decode
  std::vector<std::string> pieces_;  // by position, the prompt's empty
  std::vector<SegmentKind> kinds_;   // by position
  std::vector<TextLine> lines_;      // tile the timeline; the last may be open
};

class TerminalView final : public TraceSink {
 public:
  TerminalView(std::ostream& out, bool show_summaries);
  void write(const TraceEvent& event) override;
  // Takes the live rows away; the caller prints the text that stays.
  void close();

 private:
  void paint();

  std::ostream& out_;
  LiveText text_;
  int painted_rows_ = 0;
  std::chrono::steady_clock::time_point last_paint_;
  std::chrono::steady_clock::time_point start_;
  bool started_ = false;
};

class PlainText final : public TraceSink {
 public:
  PlainText(std::ostream& out, bool show_summaries) : out_(out), show_summaries_(show_summaries) {}
  void write(const TraceEvent& event) override;

 private:
  std::ostream& out_;
  bool show_summaries_;
  bool injected_ = false;
};

// Columns and rows of the terminal behind stdout; 80 x 24 when there is none.
struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
[[nodiscard]] TerminalSize terminal_size();

}  // namespace zoomr
