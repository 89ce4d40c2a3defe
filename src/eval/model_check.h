// zoomr check: how small may this model's memory be? A text of facts, told once and told again in
// another order, is taught to full KV and to the policy at some budgets, side by side: these in
// one batch.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

struct CheckedBudget {
  Pos budget = 0;       // tokens
  int recalled = 0;     // facts whose value's first token is predicted, when they are told again
  double kl_mean = 0;   // to full KV, nats a token
  double same_top = 0;  // % of the tokens where full KV's first choice is the first choice
  double missed_mass = -1;  // mean; -1: not measured
  // How true is the missed mass? Token by token, against what the same heads give with full KV to
  // the lines that were not resident.
  double missed_full = -1;       // mean with full KV; -1: not measured
  double meter_correlation = 0;  // over the tokens
  double meter_difference = 0;   // mean of the absolute differences, share of attention
};

struct ModelCheck {
  std::string model;   // description
  bool exact = false;  // the self-test of zooming
  std::string why;     // "" or what it found
  int n_tokens = 0;    // of the text
  int n_facts = 0;
  int recalled = 0;                    // with full KV
  std::vector<CheckedBudget> budgets;  // descending
};

// options: policy, selection and context. Throws Error(bad_input) for a budget that is too small.
[[nodiscard]] ModelCheck check_model(const Model& model, const RunOptions& options,
                                     std::vector<Pos> budgets, std::ostream& progress);

// In one plain sentence, or two. A budget recalls as full KV does when it misses no more than one
// fact in thirty that full KV recalls.
[[nodiscard]] std::string verdict(const ModelCheck& check);

[[nodiscard]] std::string to_json(const ModelCheck& check);

}  // namespace zoomr
