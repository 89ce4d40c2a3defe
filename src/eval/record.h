// zoomr eval --record: the queries and keys of one full-KV run, for study without a model. The
// folder's form is in docs/evaluation.md; eval/record.py reads it.
#pragma once

#include <string>
#include <vector>

#include "core/capture.h"
#include "eval/evaluation.h"

namespace zoomr {

// "all", or LAYER.HEAD[,LAYER.HEAD...] of query heads. Throws Error(bad_input).
[[nodiscard]] HeadSelection parse_heads(const std::string& text);

// Runs the problem with full KV and writes keys.f32, queries.f32 and meta.json into the folder,
// which is made. Throws Error(bad_input) when it cannot be written or holds a record already.
void record(const Model& model, const Problem& problem, const Prompt& prompt,
            const RunOptions& options, const HeadSelection& heads, const std::string& folder);

}  // namespace zoomr
