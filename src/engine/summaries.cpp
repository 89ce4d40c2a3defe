#include "engine/summaries.h"

#include "zoomr/error.h"

namespace zoomr {

std::string_view to_string(SummaryMode mode) {
  switch (mode) {
    case SummaryMode::none:
      return "none";
    case SummaryMode::native:
      return "native";
    case SummaryMode::prompted:
      return "prompted";
    case SummaryMode::injected:
      return "injected";
  }
  return "?";
}

SummaryMode parse_summary_mode(std::string_view name) {
  for (const SummaryMode mode :
       {SummaryMode::none, SummaryMode::native, SummaryMode::prompted, SummaryMode::injected}) {
    if (to_string(mode) == name) return mode;
  }
  throw Error(ErrorCode::bad_input, "unknown summaries mode '" + std::string(name) +
                                        "': none, native, prompted or injected");
}

std::string summary_request(const Delimiters& delimiters) {
  return "Work in short paragraphs. After each paragraph write one sentence that keeps its "
         "results, "
         "between " +
         delimiters.summary_begin + " and " + delimiters.summary_end + ".";
}

std::string with_summary_request(std::string system, const RunOptions& options) {
  if (options.summaries != "prompted") return system;
  const Delimiters delimiters{.think_begin = {},
                              .think_ends = {},
                              .summary_begin = options.summary_begin,
                              .summary_end = options.summary_end};
  return system + (system.empty() ? "" : "\n") + summary_request(delimiters);
}

SummaryWriter::SummaryWriter(SummaryMode mode, const Delimiters& delimiters,
                             const Vocabulary& vocabulary)
    : mode_(mode) {
  if (mode_ != SummaryMode::injected) return;
  opening_ = vocabulary.tokenize(delimiters.summary_begin, false, true);
  closing_ = vocabulary.tokenize(delimiters.summary_end, false, true);
}

bool SummaryWriter::opens(const Timeline& timeline) const {
  if (mode_ != SummaryMode::injected || timeline.segments().empty()) return false;
  const Segment& last = timeline.segments().back();
  return last.closed && last.kind == SegmentKind::thought && last.span.end == timeline.size() &&
         last.span.size() >= kLeastThought;
}

bool SummaryWriter::closes(SegmentKind kind, bool ends) {
  if (mode_ != SummaryMode::injected) return false;
  if (kind != SegmentKind::summary) {
    n_written_ = 0;
    return false;
  }
  return ends || ++n_written_ > kMostTokens;
}

int SummaryWriter::longest() const {
  return kMostTokens + static_cast<int>(opening_.size() + closing_.size());
}

}  // namespace zoomr
