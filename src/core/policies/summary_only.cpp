// summary-only: a thought's summary replaces it.
//
//   Paper     SumR, the variant of ZoomR (arXiv 2604.10898) that never zooms in
//   Settings  sink, window; needs summaries
//   Unit      line
//   Lost      a thought's details once its summary is written; when the room is short beyond that,
//             the oldest lines, summaries last
#include <algorithm>

#include "core/policies/fill.h"
#include "core/policies/policies.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

class SummaryOnly final : public Policy {
 public:
  explicit SummaryOnly(const PolicySettings& settings)
      : sink_(settings.sink), window_(settings.window) {}
  [[nodiscard]] Unit unit() const override { return Unit::line; }
  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {}; }

  [[nodiscard]] Plan plan(const View& view) const override {
    Filler filler(view);
    filler.add_lines_backwards({std::max(0, view.decoded - window_), view.decoded});
    filler.add_lines_backwards({0, sink_});
    const auto segments = view.timeline.segments();
    for (std::size_t i = segments.size(); i > 0; --i) {
      const Segment& segment = segments[i - 1];
      if (segment.kind == SegmentKind::summary) filler.add_lines_backwards(segment.span);
    }
    for (std::size_t i = segments.size(); i > 0; --i) {
      const Segment& segment = segments[i - 1];
      if (!is_replaced(view, segment)) filler.add_lines_backwards(segment.span);
    }
    return std::move(filler).rest_dropped();
  }

 private:
  // The summary of a thought is decoded whole: the details may go.
  static bool is_replaced(const View& view, const Segment& segment) {
    if (segment.kind != SegmentKind::thought || segment.partner < 0) return false;
    const Segment& summary = view.timeline.segments()[static_cast<std::size_t>(segment.partner)];
    return summary.closed && summary.span.end <= view.decoded;
  }
  Pos sink_;
  Pos window_;
};

}  // namespace

std::unique_ptr<Policy> make_summary_only(const PolicySettings& settings) {
  if (!settings.summaries) {
    throw Error(ErrorCode::bad_input,
                "policy summary-only needs summaries: --summaries native, prompted or injected");
  }
  return std::make_unique<SummaryOnly>(settings);
}

}  // namespace zoomr
