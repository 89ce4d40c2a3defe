// The self-test at load: is hiding and showing a span exact on this model, with these KV types?
//
// In a small context of its own: hide a span, decode, show it, decode; beside it a second sequence
// holds the same residents, shared by seq_cp and never saved. Logits may differ by the rounding of
// permuted cells, which is measured in the same test, and by no more than twice that.
#pragma once

#include <string>

#include "zoomr/options.h"

namespace zoomr {

class LlamaModel;

struct SelfTest {
  bool exact = false;
  double noise = 0;       // largest logit difference over permutations of cells
  double difference = 0;  // largest logit difference between the two sequences
  double bound = 0;       // what `difference` may be
  std::string why;        // "" when exact; else what went wrong
  double ms = 0;
};

// Throws Error(failed) when the model cannot decode at all.
[[nodiscard]] SelfTest self_test(const LlamaModel& model, const ContextOptions& context);

}  // namespace zoomr
