// Runs the recall probe (core/recall_probe.h) on a model: one reading of some 500 tokens in a small
// context of its own.
#pragma once

#include <vector>

#include "core/recall_probe.h"
#include "zoomr/zoomr.h"

namespace zoomr {

class LlamaModel;

// Every query head, the best first. Throws Error(failed) when the model cannot decode the text.
[[nodiscard]] std::vector<HeadScore> probe_heads(const LlamaModel& model,
                                                 const ContextOptions& context);

// The heads that say which lines are needed: the first 6, fewer when fewer give a tenth of their
// attention to the right fact. Throws Error(unsupported) when no head does.
[[nodiscard]] std::vector<RetrievalHead> retrieval_heads(const std::vector<HeadScore>& scores);

}  // namespace zoomr
