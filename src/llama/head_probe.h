// Runs the recall probe (core/recall_probe.h) on a model: one reading of some 1,000 tokens in a
// context of its own, and queries of the asking tokens alone.
#pragma once

#include <vector>

#include "core/recall_probe.h"
#include "zoomr/options.h"

namespace zoomr {

class LlamaModel;

// Throws Error(failed) when the model cannot decode the text, Error(unsupported) when its trained
// length has no room for the shortest one.
[[nodiscard]] HeadProbe probe_heads(const LlamaModel& model, const ContextOptions& context);

// [n_layer] the heads of each layer, learned in a small context.
[[nodiscard]] std::vector<LayerShape> layer_shapes(const LlamaModel& model,
                                                   const ContextOptions& context);

}  // namespace zoomr
