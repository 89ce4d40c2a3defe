// Runs the recall probe (core/recall_probe.h) on a model: one reading of some 1,000 tokens in a
// context of its own, and queries of the asking tokens alone.
#pragma once

#include <vector>

#include "core/recall_probe.h"
#include "zoomr/options.h"

namespace zoomr {

class LlamaModel;

// The probe's text as the model reads it.
struct RecallReading {
  std::vector<Token> tokens;
  std::vector<Recall> recalls;
};
// The longest that fits the model's trained length. Throws Error(unsupported) when none does.
[[nodiscard]] RecallReading make_recall_reading(const LlamaModel& model);

// Throws Error(failed) when the model cannot decode the text, Error(unsupported) when its trained
// length has no room for the shortest one.
[[nodiscard]] HeadProbe probe_heads(const LlamaModel& model, const ContextOptions& context);

// [n_layer] the heads of each layer, learned in a small context.
[[nodiscard]] std::vector<LayerShape> layer_shapes(const LlamaModel& model,
                                                   const ContextOptions& context);

}  // namespace zoomr
