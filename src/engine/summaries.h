// Who writes a thought's summary, and the part of it that the engine plays.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/policy.h"
#include "core/segmenter.h"
#include "core/timeline.h"
#include "engine/vocabulary.h"
#include "zoomr/types.h"
#include "zoomr/zoomr.h"

namespace zoomr {

enum class SummaryMode : std::uint8_t {
  none,      // a thought's own keys are its index
  native,    // the model was trained to write the delimiters
  prompted,  // a system text asks for them
  injected,  // the engine opens one behind each thought; the model writes it
};
[[nodiscard]] std::string_view to_string(SummaryMode mode);
// Throws Error(bad_input) with the list.
[[nodiscard]] SummaryMode parse_summary_mode(std::string_view name);

// The system text of `prompted`.
[[nodiscard]] std::string summary_request(const Delimiters& delimiters);
// A run's system text: with that request where its options say `prompted`.
[[nodiscard]] std::string with_summary_request(std::string system, const RunOptions& options);

// In mode `injected`: decides when the delimiters are appended. In the others it does nothing.
class SummaryWriter {
 public:
  static constexpr int kMostTokens = 48;    // sampled tokens of one summary
  static constexpr int kLeastThought = 48;  // tokens; a shorter thought is no longer than a summary

  SummaryWriter(SummaryMode mode, const Delimiters& delimiters, const Vocabulary& vocabulary);

  // The last thing in the timeline is a closed thought: does a summary open here?
  [[nodiscard]] bool opens(const Timeline& timeline) const;
  [[nodiscard]] const std::vector<Token>& opening() const { return opening_; }
  [[nodiscard]] const std::vector<Token>& closing() const { return closing_; }
  // A token was sampled: is the summary that it belongs to long enough, so that closing() is due?
  // `ends` says that the model wanted to stop here.
  [[nodiscard]] bool closes(SegmentKind kind, bool ends);
  // The longest a summary can get, delimiters included: the segmenter's summary_max.
  [[nodiscard]] int longest() const;

 private:
  SummaryMode mode_;
  std::vector<Token> opening_;
  std::vector<Token> closing_;
  int n_written_ = 0;
};

}  // namespace zoomr
