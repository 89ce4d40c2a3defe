// ZoomR: a language model thinks for as long as it likes in a fixed KV memory.
//
//   zoomr::Model model({.path = "model.gguf"});
//   zoomr::Run run(model, {.budget = {.tokens = 1024}}, {.text = "..."});
//   while (run.step()) {}
//   std::cout << run.result().text;
//
// A Model may be shared by Runs; each Run belongs to one thread at a time. Errors are zoomr::Error.
// These headers are the whole promise: everything under include/zoomr/, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zoomr/error.h"
#include "zoomr/options.h"
#include "zoomr/policy_settings.h"
#include "zoomr/types.h"

namespace zoomr {

[[nodiscard]] std::string_view version();        // ZoomR's
[[nodiscard]] std::string_view llama_version();  // of the llama.cpp inside

class LlamaModel;

class Model {
 public:
  // Loads a GGUF file. Throws Error(bad_input) when it is missing, not GGUF or truncated, and
  // Error(unsupported) with the reason when its thoughts cannot be moved exactly.
  explicit Model(const ModelOptions& options);
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  [[nodiscard]] const LlamaModel& impl() const { return *impl_; }  // for ZoomR's own folders

 private:
  std::unique_ptr<LlamaModel> impl_;
};

// Most resident tokens, the prompt and the token being decoded included: an absolute number, or a
// number beyond the prompt.
struct Budget {
  Pos tokens = 1024;
  bool beyond_prompt = true;
  bool operator==(const Budget&) const = default;
};

struct RunOptions {
  std::string policy = "zoomr";
  PolicySettings settings;
  Budget budget;
  int n_ctx = 0;       // most positions of the run; 0: the smaller of the trained length and what
                       // the prompt and n_predict need
  int n_predict = -1;  // most generated tokens; < 0: until the positions end

  // Of select retrieval: which heads say what is needed now, which what is needed soon, and
  // which where in a list the text is.
  std::string heads = "auto";       // auto: a probe finds them once and keeps them; L.H,...; a file
                                    // of zoomr heads --json
  std::string name_heads = "auto";  // auto: the probe's or the file's, with L.H none; L.H,...; none
  std::string order_heads = "auto";  // likewise
  // Of select retrieval: whose window, zoom_in, zoom_in_name, zoom_max, second_look,
  // second_look_name and fade hold. auto: what `zoomr tune` kept for this model and these heads,
  // unless `settings` have others than the defaults; a file of zoomr tune; none: those of
  // `settings`.
  std::string select_config = "auto";
  bool own_selection = false;  // auto leaves `settings` alone although they are the defaults

  std::string summaries = "none";  // none, native, prompted or injected
  std::string summary_begin = "<|begin_of_summary|>";
  std::string summary_end = "<|end_of_summary|>";
  int line_min = 8;       // tokens
  int line_max = 64;      // tokens
  int clause_min = 12;    // tokens from which on a clause ends a line too; 0: none does
  int thought_max = 256;  // tokens
  bool pin_prompt = true;
  // Of a prompt that does not fit the budget: so many first tokens stay; < 0: an eighth of it.
  Pos keep = -1;
  bool loop_guard = true;            // four equal lines in a row end the run
  bool allow_extrapolation = false;  // go on behind the trained length
  bool self_test = true;             // prove at load that zooming is exact on this model
  int forced_chunk = 1;              // taught tokens decoded in one step

  SamplingOptions sampling;
  ContextOptions context;
  std::string trace;  // path of a trace to write; "" : none
};

struct Prompt {
  std::string text;         // with the template applied; special tokens in it are parsed
  bool add_special = true;  // add BOS where the model wants it
  std::string think_begin;  // the model's thinking delimiters, "" : it has none
  std::vector<std::string> think_ends;
  bool starts_thinking = false;  // the text ends with think_begin
  std::vector<Token> tokens;     // instead of text, when not empty
  std::vector<Token> taught;     // appended instead of sampled tokens, first
};

// What run --json prints, in its order.
struct RunResult {
  std::string text;  // thoughts and answer, without the prompt
  int n_prompt = 0;
  int n_generated = 0;        // tokens, summaries included
  int n_summary = 0;          // of these inside summaries
  std::string finish_reason;  // stop, length, loop, interrupted, error
  std::string failure;        // of `error`: why
  Pos budget = 0;             // tokens; 0: unbounded
  int n_ctx = 0;              // cells
  Pos peak_resident_tokens = 0;
  double mean_resident_tokens = 0;
  std::size_t peak_kv_bytes = 0;  // allocated
  Pos stored_tokens = 0;          // in the store at the end
  std::size_t stored_bytes = 0;
  std::size_t index_bytes = 0;  // host memory of what selects: mean keys, or keys of chosen heads
  int zoom_ins = 0;             // lines
  int zoom_outs = 0;            // lines
  int second_looks = 0;         // tokens that were decoded again
  // Missed mass: the share of the retrieval heads' attention that fell on lines that were not
  // resident, over the generated tokens. -1: not measured (policy zoomr --select retrieval does).
  double missed_mass = -1;      // mean
  double missed_mass_p95 = -1;  // 95th percentile
  struct MissedLine {
    Span span;
    double mass = 0;  // summed over the tokens: 1 is all the attention of one token
  };
  std::vector<MissedLine> missed_lines;  // those missed most, at most 5
  std::size_t bytes_moved = 0;
  double tokens_per_second = 0;
  double tokens_per_second_last_quarter = 0;
  double prompt_tokens_per_second = 0;
  double agreeability = 0;  // mean over votes, 0 when none
  int votes = 0;
  double move_ms = 0;  // all moves
  std::uint32_t seed = 0;
  std::string text_hash;  // XXH3-64 of text, 16 hex digits

  [[nodiscard]] std::string to_json() const;  // one object on one line
};

class TraceSink;  // src/core/trace.h: for ZoomR's own watchers

class Run {
 public:
  // Makes the context and reads nothing yet. Throws Error(bad_input) for options that do not fit,
  // Error(unsupported) when the self-test finds that the model cannot be zoomed exactly.
  // The model outlives the run; so do the watchers.
  Run(const Model& model, const RunOptions& options, const Prompt& prompt,
      std::vector<TraceSink*> watchers = {});
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Decodes the next tokens; false when the run has ended. Throws Error(bug) only.
  bool step();
  // Ends the run at the next step; from any thread or signal handler.
  void interrupt();
  // Complete once step() has returned false; before that, as things stand.
  [[nodiscard]] RunResult result() const;
  [[nodiscard]] std::string_view text() const;  // so far
  // Generation speed over the last n tokens; 0 when there are fewer.
  [[nodiscard]] double tokens_per_second_last(int n) const;
  [[nodiscard]] Pos resident_tokens() const;
  [[nodiscard]] Pos budget() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zoomr
