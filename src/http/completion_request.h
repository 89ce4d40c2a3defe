// POST /v1/completions and llama.cpp's own /completion: a text goes on.
#pragma once

#include "http/context.h"

namespace zoomr {

enum class CompletionKind { openai, native };

// Throws Error. The context outlives the plan.
[[nodiscard]] ReplyPlan plan_completion(const json& body, const ServerContext& context,
                                        CompletionKind kind);

// A prompt's text or tokens, mixed as llama.cpp has it: "text", [1, 2], ["text", 3].
[[nodiscard]] Prompt read_prompt(const json& value, const ServerContext& context);

}  // namespace zoomr
