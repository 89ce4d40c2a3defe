// Every option of a run by its flag's name, as JSON: what a trace begins with, and what the parts
// of one evaluation must have in common.
#pragma once

#include <nlohmann/json.hpp>

#include "zoomr/zoomr.h"

namespace zoomr {

[[nodiscard]] nlohmann::ordered_json run_settings(const RunOptions& options);
// Those of sampling alone.
[[nodiscard]] nlohmann::ordered_json sampling_settings(const SamplingOptions& options);

// Back from them: of the context. What they do not name is as usual; the machine's own, threads and
// back ends, always are. Throws Error(bad_input) for a value of another type.
[[nodiscard]] ContextOptions context_options(const nlohmann::ordered_json& settings);
// Does a turn with these settings of sampling take the largest logit at every token, but for those
// that --ignore-eos takes out? False when they do not say so.
[[nodiscard]] bool takes_largest(const nlohmann::ordered_json& settings);

}  // namespace zoomr
