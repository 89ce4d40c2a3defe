// A run rebuilt from its trace, without a model: timeline, residency, and whether the log is true.
// Pure; one owner.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/residency.h"
#include "core/timeline.h"
#include "core/trace.h"
#include "zoomr/types.h"

namespace zoomr {

class Replay {
 public:
  // Takes the next event. Throws Error(failed) with what is wrong: an edit that was not possible, a
  // broken invariant, a final record that is not the run's.
  void apply(const TraceEvent& event);

  [[nodiscard]] const RunEvent& run() const { return run_; }
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }  // closed ones,
  // and the open one if it has tokens
  [[nodiscard]] const std::vector<Line>& lines() const { return lines_; }
  [[nodiscard]] const Residency& residency() const { return residency_; }
  [[nodiscard]] Pos decoded() const { return decoded_; }
  [[nodiscard]] Pos size() const { return static_cast<Pos>(pieces_.size()); }
  [[nodiscard]] std::string text(Span span) const;  // pieces joined
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] bool complete() const { return complete_; }  // the final record was seen

  struct Counts {
    int edits = 0;
    int failed_edits = 0;
    int votes = 0;
    Pos peak_resident = 0;
    std::size_t bytes_moved = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  void on(const RunEvent& event);
  void on(const TokenEvent& event);
  void on(const LineEvent& event);
  void on(const SegmentEvent& event);
  void on(const DecodeEvent& event);
  void on(const VoteEvent& event);
  void on(const EditEvent& event);
  void on(const NoteEvent& event);
  void on(const FinalEvent& event);
  void check_invariants() const;

  bool started_ = false;
  bool complete_ = false;
  RunEvent run_;
  std::vector<std::string> pieces_;
  std::vector<Segment> segments_;
  std::vector<Line> lines_;
  Residency residency_;
  Pos decoded_ = 0;
  std::string text_;
  std::vector<std::string> notes_;
  Counts counts_;
};

}  // namespace zoomr
