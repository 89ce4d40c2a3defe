// What a run is measured by. Times are of decoding and all that the step does around it, without
// loading and without reading the prompt.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/trace.h"
#include "zoomr/types.h"

namespace zoomr {

struct Stats {
  Pos peak_resident = 0;    // tokens, those being decoded included
  double resident_sum = 0;  // over the decodes of generated tokens
  int n_decodes = 0;        // of generated tokens
  int n_generated = 0;      // summaries included
  int n_summary = 0;        // generated tokens inside summaries
  int zoom_ins = 0;         // lines
  int zoom_outs = 0;        // lines
  int second_looks = 0;     // tokens that were decoded again
  int failed_moves = 0;
  std::size_t bytes_moved = 0;
  double move_us = 0;           // microseconds of moves
  double agreeability_sum = 0;  // over votes
  int n_votes = 0;
  int n_prompt_decoded = 0;
  double prompt_seconds = 0;
  // Missed mass (DecodeEvent::missed) after each decode of generated tokens; of a token that was
  // decoded again the second. Empty: not measured.
  std::vector<float> missed;
  std::vector<float> missed_of_line;  // [lines] summed over the tokens
  std::vector<double> token_seconds;  // per generated token, the time since the one before

  void count(const EditEvent& edit);
  void count_decode(Pos resident, Pos n_tokens, double seconds, bool generated);
  void count_vote(double agreeability);
  // of_line: [lines] what each line that is not resident was missed by.
  void count_missed(std::span<const float> of_line);

  [[nodiscard]] double mean_resident() const;
  [[nodiscard]] double missed_mean() const;  // -1: not measured
  [[nodiscard]] double missed_p95() const;   // -1: not measured
  // The lines of the timeline that were missed most, at most n, none that were not.
  [[nodiscard]] std::vector<std::size_t> most_missed(std::size_t n) const;
  [[nodiscard]] double agreeability() const;  // mean over votes, 0 when there were none
  // Over all generated tokens, and over the last quarter of them; 0 when there are none.
  [[nodiscard]] double tokens_per_second() const;
  [[nodiscard]] double tokens_per_second_last_quarter() const;
  [[nodiscard]] double rate_of_last(int n_tokens) const;  // tokens/s; 0 when there are fewer
  [[nodiscard]] double prompt_tokens_per_second() const;

 private:
  std::vector<float> last_missed_;  // [lines] of the newest token, which may be decoded again
};

}  // namespace zoomr
