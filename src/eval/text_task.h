// Teacher-forced text: how much a policy's predictions differ from full KV's, token by token, as
// llama-perplexity's --kl-divergence reports it. All policies read the same text side by side, so
// no logits are kept.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "eval/evaluation.h"
#include "eval/reader.h"

namespace zoomr {

// A file: its first 32 tokens are the prompt. At most n_tokens more are taught; < 0: all. Throws
// Error(bad_input).
[[nodiscard]] TaughtText text_of_file(const Model& model, const std::string& path, int n_tokens);
// A long answer of the model itself with full KV: at most n_tokens.
[[nodiscard]] TaughtText own_answer(const Model& model, const Prompt& prompt,
                                    const RunOptions& options, int n_tokens);

// Runs the cells that the file does not have yet; those of one budget together, with full KV and,
// for the figures of far tokens, a sliding window of the same budget.
void evaluate_text(const Model& model, const TaughtText& text, const std::vector<Cell>& cells,
                   SampleFile& samples, std::ostream& progress);

}  // namespace zoomr
