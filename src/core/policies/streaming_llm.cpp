// streaming-llm: the prompt, the first tokens and a sliding window.
//
//   Paper     StreamingLLM, arXiv 2309.17453; positions are kept here, not renumbered
//   Settings  sink; the window is all the room that is left
//   Unit      token
//   Lost      everything that slides out of the window, for good
#include <algorithm>

#include "core/policies/fill.h"
#include "core/policies/policies.h"

namespace zoomr {

namespace {

class StreamingLlm final : public Policy {
 public:
  explicit StreamingLlm(const PolicySettings& settings) : sink_(settings.sink) {}
  [[nodiscard]] Unit unit() const override { return Unit::token; }
  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {}; }

  [[nodiscard]] Plan plan(const View& view) const override {
    SpanSet resident = pinned_tokens(view);
    resident.insert({0, std::min(sink_, view.decoded)});
    // From the newest token backwards, over what is kept anyway, until the room is used.
    Pos begin = view.decoded;
    Pos room = std::max<Pos>(1, view.room - resident.size());
    while (begin > 0 && room > 0) {
      --begin;
      if (!resident.contains(begin)) --room;
    }
    resident.insert({begin, view.decoded});
    return {resident.intersection(view.residency.resident), {}};
  }

 private:
  Pos sink_;
};

}  // namespace

std::unique_ptr<Policy> make_streaming_llm(const PolicySettings& settings) {
  return std::make_unique<StreamingLlm>(settings);
}

}  // namespace zoomr
