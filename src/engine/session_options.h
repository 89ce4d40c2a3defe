// From a run's options, by the flags' names, to a session's: for a group and for the server alike.
#pragma once

#include <vector>

#include "engine/session.h"
#include "engine/vocabulary.h"
#include "zoomr/zoomr.h"

namespace zoomr {

// Throws Error(bad_input) for a value out of range or two that do not go together.
void check_options(const RunOptions& options);

// Of a decode: all cores where the options do not say.
[[nodiscard]] int n_threads(const ContextOptions& options);

// All but what tells one session of a context from another: seq, budget, max_positions, probe and
// seed are left to the caller.
[[nodiscard]] SessionOptions session_options(const RunOptions& options, const Prompt& prompt);

// The prompt's tokens, from its text where it has none.
[[nodiscard]] std::vector<Token> tokens_of(const Prompt& prompt, const Vocabulary& vocabulary);

}  // namespace zoomr
