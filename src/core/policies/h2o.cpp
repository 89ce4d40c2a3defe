// h2o: heavy hitters, the tokens that got most attention so far.
//
//   Paper     H2O, arXiv 2306.14048. There every head keeps its own tokens; libllama's cells are
//             shared by all heads, so here all heads' attention mass is summed and one choice is
//             made for all of them
//   Settings  sink
//   Unit      token
//   Lost      what is evicted, for good
#include <algorithm>
#include <vector>

#include "core/policies/fill.h"
#include "core/policies/policies.h"

namespace zoomr {

namespace {

class H2o final : public Policy {
 public:
  explicit H2o(const PolicySettings& settings) : sink_(settings.sink) {}
  [[nodiscard]] Unit unit() const override { return Unit::token; }

  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {.mass = {.all = true}}; }

  [[nodiscard]] Plan plan(const View& view) const override {
    const SpanSet& now = view.residency.resident;
    if (now.size() <= view.room) return {now, {}};
    SpanSet keep = pinned_tokens(view);
    keep.insert({0, std::min(sink_, view.decoded)});
    // Half of the room for the most recent tokens, half for the heaviest of the others.
    const Pos room = std::max<Pos>(1, view.room - keep.size());
    keep.insert({std::max(0, view.decoded - std::max<Pos>(1, room / 2)), view.decoded});
    std::vector<Pos> others;
    for (const Span span : now.minus(keep).spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) others.push_back(pos);
    }
    const auto n = static_cast<std::size_t>(
        std::clamp<Pos>(view.room - keep.size(), 0, static_cast<Pos>(others.size())));
    const auto heavier = [&view](Pos a, Pos b) {
      const float mass_a = mass(view, a);
      const float mass_b = mass(view, b);
      return mass_a != mass_b ? mass_a > mass_b : a > b;
    };
    std::nth_element(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(n), others.end(),
                     heavier);
    others.resize(n);
    std::sort(others.begin(), others.end());
    for (const Pos pos : others) keep.insert({pos, pos + 1});
    return {keep.intersection(now), {}};
  }

 private:
  static float mass(const View& view, Pos pos) {
    const auto i = static_cast<std::size_t>(pos);
    const float seen = i < view.evidence.mass.size() ? view.evidence.mass[i] : 0;
    return seen > 0 ? seen : 0;  // a NaN would break nth_element's order
  }
  Pos sink_;
};

}  // namespace

std::unique_ptr<Policy> make_h2o(const PolicySettings& settings) {
  return std::make_unique<H2o>(settings);
}

}  // namespace zoomr
