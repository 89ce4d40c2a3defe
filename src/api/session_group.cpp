#include "api/session_group.h"

#include <algorithm>
#include <utility>

#include "api/preparation.h"
#include "engine/run_result.h"
#include "engine/session_options.h"
#include "llama/model.h"
#include "llama/sampler.h"

namespace zoomr {

SessionGroup::SessionGroup(const LlamaModel& model, const RunOptions& options,
                           std::vector<Member> members)
    : model_(model), options_(options) {
  settle_options(model_, options_, [this](const std::string& note) { notes_.push_back(note); });
  std::vector<std::vector<Token>> tokens;
  std::vector<Place> places;
  const auto policy = make_policy(options_.policy, options_.settings);
  for (const Member& member : members) {
    tokens.push_back(tokens_of(member.prompt, model_));
    places.push_back(place(tokens.back(), member, *policy));
  }
  prove_exact(model_, options_, *policy);
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
          ? unlimited_positions() - n_prompt
          : std::max<Pos>(options_.n_predict, static_cast<Pos>(member.prompt.taught.size()));
  const Pos most_used = std::min(place.max_positions, n_prompt + n_wanted);
  place.n_unhidden = options_.n_ctx > 0 ? std::min(options_.n_ctx, place.max_positions) : most_used;
  if ((!policy.bounded() || policy.foresees()) && most_used == unlimited_positions()) {
    throw Error(ErrorCode::bad_input,
                "policy " + options_.policy + " needs -n or -c to know its context's size");
  }
  if (policy.bounded()) {
    place.budget = budget.tokens + (budget.beyond_prompt ? n_prompt : 0);
    place.n_cells = std::min(place.budget, std::max(most_used, n_prompt));
  } else {
    place.budget = unlimited_positions();
    place.n_cells = place.n_unhidden;
  }
  place.n_cells = std::max(place.n_cells, 1);
  return place;
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
  SessionOptions options = session_options(options_, member.prompt);
  options.seq = static_cast<SeqId>(sessions_.size());
  options.budget = place.budget;
  options.max_positions = place.max_positions;
  options.probe = member.probe;
  options.seed = seeds_.back();
  sessions_.push_back(std::make_unique<Session>(sessions_.size() + 1, options, std::move(policy),
                                                std::move(sampler), model_, member.watchers));
  ended_.push_back(false);
  Session& session = *sessions_.back();
  session.write(introduction(model_, options_, budget(sessions_.size() - 1), kv_->n_cells()));
  for (const std::string& note : notes_) session.write(NoteEvent{0, note});
  session.begin(tokens);
  session.teach(member.prompt.taught);
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
  if (session.finish_reason() == Finish::error && session.failure_code() == ErrorCode::bug) {
    throw Error(ErrorCode::bug, session.failure());
  }
  if (session.finish_reason() == Finish::length &&
      session.timeline().size() >= session.options().max_positions) {
    session.write(NoteEvent{session.timeline().size(),
                            "the run ended at " + std::to_string(session.timeline().size()) +
                                " positions, the trained length or -c (--allow-extrapolation)"});
  }
  session.write(final_event(result(i)));
}

Pos SessionGroup::budget(std::size_t i) const {
  return sessions_[i]->policy().bounded() ? sessions_[i]->options().budget : 0;
}

RunResult SessionGroup::result(std::size_t i) const {
  RunResult result = result_of(*sessions_[i], store_, *kv_, cells_[i]);
  result.seed = seeds_[i];
  return result;
}

}  // namespace zoomr
