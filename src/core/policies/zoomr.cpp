// zoomr: what the model's own queries vote for comes back; all else waits in the store.
//
//   Paper     ZoomR, arXiv 2604.10898. Its rule, --select paper: at a sentence end every query head
//             of every layer votes for its top k by q . mean key (as cached, after RoPE) of the
//             summaries; the c most voted thoughts are resident until the next vote. Without
//             summaries every line is its own index
//             --select retrieval: retrieval.cpp
//   Settings  window, sink, vote_k, consensus, select, summaries
//   Unit      line
//   Lost      nothing
//
// A thought that does not fit whole comes back in part: its last lines. Summaries stay beside the
// details up to a quarter of the room; beyond that the oldest go to the store too, their index
// keys stay. Room that is left keeps lines that are resident anyway, the most recent first.
// --select none never votes: the control that tells what looking costs.
#include <algorithm>
#include <vector>

#include "core/policies/fill.h"
#include "core/policies/policies.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

class Zoomr final : public Policy {
 public:
  explicit Zoomr(const PolicySettings& settings) : settings_(settings) {}
  [[nodiscard]] Unit unit() const override { return Unit::line; }

  [[nodiscard]] Needs needs(const View& view) const override {
    Needs needs;
    const auto segments = view.timeline.segments();
    const bool in_prompt =
        !segments.empty() && segments[0].pinned && view.decoded < segments[0].span.end;
    if (settings_.select == "none" || in_prompt) return needs;
    needs.keys.all = true;
    if (!view.boundary.sentence) return needs;
    VoteRule rule{
        .k = settings_.vote_k, .consensus = settings_.consensus, .candidates = candidates(view)};
    if (rule.candidates.empty()) return needs;
    needs.queries.all = true;
    needs.vote = std::move(rule);
    return needs;
  }

  [[nodiscard]] Plan plan(const View& view) const override {
    Filler filler(view);
    filler.add_lines_backwards({std::max(0, view.decoded - settings_.window), view.decoded});
    filler.add_lines_backwards({0, settings_.sink});
    if (settings_.summaries) add_summaries(view, filler);
    if (view.evidence.vote) {
      const VoteResult& vote = *view.evidence.vote;
      for (int i = 0; i < vote.consensus; ++i) {
        const Span details = vote.ranked[static_cast<std::size_t>(i)].candidate.details;
        if (!filler.try_add(details)) filler.add_lines_backwards(details);
      }
    }
    filler.keep_recent_lines();
    return std::move(filler).rest_stored();
  }

 private:
  // Thoughts by their summaries; what has none by its lines. All that ends before the window.
  [[nodiscard]] std::vector<Candidate> candidates(const View& view) const {
    std::vector<Candidate> result;
    const Pos before = view.decoded - settings_.window;
    const auto segments = view.timeline.segments();
    for (const Line& line : view.timeline.lines()) {
      if (line.span.end > before) break;
      const Segment& segment = segments[static_cast<std::size_t>(line.segment)];
      if (segment.pinned) continue;
      const bool summarised = settings_.summaries && segment.partner >= 0;
      if (!summarised) {
        if (segment.kind != SegmentKind::summary) result.push_back({line.span, line.span});
      } else if (segment.kind == SegmentKind::thought && line.span.begin == segment.span.begin) {
        const Segment& summary = segments[static_cast<std::size_t>(segment.partner)];
        if (summary.closed && summary.span.end <= view.decoded) {
          result.push_back({summary.span, segment.span});
        }
      }
    }
    return result;
  }

  static void add_summaries(const View& view, Filler& filler) {
    Pos room = view.room / 4;
    const auto segments = view.timeline.segments();
    for (std::size_t i = segments.size(); i > 0; --i) {
      const Segment& segment = segments[i - 1];
      if (segment.kind != SegmentKind::summary || segment.span.end > view.decoded) continue;
      room -= segment.span.size();
      if (room < 0) return;
      filler.add_lines_backwards(segment.span);
    }
  }

  PolicySettings settings_;
};

}  // namespace

std::unique_ptr<Policy> make_zoomr(const PolicySettings& settings) {
  if (settings.select == "retrieval" || settings.select == "auto") return make_retrieval(settings);
  if (settings.select != "paper" && settings.select != "none") {
    throw Error(ErrorCode::bad_input,
                "unknown --select '" + settings.select + "': auto, retrieval, paper or none");
  }
  return std::make_unique<Zoomr>(settings);
}

}  // namespace zoomr
