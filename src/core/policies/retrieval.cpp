// zoomr --select retrieval: the few heads that look things up say which lines come back.
//
//   Paper     none: retrieval heads (arXiv 2404.15574) as the voters of ZoomR (2604.10898). At
//             every token the attention that they would give each line, were all resident, is known
//             exactly: the keys of these heads are kept. A value head reads the line at the very
//             token; a name head reads it at the name, some tokens before it is needed; an order
//             head reads, where an item's number comes, the label of the item before
//   Settings  window, sink, heads, name_heads, order_heads, zoom_in, zoom_in_name, zoom_max,
//             second_look, sure, second_look_name, fade, miss
//   Unit      line
//   Lost      nothing
//
// A stored line comes back when its share of a kind's attention reaches the threshold, the neediest
// first, at most zoom_max a token. What is resident and was needed a moment ago stays before what
// is only recent; the need fades, so that a line that nobody asks for any more makes room. None
// leaves at the token at which it came, be that token decoded once or twice. When
// what comes back would have got much of the heads' attention, the token was decoded without what
// it asked for: it is decoded again; where value or order heads asked, unless the model is sure of
// the next one all the same. With `miss` the budget is a ceiling: as little stays as leaves no more
// than that share of attention waiting.
#include <algorithm>
#include <vector>

#include "core/policies/fill.h"
#include "core/policies/policies.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr float kLeastNeed = 0.02F;  // below it a resident line is no more needed than a recent one

constexpr float kWaits = -1;  // below any need

// The window takes no more than this part of the room beside the pinned tokens: what is recent and
// needed is ranked as needed anyway, and a small budget is better spent on that.
constexpr Pos kWindowShare = 6;

class Retrieval final : public Policy {
 public:
  explicit Retrieval(const PolicySettings& settings) : settings_(settings) {}
  [[nodiscard]] Unit unit() const override { return Unit::line; }

  [[nodiscard]] Needs needs(const View& /*view*/) const override {
    Needs needs{.fade = settings_.fade};
    const auto take = [&needs](const std::vector<RetrievalHead>& heads, HeadSelection& queries) {
      for (const RetrievalHead& head : heads) {
        merge(queries, {.chosen = {{head.layer, head.head}}});
        merge(needs.keys, {.chosen = {{head.layer, head.key_head}}});
      }
    };
    take(settings_.heads, needs.lines);
    take(settings_.name_heads, needs.names);
    take(settings_.order_heads, needs.order);
    return needs;
  }

  [[nodiscard]] Plan plan(const View& view) const override {
    Filler filler(view);
    const Pos window = std::min(settings_.window, filler.room_left() / kWindowShare);
    filler.add_lines_backwards({std::max(0, view.decoded - window), view.decoded});
    filler.add_lines_backwards({0, settings_.sink});
    for (const Span span : view.evidence.lines.came.spans()) filler.add_lines_backwards(span);
    const std::vector<float> ranked = rank(view.evidence.lines);
    const std::vector<bool> spare = spare_lines(view, filler, ranked);
    filler.add_lines_by(need(view, spare, ranked), settings_.miss > 0 ? 0 : kLeastNeed);
    if (settings_.miss <= 0) filler.keep_recent_lines();
    Plan plan = std::move(filler).rest_stored();
    look_again(view, plan);
    return plan;
  }

 private:
  // [lines] what stays before what. A label is needed at the very token: its need does not last.
  [[nodiscard]] static std::vector<float> rank(const LineNeed& lines) {
    std::vector<float> rank = lines.kept;
    for (std::size_t i = 0; i < rank.size(); ++i) rank[i] = std::max(rank[i], lines.order[i]);
    return rank;
  }

  // [lines] with `miss`: the least needed lines, whose needs (`kept`) add up to no more. All others
  // are to be resident. Without it none is.
  [[nodiscard]] std::vector<bool> spare_lines(const View& view, const Filler& filler,
                                              const std::vector<float>& kept) const {
    std::vector<bool> spare(kept.size(), false);
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < kept.size() && settings_.miss > 0; ++i) {
      if (!filler.resident().covers(view.timeline.lines()[i].span)) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&kept](std::size_t a, std::size_t b) { return kept[a] < kept[b]; });
    float sum = 0;
    for (const std::size_t i : order) {
      sum += kept[i];
      if (sum > settings_.miss) break;
      spare[i] = true;
    }
    return spare;
  }

  // [lines] what each resident line is needed, and each stored one that asks to come back; below
  // zero what stays in the store or goes there.
  [[nodiscard]] std::vector<float> need(const View& view, const std::vector<bool>& spare,
                                        std::vector<float> need) const {
    const LineNeed& lines = view.evidence.lines;
    std::vector<std::size_t> asking;
    std::size_t n_came = 0;  // at the first decode of a token that was decoded again
    for (std::size_t i = 0; i < need.size(); ++i) {
      if (lines.came.covers(view.timeline.lines()[i].span)) ++n_came;
      const bool asked = lines.now[i] >= settings_.zoom_in ||
                         lines.soon[i] >= settings_.zoom_in_name ||
                         lines.order[i] >= settings_.zoom_in_name;
      if (view.residency.resident.covers(view.timeline.lines()[i].span)) {
        if (spare[i] && !asked) need[i] = kWaits;
      } else if (asked || (settings_.miss > 0 && !spare[i])) {
        asking.push_back(i);
      } else {
        need[i] = kWaits;
      }
    }
    std::stable_sort(asking.begin(), asking.end(),
                     [&need](std::size_t a, std::size_t b) { return need[a] > need[b]; });
    const auto most =
        static_cast<std::size_t>(settings_.zoom_max) * static_cast<std::size_t>(lines.tokens);
    for (std::size_t i = most - std::min(most, n_came); i < asking.size(); ++i) {
      need[asking[i]] = kWaits;
    }
    return need;
  }

  // The shares of attention that fall on what comes back only now: was the token decoded without
  // what it asked for? What value and order heads read is for the next token. What name heads read
  // is for later ones, so how sure the model is of the next one says nothing about it.
  void look_again(const View& view, Plan& plan) const {
    float now = 0;
    float soon = 0;
    float order = 0;
    const LineNeed& lines = view.evidence.lines;
    for (std::size_t i = 0; i < lines.now.size(); ++i) {
      const Span span = view.timeline.lines()[i].span;
      if (!plan.resident.covers(span) || !view.residency.stored.covers(span)) continue;
      now += lines.now[i];
      soon += lines.soon[i];
      order += lines.order[i];
    }
    const bool at_name = soon >= settings_.second_look_name;
    if (!at_name && std::max(now, order) < settings_.second_look) return;
    plan.again_from = view.decoded - lines.tokens;
    if (!at_name) plan.unless_sure = settings_.sure;
  }

  PolicySettings settings_;
};

}  // namespace

std::unique_ptr<Policy> make_retrieval(const PolicySettings& settings) {
  const auto share = [](float value) { return value >= 0 && value <= 1; };
  if (!share(settings.zoom_in) || !share(settings.zoom_in_name) || !share(settings.fade) ||
      !share(settings.miss)) {
    throw Error(ErrorCode::bad_input,
                "--zoom-in, --zoom-in-name, --fade and --miss are shares between 0 and 1");
  }
  if (settings.second_look < 0 || settings.second_look_name < 0) {
    throw Error(ErrorCode::bad_input,
                "--second-look and --second-look-name must not be negative (above 1: never)");
  }
  if (settings.sure < 0) {
    throw Error(ErrorCode::bad_input, "--sure must not be negative (above 1: no token is)");
  }
  if (settings.zoom_max < 1) throw Error(ErrorCode::bad_input, "--zoom-max must be at least 1");
  return std::make_unique<Retrieval>(settings);
}

}  // namespace zoomr
