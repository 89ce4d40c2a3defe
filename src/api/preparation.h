// What must hold of a model and a run's options before its first session: for a group and for the
// server alike.
#pragma once

#include "api/heads.h"
#include "core/policy.h"
#include "core/trace.h"
#include "zoomr/zoomr.h"

namespace zoomr {

class LlamaModel;

// Checks the options and puts in what depends on the model: the heads that are followed. Throws as
// check_options and settle_heads do.
void settle_options(const LlamaModel& model, RunOptions& options, const Tell& tell);

// No end of positions: where nothing else ends a run.
[[nodiscard]] Pos unlimited_positions();
// The most positions of a sequence. The trained length ends it unless the user says otherwise.
[[nodiscard]] Pos most_positions(const LlamaModel& model, const RunOptions& options);

// Zooming must be exact on this model; a policy that only drops needs no proof. Throws
// Error(unsupported) when it is not.
void prove_exact(const LlamaModel& model, const RunOptions& options, const Policy& policy);

// The first record of a session's trace. budget: 0: unbounded.
[[nodiscard]] RunEvent introduction(const LlamaModel& model, const RunOptions& options, Pos budget,
                                    int n_cells);

}  // namespace zoomr
