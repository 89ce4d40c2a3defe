// ContextOptions as libllama's parameters.
#pragma once

#include "llama.h"
#include "zoomr/options.h"

namespace zoomr {

// Throws Error(bad_input) for an unknown type or scaling, and for -fa off.
[[nodiscard]] llama_context_params make_context_params(const ContextOptions& options);
// f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0 or q5_1; throws Error(bad_input) with that list.
[[nodiscard]] ggml_type parse_cache_type(const std::string& name);

}  // namespace zoomr
