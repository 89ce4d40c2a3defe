// Replays a recording through the engine under a policy's settings: what would have been resident
// when, and what would have been missed. No model, no KV: a run of 1,000 tokens takes a second.
#pragma once

#include <vector>

#include "api/policy_spec.h"
#include "eval/recording.h"

namespace zoomr {

struct Simulated {
  int n_tokens = 0;        // of the reply
  double missed_mean = 0;  // missed mass, share of attention
  double missed_p95 = 0;
  // Look-ups: tokens whose value heads give three tenths of their attention to one line that ends
  // 32 tokens back or more and is not pinned.
  int look_ups = 0;
  int found = 0;             // of these the line was resident when the next token was drawn
  int ahead = 0;             // and already at the token's first decode
  double moves = 0;          // lines in and out, a token
  double second_looks = 0;   // a token
  double mean_resident = 0;  // tokens
};

// options: policy, settings with heads that the recording holds, budget, line lengths, pinning.
// `watchers` see every event; they outlive the call.
[[nodiscard]] Simulated simulate(const Recording& recording, const RunOptions& options,
                                 std::vector<TraceSink*> watchers = {});

}  // namespace zoomr
