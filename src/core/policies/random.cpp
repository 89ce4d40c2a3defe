// random: ZoomR with dice instead of votes.
//
//   Paper     none: the control of any selection. Random choice with the prompt kept ties strong
//             evictors on several tasks (arXiv 2609.03430)
//   Settings  sink, window
//   Unit      line
//   Lost      nothing
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/policies/fill.h"
#include "core/policies/policies.h"

namespace zoomr {

namespace {

std::uint64_t dice(std::uint64_t seed, std::uint64_t throw_at, std::uint64_t line) {
  std::uint64_t z = seed + throw_at * 0x9e3779b97f4a7c15ULL + line * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

class Random final : public Policy {
 public:
  explicit Random(const PolicySettings& settings)
      : sink_(settings.sink), window_(settings.window) {}
  [[nodiscard]] Unit unit() const override { return Unit::line; }
  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {}; }

  [[nodiscard]] Plan plan(const View& view) const override {
    Filler filler(view);
    // New dice when a line has closed: between two boundaries nothing comes back. So the window is
    // counted from the boundary too, and the first line that does not fit ends the row: a smaller
    // one behind it would come in as the open line grows.
    const auto lines = view.timeline.lines();
    std::size_t n_decoded = lines.size();
    while (n_decoded > 0 && lines[n_decoded - 1].span.end > view.decoded) --n_decoded;
    const Pos boundary = n_decoded > 0 ? lines[n_decoded - 1].span.end : 0;
    filler.add_lines_backwards({std::max(0, boundary - window_), view.decoded});
    filler.add_lines_backwards({0, sink_});
    std::vector<std::pair<std::uint64_t, std::size_t>> order;  // a heap: few of them are looked at
    order.reserve(n_decoded);
    for (std::size_t i = 0; i < n_decoded; ++i) {
      if (is_movable(view, lines[i])) order.emplace_back(dice(view.seed, n_decoded, i), i);
    }
    std::make_heap(order.begin(), order.end());
    for (auto end = order.end(); end != order.begin() && filler.room_left() > 0; --end) {
      std::pop_heap(order.begin(), end);
      if (!filler.try_add(lines[(end - 1)->second].span)) break;
    }
    return std::move(filler).rest_stored();
  }

 private:
  Pos sink_;
  Pos window_;
};

}  // namespace

std::unique_ptr<Policy> make_random(const PolicySettings& settings) {
  return std::make_unique<Random>(settings);
}

}  // namespace zoomr
