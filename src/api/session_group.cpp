#include "api/session_group.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/heads.h"
#include "api/run_settings.h"
#include "core/text_hash.h"
#include "llama/model.h"
#include "llama/sampler.h"
#include "llama/self_test.h"

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

}  // namespace

SessionGroup::SessionGroup(const LlamaModel& model, const RunOptions& options,
                           std::vector<Member> members)
    : model_(model), options_(options) {
  check_options(options_);
  options_.settings.summaries = options_.summaries != "none";
  settle_heads(model_, options_, [this](const std::string& note) { notes_.push_back(note); });
  std::vector<std::vector<Token>> tokens;
  std::vector<Place> places;
  const auto policy = make_policy(options_.policy, options_.settings);
  for (const Member& member : members) {
    const Prompt& prompt = member.prompt;
    tokens.push_back(prompt.tokens.empty() ? model_.tokenize(prompt.text, prompt.add_special, true)
                                           : prompt.tokens);
    places.push_back(place(tokens.back(), member, *policy));
  }
  prove(*policy);
  make_contexts(places, *policy);
  for (std::size_t i = 0; i < members.size(); ++i) {
    add_session(members[i], tokens[i], places[i], make_policy(options_.policy, options_.settings));
  }
}

// Where a member fits: positions, budget, cells.
SessionGroup::Place SessionGroup::place(const std::vector<Token>& tokens, const Member& member,
                                        const Policy& policy) const {
  Place place;
  const Budget budget = member.budget.value_or(options_.budget);
  const Pos n_prompt = static_cast<Pos>(tokens.size());
  place.max_positions = most_positions(model_, options_);
  const Pos n_wanted =
      options_.n_predict < 0
          ? kUnlimited - n_prompt
          : std::max<Pos>(options_.n_predict, static_cast<Pos>(member.prompt.taught.size()));
  const Pos most_used = std::min(place.max_positions, n_prompt + n_wanted);
  place.n_unhidden = options_.n_ctx > 0 ? std::min(options_.n_ctx, place.max_positions) : most_used;
  if ((!policy.bounded() || policy.foresees()) && most_used == kUnlimited) {
    throw Error(ErrorCode::bad_input,
                "policy " + options_.policy + " needs -n or -c to know its context's size");
  }
  if (policy.bounded()) {
    place.budget = budget.tokens + (budget.beyond_prompt ? n_prompt : 0);
    place.n_cells = std::min(place.budget, std::max(most_used, n_prompt));
  } else {
    place.budget = kUnlimited;
    place.n_cells = place.n_unhidden;
  }
  place.n_cells = std::max(place.n_cells, 1);
  return place;
}

// Zooming must be exact on this model; a policy that only drops needs no proof.
void SessionGroup::prove(const Policy& policy) const {
  if (!options_.self_test || policy.unit() == Unit::token || !policy.bounded()) return;
  const SelfTest test = self_test(model_, options_.context);
  if (test.exact) return;
  throw Error(ErrorCode::unsupported,
              "zooming is not exact on this model (" + model_.description() + "): " + test.why);
}

void SessionGroup::make_contexts(const std::vector<Place>& places, const Policy& policy) {
  LlamaKvOptions kv{.n_cells = 0,
                    .n_sessions = static_cast<int>(places.size()),
                    .swa_full = policy.bounded() || options_.context.swa_full,
                    .context = options_.context};
  LlamaKvOptions unhidden = kv;
  for (const Place& place : places) {
    cells_.push_back(place.n_cells);
    kv.n_cells += place.n_cells;
    unhidden.n_cells += place.n_unhidden;
  }
  kv_ = std::make_unique<LlamaKv>(model_, kv);
  if (places.size() == 1) cells_[0] = kv_->n_cells();  // padded
  if (policy.foresees()) unhidden_ = std::make_unique<LlamaKv>(model_, unhidden);
  engine_ = std::make_unique<Engine>(*kv_, store_, unhidden_.get());
}

void SessionGroup::add_session(const Member& member, const std::vector<Token>& tokens,
                               const Place& place, std::unique_ptr<Policy> policy) {
  SamplingOptions sampling = options_.sampling;
  if (member.seed) sampling.seed = *member.seed;
  auto sampler = std::make_unique<LlamaSampler>(sampling, model_);
  seeds_.push_back(sampler->seed());
  const Prompt& prompt = member.prompt;
  const SessionOptions options{.seq = static_cast<SeqId>(sessions_.size()),
                               .budget = place.budget,
                               .keep = options_.keep,
                               .max_positions = place.max_positions,
                               .n_predict = options_.n_predict,
                               .forced_chunk = options_.forced_chunk,
                               .loop_guard = options_.loop_guard,
                               .probe = member.probe,
                               .seed = seeds_.back(),
                               .summaries = parse_summary_mode(options_.summaries),
                               .segmenter = {.line_min = options_.line_min,
                                             .line_max = options_.line_max,
                                             .thought_max = options_.thought_max,
                                             .summary_max = 4 * options_.line_max,
                                             .pin_prompt = options_.pin_prompt,
                                             .delimiters = {.think_begin = prompt.think_begin,
                                                            .think_ends = prompt.think_ends,
                                                            .summary_begin = options_.summary_begin,
                                                            .summary_end = options_.summary_end},
                                             .starts_thinking = prompt.starts_thinking}};
  sessions_.push_back(std::make_unique<Session>(sessions_.size() + 1, options, std::move(policy),
                                                std::move(sampler), model_, member.watchers));
  ended_.push_back(false);
  Session& session = *sessions_.back();
  announce(session);
  session.begin(tokens);
  session.teach(prompt.taught);
}

void SessionGroup::announce(const Session& session) const {
  const bool bounded = session.policy().bounded();
  session.write(RunEvent{.zoomr = std::string(version()),
                         .llama = std::string(llama_version()),
                         .model = model_.description(),
                         .policy = options_.policy,
                         .budget = bounded ? session.options().budget : 0,
                         .unit = session.policy().unit(),
                         .n_ctx = kv_->n_cells(),
                         .options = run_settings(options_)});
  for (const std::string& note : notes_) session.write(NoteEvent{0, note});
}

bool SessionGroup::step() {
  std::vector<Session*> running;
  for (const auto& session : sessions_) {
    if (session->running()) running.push_back(session.get());
  }
  if (!running.empty()) engine_->step(running);
  bool any = false;
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    if (sessions_[i]->running()) {
      any = true;
    } else if (!ended_[i]) {
      end(i);
    }
  }
  return any;
}

void SessionGroup::end(std::size_t i) {
  ended_[i] = true;
  const Session& session = *sessions_[i];
  if (session.finish_reason() == Finish::length &&
      session.timeline().size() >= session.options().max_positions) {
    session.write(NoteEvent{session.timeline().size(),
                            "the run ended at " + std::to_string(session.timeline().size()) +
                                " positions, the trained length or -c (--allow-extrapolation)"});
  }
  session.write(FinalEvent{nlohmann::ordered_json::parse(result(i).to_json())});
}

Pos SessionGroup::budget(std::size_t i) const {
  return sessions_[i]->policy().bounded() ? sessions_[i]->options().budget : 0;
}

std::vector<RunResult::MissedLine> SessionGroup::missed_lines(const Session& session) {
  constexpr std::size_t kMost = 5;
  std::vector<RunResult::MissedLine> lines;
  for (const std::size_t i : session.stats().most_missed(kMost)) {
    lines.push_back({session.timeline().lines()[i].span, session.stats().missed_of_line[i]});
  }
  return lines;
}

RunResult SessionGroup::result(std::size_t i) const {
  const Session& session = *sessions_[i];
  const Stats& stats = session.stats();
  return {.text = session.text(),
          .n_prompt = session.n_prompt(),
          .n_generated = stats.n_generated,
          .n_summary = stats.n_summary,
          .finish_reason = std::string(to_string(session.finish_reason())),
          .failure = session.failure(),
          .budget = budget(i),
          .n_ctx = cells_[i],
          .peak_resident_tokens = stats.peak_resident,
          .mean_resident_tokens = stats.mean_resident(),
          .peak_kv_bytes = kv_->allocated_bytes() / static_cast<std::size_t>(kv_->n_cells()) *
                           static_cast<std::size_t>(cells_[i]),
          .stored_tokens = session.residency().stored.size(),
          .stored_bytes = store_.bytes_of(session.id()),
          .index_bytes = session.index_bytes(),
          .zoom_ins = stats.zoom_ins,
          .zoom_outs = stats.zoom_outs,
          .second_looks = stats.second_looks,
          .missed_mass = stats.missed_mean(),
          .missed_mass_p95 = stats.missed_p95(),
          .missed_lines = missed_lines(session),
          .bytes_moved = stats.bytes_moved,
          .tokens_per_second = stats.tokens_per_second(),
          .tokens_per_second_last_quarter = stats.tokens_per_second_last_quarter(),
          .prompt_tokens_per_second = stats.prompt_tokens_per_second(),
          .agreeability = stats.agreeability(),
          .votes = stats.n_votes,
          .move_ms = stats.move_us / 1000,
          .seed = seeds_[i],
          .text_hash = text_hash(session.text())};
}

std::string RunResult::to_json() const {
  auto missed = nlohmann::ordered_json::array();
  for (const MissedLine& line : missed_lines) {
    missed.push_back({{"span", {line.span.begin, line.span.end}}, {"mass", line.mass}});
  }
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
                                 {"index_bytes", index_bytes},
                                 {"zoom_ins", zoom_ins},
                                 {"zoom_outs", zoom_outs},
                                 {"second_looks", second_looks},
                                 {"missed_mass", missed_mass},
                                 {"missed_mass_p95", missed_mass_p95},
                                 {"missed_lines", std::move(missed)},
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
