// oracle: the lines that full KV attends to are there before they are needed.
//
//   Paper     none. A second context that holds everything decodes each token first: what any
//             selection is compared with. It knows no later token's needs, so it is no strict bound
//   Settings  sink, window
//   Unit      line
//   Lost      nothing
//
// A line's rank is the largest share of attention that one head gives it: what one head looks up
// would drown in a sum over many that look nowhere.
#include <algorithm>

#include "core/policies/fill.h"
#include "core/policies/policies.h"

namespace zoomr {

namespace {

class Oracle final : public Policy {
 public:
  explicit Oracle(const PolicySettings& settings)
      : sink_(settings.sink), window_(settings.window) {}
  [[nodiscard]] Unit unit() const override { return Unit::line; }
  [[nodiscard]] bool foresees() const override { return true; }
  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {}; }

  [[nodiscard]] Plan plan(const View& view) const override {
    Filler filler(view);
    filler.add_lines_backwards({std::max(0, view.decoded - window_), view.decoded});
    filler.add_lines_backwards({0, sink_});
    filler.add_lines_by(view.evidence.foresight, 0);
    return std::move(filler).rest_stored();
  }

 private:
  Pos sink_;
  Pos window_;
};

}  // namespace

std::unique_ptr<Policy> make_oracle(const PolicySettings& settings) {
  return std::make_unique<Oracle>(settings);
}

}  // namespace zoomr
