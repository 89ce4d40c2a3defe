// The fields that chat completions, completions and the native completion share.
#pragma once

#include "http/context.h"
#include "http/json_fields.h"

namespace zoomr {

// Sampling, seed, logit_bias, grammar, json_schema; what is absent is the server's.
[[nodiscard]] SamplingOptions read_sampling(const Fields& fields, const ServerContext& context);

// The most generated tokens: n_predict, max_completion_tokens or max_tokens.
[[nodiscard]] int read_n_predict(const Fields& fields, const ServerContext& context);

// Everything but prompt, conversation and logprobs.
[[nodiscard]] ServeRequest read_common(const Fields& fields, const ServerContext& context);

// Throws ContextExceeded for a prompt that leaves no position for a reply.
void check_length(const Prompt& prompt, const ServerContext& context);

// n copies; the i-th draws with seed + i, so that a given seed repeats all of them.
[[nodiscard]] std::vector<ServeRequest> copies(const ServeRequest& request, int n);

// How many replies: n or n_cmpl.
[[nodiscard]] int read_n(const Fields& fields);
// Whether and how it streams; requests and format are left to the caller.
[[nodiscard]] ReplyPlan read_plan(const Fields& fields, const ServerContext& context);
// A JSON schema as text, an empty one as that of any object; nullptr: "".
[[nodiscard]] std::string schema_text(const json* schema);
[[nodiscard]] bool read_include_usage(const Fields& fields);

inline constexpr int kMaxChoices = 128;
inline constexpr int kMaxStops = 64;
inline constexpr int kMaxTop = 100;  // alternatives at a token

}  // namespace zoomr
