// A run, or a conversation of several turns, rebuilt from its trace, without a model: its timeline,
// its residency, and whether the log is true. Pure; one owner. Positions and sizes in tokens.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "core/residency.h"
#include "core/timeline.h"
#include "core/trace.h"
#include "zoomr/types.h"

namespace zoomr {

class Replay {
 public:
  struct Counts {   // of the turn that goes on, or ended last
    int edits = 0;  // that were applied
    int failed_edits = 0;
    int zoom_ins = 0;
    int zoom_outs = 0;
    int second_looks = 0;  // tokens that were decoded again
    int votes = 0;
    int n_prompt = 0;  // what an earlier turn left included
    int n_generated = 0;
    Pos peak_resident = 0;  // right after a decode
    std::size_t bytes_moved = 0;
  };

  // Takes the next event. Throws Error(bad_input) when the first one is no run, and Error(failed)
  // with what is wrong: an event out of order, an edit that was not possible, a broken invariant of
  // residency, a final record that is not this run's. After a throw the state is as far as it got.
  void apply(const TraceEvent& event);

  [[nodiscard]] const RunEvent& run() const { return run_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  [[nodiscard]] std::span<const Segment> segments() const { return timeline_.segments(); }
  [[nodiscard]] std::span<const Line> lines() const { return timeline_.lines(); }  // closed ones
  [[nodiscard]] const Residency& residency() const { return residency_; }
  [[nodiscard]] SpanSet dropped() const;  // decoded, but neither resident nor stored
  [[nodiscard]] Pos decoded() const { return decoded_; }
  [[nodiscard]] Pos size() const { return timeline_.size(); }
  [[nodiscard]] std::string text(Span span) const;  // pieces joined; may not be valid UTF-8
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  // The final record, of the last turn, was seen, and true.
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] int n_turns() const { return n_turns_; }
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
  void on(const TurnEvent& event);
  void close_lines(Pos end);
  void check_invariants(Pos n_next) const;
  [[nodiscard]] Pos budget() const;
  [[nodiscard]] bool hides(SegmentKind kind) const;

  bool started_ = false;
  bool ended_ = false;  // the turn is; another one may follow
  bool complete_ = false;
  int n_turns_ = 0;
  RunEvent run_;
  bool hides_summaries_ = false;  // the engine asked for them: they are no part of the text
  Timeline timeline_;
  std::deque<Span> closed_;  // lines that closed, but are not in the timeline yet: of which segment
                             // they are is known when a segment, or anything else, follows
  std::vector<std::string> pieces_;  // [size()]
  std::vector<SegmentKind> kinds_;   // [size()] as logged
  Residency residency_;
  Pos decoded_ = 0;
  std::string text_;  // what the text's hash is of: the turn's
  std::vector<std::string> notes_;
  Counts counts_;
};

}  // namespace zoomr
