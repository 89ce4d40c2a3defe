#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/trace_file.h"
#include "core/text_hash.h"
#include "engine/engine.h"
#include "llama/llama_kv.h"
#include "llama/model.h"
#include "llama/sampler.h"
#include "llama/self_test.h"
#include "store/memory_store.h"
#include "zoomr/zoomr.h"

namespace zoomr {

namespace {

constexpr Pos kUnlimited = std::numeric_limits<Pos>::max() / 2;

bool scales_rope(const ContextOptions& context) {
  return !context.rope_scaling.empty() || context.rope_freq_base > 0 || context.rope_freq_scale > 0;
}

// The most positions of the run. The trained length ends it unless the user says otherwise.
Pos most_positions(const LlamaModel& model, const RunOptions& options) {
  const Pos asked = options.n_ctx > 0 ? options.n_ctx : kUnlimited;
  if (model.has_learned_positions()) return std::min(asked, static_cast<Pos>(model.n_ctx_train()));
  if (options.allow_extrapolation || scales_rope(options.context)) return asked;
  return std::min(asked, static_cast<Pos>(model.n_ctx_train()));
}

void check_options(const RunOptions& o) {
  const auto require = [](bool ok, const char* what) {
    if (!ok) throw Error(ErrorCode::bad_input, what);
  };
  require(o.line_min >= 1 && o.line_max >= o.line_min,
          "--line-min must be at least 1 and --line-max no less");
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

nlohmann::ordered_json options_json(const RunOptions& o) {
  return {{"policy", o.policy},
          {"select", o.settings.select},
          {"window", o.settings.window},
          {"sink", o.settings.sink},
          {"vote-k", o.settings.vote_k},
          {"consensus", o.settings.consensus},
          {"summaries", o.summaries},
          {"line-min", o.line_min},
          {"line-max", o.line_max},
          {"thought-max", o.thought_max},
          {"pin-prompt", o.pin_prompt},
          {"predict", o.n_predict},
          {"ctx-size", o.n_ctx},
          {"threads", o.context.threads},
          {"cache-type-k", o.context.type_k},
          {"cache-type-v", o.context.type_v},
          {"temp", o.sampling.temp},
          {"seed", o.sampling.seed}};
}

}  // namespace

std::string_view version() { return ZOOMR_VERSION; }

Model::Model(const ModelOptions& options) : impl_(std::make_unique<LlamaModel>(options)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

struct Run::Impl {
  Impl(const Model& m, const RunOptions& o, const Prompt& p, std::vector<TraceSink*> sinks)
      : model(m.impl()), options(o), watchers(std::move(sinks)) {
    check_options(options);
    options.settings.summaries = options.summaries != "none";
    auto policy = make_policy(options.policy, options.settings);
    if (!options.trace.empty()) {
      trace = std::make_unique<TraceFile>(options.trace);
      watchers.push_back(trace.get());
    }
    const std::vector<Token> tokens =
        p.tokens.empty() ? model.tokenize(p.text, p.add_special, true) : p.tokens;
    place(tokens, p, *policy);
    prove(*policy);
    make_kv(*policy);
    make_session(p, std::move(policy));
    announce();
    session->begin(tokens);
    session->teach(p.taught);
  }

  // Where the run fits: positions, budget, cells.
  void place(const std::vector<Token>& tokens, const Prompt& prompt, const Policy& policy) {
    const Pos n_prompt = static_cast<Pos>(tokens.size());
    session_options.max_positions = most_positions(model, options);
    const Pos n_wanted =
        options.n_predict < 0
            ? kUnlimited - n_prompt
            : std::max<Pos>(options.n_predict, static_cast<Pos>(prompt.taught.size()));
    const Pos most_used = std::min(session_options.max_positions, n_prompt + n_wanted);
    if (policy.bounded()) {
      session_options.budget =
          options.budget.tokens + (options.budget.beyond_prompt ? n_prompt : 0);
      n_cells = std::min(session_options.budget, std::max(most_used, n_prompt));
    } else {
      if (most_used == kUnlimited) {
        throw Error(ErrorCode::bad_input, "policy full needs -n or -c to know its context's size");
      }
      session_options.budget = kUnlimited;
      n_cells =
          options.n_ctx > 0 ? std::min(options.n_ctx, session_options.max_positions) : most_used;
    }
    n_cells = std::max(n_cells, 1);
  }

  // Zooming must be exact on this model; a policy that only drops needs no proof.
  void prove(const Policy& policy) const {
    if (!options.self_test || policy.unit() == Unit::token || !policy.bounded()) return;
    const SelfTest test = self_test(model, options.context);
    if (test.exact) return;
    throw Error(ErrorCode::unsupported,
                "zooming is not exact on this model (" + model.description() + "): " + test.why);
  }

  void make_kv(const Policy& policy) {
    kv = std::make_unique<LlamaKv>(
        model, LlamaKvOptions{.n_cells = n_cells,
                              .n_sessions = 1,
                              .swa_full = policy.bounded() || options.context.swa_full,
                              .context = options.context});
    engine = std::make_unique<Engine>(*kv, store);
  }

  void make_session(const Prompt& prompt, std::unique_ptr<Policy> policy) {
    SessionOptions& s = session_options;
    s.n_predict = options.n_predict;
    s.forced_chunk = options.forced_chunk;
    s.loop_guard = options.loop_guard;
    s.summaries = parse_summary_mode(options.summaries);
    s.segmenter = {.line_min = options.line_min,
                   .line_max = options.line_max,
                   .thought_max = options.thought_max,
                   .summary_max = 4 * options.line_max,
                   .pin_prompt = options.pin_prompt,
                   .delimiters = {.think_begin = prompt.think_begin,
                                  .think_ends = prompt.think_ends,
                                  .summary_begin = options.summary_begin,
                                  .summary_end = options.summary_end},
                   .starts_thinking = prompt.starts_thinking};
    auto sampler = std::make_unique<LlamaSampler>(options.sampling, model);
    seed = sampler->seed();
    s.seed = seed;
    session =
        std::make_unique<Session>(1, s, std::move(policy), std::move(sampler), model, watchers);
  }

  void announce() const {
    session->write(RunEvent{.zoomr = std::string(version()),
                            .llama = std::string(llama_version()),
                            .model = model.description(),
                            .policy = options.policy,
                            .budget = session->policy().bounded() ? session_options.budget : 0,
                            .unit = session->policy().unit(),
                            .n_ctx = kv->n_cells(),
                            .options = options_json(options)});
  }

  const LlamaModel& model;
  RunOptions options;
  std::vector<TraceSink*> watchers;
  std::unique_ptr<TraceFile> trace;
  SessionOptions session_options;
  int n_cells = 0;
  std::uint32_t seed = 0;
  MemoryStore store;
  std::unique_ptr<LlamaKv> kv;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
  bool ended = false;
};

Run::Run(const Model& model, const RunOptions& options, const Prompt& prompt,
         std::vector<TraceSink*> watchers)
    : impl_(std::make_unique<Impl>(model, options, prompt, std::move(watchers))) {}

Run::~Run() = default;

bool Run::step() {
  Session& session = *impl_->session;
  if (session.running()) {
    Session* const sessions[] = {&session};
    impl_->engine->step(sessions);
  }
  if (session.running()) return true;
  if (!impl_->ended) {
    impl_->ended = true;
    if (session.finish_reason() == Finish::length &&
        session.timeline().size() >= impl_->session_options.max_positions) {
      session.write(NoteEvent{session.timeline().size(),
                              "the run ended at " + std::to_string(session.timeline().size()) +
                                  " positions, the trained length or -c (--allow-extrapolation)"});
    }
    session.write(FinalEvent{nlohmann::ordered_json::parse(result().to_json())});
  }
  return false;
}

void Run::interrupt() { impl_->kv->interrupt(); }

std::string_view Run::text() const { return impl_->session->text(); }

double Run::tokens_per_second_last(int n) const { return impl_->session->stats().rate_of_last(n); }

Pos Run::resident_tokens() const { return impl_->session->residency().resident.size(); }

Pos Run::budget() const {
  return impl_->session->policy().bounded() ? impl_->session_options.budget : 0;
}

RunResult Run::result() const {
  const Session& session = *impl_->session;
  const Stats& stats = session.stats();
  return {.text = session.text(),
          .n_prompt = session.n_prompt(),
          .n_generated = stats.n_generated,
          .n_summary = stats.n_summary,
          .finish_reason = std::string(to_string(session.finish_reason())),
          .failure = session.failure(),
          .budget = budget(),
          .n_ctx = impl_->kv->n_cells(),
          .peak_resident_tokens = stats.peak_resident,
          .mean_resident_tokens = stats.mean_resident(),
          .peak_kv_bytes = impl_->kv->allocated_bytes(),
          .stored_tokens = session.residency().stored.size(),
          .stored_bytes = impl_->store.bytes(),
          .zoom_ins = stats.zoom_ins,
          .zoom_outs = stats.zoom_outs,
          .second_looks = 0,
          .bytes_moved = stats.bytes_moved,
          .tokens_per_second = stats.tokens_per_second(),
          .tokens_per_second_last_quarter = stats.tokens_per_second_last_quarter(),
          .prompt_tokens_per_second = stats.prompt_tokens_per_second(),
          .agreeability = stats.agreeability(),
          .votes = stats.n_votes,
          .move_ms = stats.move_us / 1000,
          .seed = impl_->seed,
          .text_hash = text_hash(session.text())};
}

std::string RunResult::to_json() const {
  nlohmann::ordered_json json = {{"text", text},
                                 {"n_prompt", n_prompt},
                                 {"n_generated", n_generated},
                                 {"n_summary", n_summary},
                                 {"finish_reason", finish_reason},
                                 {"budget", budget},
                                 {"n_ctx", n_ctx},
                                 {"peak_resident_tokens", peak_resident_tokens},
                                 {"mean_resident_tokens", mean_resident_tokens},
                                 {"peak_kv_bytes", peak_kv_bytes},
                                 {"stored_tokens", stored_tokens},
                                 {"stored_bytes", stored_bytes},
                                 {"zoom_ins", zoom_ins},
                                 {"zoom_outs", zoom_outs},
                                 {"second_looks", second_looks},
                                 {"bytes_moved", bytes_moved},
                                 {"tokens_per_second", tokens_per_second},
                                 {"tokens_per_second_last_quarter", tokens_per_second_last_quarter},
                                 {"prompt_tokens_per_second", prompt_tokens_per_second},
                                 {"agreeability", agreeability},
                                 {"votes", votes},
                                 {"move_ms", move_ms},
                                 {"seed", seed},
                                 {"text_hash", text_hash}};
  if (!failure.empty()) json["failure"] = failure;
  // A text that was cut inside a character is still JSON: the stray bytes become U+FFFD.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace zoomr
