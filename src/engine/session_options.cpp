#include "engine/session_options.h"

#include <algorithm>
#include <thread>

#include "core/check.h"
#include "engine/summaries.h"
#include "zoomr/error.h"

namespace zoomr {

void check_options(const RunOptions& o) {
  require(o.line_min >= 1 && o.line_max >= o.line_min,
          "--line-min must be at least 1 and --line-max no less");
  require(o.clause_min >= 0, "--clause-min must not be negative (0: a clause ends no line)");
  require(o.thought_max >= o.line_max, "--thought-max must be at least --line-max");
  require(o.settings.window >= 1, "--window must be at least 1");
  require(o.settings.sink >= 0, "--sink must not be negative");
  require(o.settings.vote_k >= 1 && o.settings.consensus >= 1,
          "--vote-k and --consensus must be at least 1");
  require(o.n_ctx >= 0, "-c must not be negative");
  require(o.budget.tokens >= 1, "--budget must be at least 1 token");
  if (o.summaries != "none") {
    require(!o.summary_begin.empty() && !o.summary_end.empty(),
            "--summary-begin and --summary-end must not be empty");
    // The summary stands in the middle of the text: no grammar of the reply has a place for it.
    require(o.sampling.grammar.empty() || o.summaries != "injected",
            "--grammar and --json-schema do not go with --summaries injected");
    require(o.summary_begin != o.summary_end, "--summary-begin and --summary-end must differ");
  }
}

int n_threads(const ContextOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

SessionOptions session_options(const RunOptions& options, const Prompt& prompt) {
  return {.keep = options.keep,
          .n_predict = options.n_predict,
          .forced_chunk = options.forced_chunk,
          .loop_guard = options.loop_guard,
          .threads = n_threads(options.context),
          .summaries = parse_summary_mode(options.summaries),
          .segmenter = {.line_min = options.line_min,
                        .line_max = options.line_max,
                        .clause_min = options.clause_min,
                        .thought_max = options.thought_max,
                        .summary_max = 4 * options.line_max,
                        .pin_prompt = options.pin_prompt,
                        .delimiters = {.think_begin = prompt.think_begin,
                                       .think_ends = prompt.think_ends,
                                       .summary_begin = options.summary_begin,
                                       .summary_end = options.summary_end},
                        .starts_thinking = prompt.starts_thinking}};
}

std::vector<Token> tokens_of(const Prompt& prompt, const Vocabulary& vocabulary) {
  if (!prompt.tokens.empty()) return prompt.tokens;
  return vocabulary.tokenize(prompt.text, prompt.add_special, true);
}

}  // namespace zoomr
