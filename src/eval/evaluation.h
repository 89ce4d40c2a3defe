// An evaluation: every problem with every policy at every budget, interleaved, so that what the
// machine does meanwhile falls on all alike.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "eval/problem.h"
#include "eval/samples.h"
#include "zoomr/zoomr.h"

namespace zoomr {

// One policy at one budget: a row of the table.
struct Cell {
  std::string policy;        // as typed
  std::string budget_asked;  // as typed; "" where the policy has none
  RunOptions options;
};

// Policies x budgets, in their order; a policy without a budget once. Budgets: "256" or "+256".
[[nodiscard]] std::vector<Cell> make_cells(const std::string& policies,
                                           const std::vector<std::string>& budgets,
                                           const RunOptions& defaults);

// What tells a sample from all others, see key_of(), and the heads that its cell follows.
[[nodiscard]] Sample identity(const std::string& task, const std::string& problem, int sample,
                              const Cell& cell);

// A row holds what was made with the same heads: is the sample such a one of its cell, if it is
// there? Throws Error(bad_input).
void require_same_heads(const Sample& sample, const std::vector<Cell>& cells);

// The same run with everything in memory.
[[nodiscard]] RunOptions with_full_kv(RunOptions options);

struct EvaluationOptions {
  int n_samples = 1;   // replies to each problem, with the seeds seed, seed + 1, ...
  int n_parallel = 1;  // problems that think side by side
  std::string traces;  // folder for a trace of each sample, "": none
};

using PromptOf = std::function<Prompt(const Problem&, const RunOptions&)>;

// Scores samples of these problems again, from their texts.
void score_anew(std::vector<Sample>& samples, const std::vector<Problem>& problems);

// Runs what the file does not have yet.
void evaluate(const Model& model, const std::vector<Problem>& problems,
              const std::vector<Cell>& cells, const EvaluationOptions& options,
              const PromptOf& prompt_of, SampleFile& samples, std::ostream& progress);

}  // namespace zoomr
