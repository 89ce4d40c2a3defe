// Looks on while a session decodes: what an evaluation measures beside the trace. Every method has
// a default that asks for nothing and does nothing.
#pragma once

#include <span>

#include "core/capture.h"
#include "zoomr/types.h"

namespace zoomr {

class Probe {
 public:
  virtual ~Probe() = default;
  // Heads whose keys (of every decoded token) and queries (of every token that another one is
  // sampled or taught behind) it wants to see. REQUIRES: the policy asks for no others.
  [[nodiscard]] virtual HeadSelection keys() const { return {}; }
  [[nodiscard]] virtual HeadSelection queries() const { return {}; }
  // Does it want logits before tokens that are taught, too?
  [[nodiscard]] virtual bool logits() const { return false; }

  // One token's rows, packed as the layout says; valid during the call.
  virtual void on_keys(Pos /*pos*/, const HeadLayout& /*layout*/, std::span<const float> /*row*/) {}
  virtual void on_queries(Pos /*pos*/, const HeadLayout& /*layout*/,
                          std::span<const float> /*row*/) {}
  // [n_vocab] of the token that comes to stand at `next`; valid during the call.
  virtual void on_logits(Pos /*next*/, std::span<const float> /*logits*/) {}
};

}  // namespace zoomr
