// How well predictions agree with full KV's. Pure.
#pragma once

#include <span>
#include <vector>

#include "eval/samples.h"
#include "zoomr/types.h"

namespace zoomr {

// A token counts as far when full KV gives it at least e times the probability that a window does:
// there the model looks further back than the window, and there methods differ.
constexpr double kFarNats = 1;

// [n_vocab] log probabilities.
void log_softmax(std::span<const float> logits, std::vector<double>& result);

// Of one token: what full KV and a policy said before it.
struct TokenAgreement {
  double kl = 0;  // KL(full || policy), nats
  bool same_top = false;
  double log_p = 0;     // of the token, policy
  double log_full = 0;  // of the token, full KV
};
[[nodiscard]] TokenAgreement compare(std::span<const double> full, std::span<const double> policy,
                                     Token token);

// n_tokens; kl_mean, kl_error (standard error), kl_median, kl_99 (99th percentile), same_top (%),
// perplexity, perplexity_error, perplexity_full; far_tokens and the same with far_ over the far
// tokens: those where `window` is that much worse than full KV (null when there are none).
[[nodiscard]] Sample summarise(std::span<const TokenAgreement> tokens,
                               std::span<const TokenAgreement> window);

}  // namespace zoomr
