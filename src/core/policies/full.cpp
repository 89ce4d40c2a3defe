// full: everything stays.
//
//   Paper     none: what every other policy is compared with
//   Settings  none; it ignores the budget
//   Unit      token
//   Lost      nothing
#include "core/policies/policies.h"

namespace zoomr {

namespace {

class Full final : public Policy {
 public:
  [[nodiscard]] Unit unit() const override { return Unit::token; }
  [[nodiscard]] bool bounded() const override { return false; }
  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {}; }
  [[nodiscard]] Plan plan(const View& view) const override {
    return {SpanSet{{0, view.decoded}}, {}};
  }
};

}  // namespace

std::unique_ptr<Policy> make_full() { return std::make_unique<Full>(); }

}  // namespace zoomr
