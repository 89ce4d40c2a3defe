// The tables of an evaluation, computed from its samples.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "eval/samples.h"
#include "eval/statistics.h"

namespace zoomr {

// One task with one policy at one budget.
struct Row {
  std::string task;
  std::string policy;
  std::string budget_asked;
  int n_problems = 0;
  int n_samples = 0;
  Estimate right;               // share of the answers
  Estimate right_against_full;  // difference; NaN where full was not run on the same problems
  Estimate steps;               // share of the steps; NaN where the scorer knows none
  Estimate steps_against_full;
  std::vector<std::pair<std::string, Estimate>> parts;  // of the steps
  int peak_resident = 0;                                // tokens, the largest of all samples
  double mean_resident = 0;                             // tokens, mean over samples
  double resident_mib = 0;                              // KV of peak_resident tokens
  double kv_mib = 0;                                    // allocated, largest
  double length = 0;                                    // generated tokens, mean
  int loops = 0;                                        // samples that the loop guard ended
  int cut = 0;                                          // samples that -n ended
  double zoom_ins = 0;                                  // lines, mean
  double zoom_outs = 0;
  double second_looks = 0;
  double tokens_per_second = 0;
  Estimate agreeability_right;  // mean over the samples that were right; NaN when none voted
  Estimate agreeability_wrong;
};

// In the order of first appearance, by task. Samples of `text` are left out.
[[nodiscard]] std::vector<Row> make_rows(const std::vector<Sample>& samples);

// The header and the rows below it, as they are shown: in Markdown and in the report alike.
using Table = std::vector<std::vector<std::string>>;
[[nodiscard]] Table answers_table(const std::vector<Row>& rows);
// The samples of task `text`: agreement with full KV, token by token.
[[nodiscard]] Table texts_table(const std::vector<Sample>& samples);
// Markdown; nothing when there is no row.
void print(const Table& table, std::ostream& out);

}  // namespace zoomr
