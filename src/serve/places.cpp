#include "serve/places.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text_hash.h"
#include "engine/run_result.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

void add(ServiceTotals& totals, const Session& session) {
  const Stats& stats = session.stats();
  totals.generated_tokens += static_cast<std::uint64_t>(stats.n_generated);
  totals.zoom_ins += static_cast<std::uint64_t>(stats.zoom_ins);
  totals.zoom_outs += static_cast<std::uint64_t>(stats.zoom_outs);
  totals.second_looks += static_cast<std::uint64_t>(stats.second_looks);
  totals.bytes_moved += stats.bytes_moved;
}

}  // namespace

Places::Places(ServeParts& parts, const ServeLimits& limits, Events& events)
    : parts_(parts),
      limits_(limits),
      events_(events),
      engine_(*parts.kv, *parts.store),
      places_(static_cast<std::size_t>(limits.n_parallel)) {}

bool Places::any_running() const {
  return std::any_of(places_.begin(), places_.end(),
                     [](const auto& c) { return c && c->running(); });
}

Pos Places::cells_free() const {
  Pos taken = 0;
  for (const auto& c : places_) {
    if (c) taken += c->reserved;
  }
  return parts_.kv->n_cells() - taken;
}

bool Places::start(std::unique_ptr<Turn>& turn) {
  const auto place = std::find(places_.begin(), places_.end(), nullptr);
  if (place == places_.end() || turn->n_cells > cells_free()) return false;
  std::shared_ptr<Reply> reply = turn->reply;
  try {
    begin(static_cast<std::size_t>(place - places_.begin()), std::move(turn));
  } catch (const std::exception& error) {
    place->reset();
    ++totals_.failed;
    ReplyEnd end;
    end.run.finish_reason = to_string(Finish::error);
    end.run.failure = error.what();
    reply->finish(std::move(end));
  }
  return true;
}

void Places::begin(std::size_t place, std::unique_ptr<Turn> turn) {
  const bool hides = turn->options.summaries == SummaryMode::injected;
  auto made = std::make_unique<Conversation>(++n_conversations_, events_, parts_.vocabulary, hides);
  Conversation& c = *made;
  places_[place] = std::move(made);
  c.reserved = turn->n_cells;
  c.turn = std::move(turn);
  c.started = Clock::now();
  ++totals_.requests;
  SessionOptions options = c.turn->options;
  options.seq = static_cast<SeqId>(place);
  options.probe = &c.writer;
  auto policy = make_policy(limits_.run.policy, limits_.run.settings);
  const Pos budget = policy->bounded() ? options.budget : 0;
  c.writer.begin(c.turn->reply, c.turn->request.stops, c.turn->request.n_top);
  c.session = std::make_unique<Session>(n_conversations_, options, std::move(policy),
                                        std::move(c.turn->sampler), parts_.vocabulary,
                                        std::vector<TraceSink*>{&c.writer, &c.events});
  c.session->write(parts_.introduce(budget));
  c.session->begin(c.turn->tokens);
}

// Prompts are read beside what the others write: each that reads gets an equal part.
void Places::set_pace() {
  int n_writing = 0;
  int n_reading = 0;
  for (const auto& c : places_) {
    if (c && c->running()) ++(c->session->reads() ? n_reading : n_writing);
  }
  if (n_reading == 0) return;
  const int each = std::max(1, pace_.n_to_read(n_writing) / n_reading);
  for (const auto& c : places_) {
    if (c && c->running() && c->session->reads()) c->session->read_at_most(each);
  }
}

void Places::step() {
  set_pace();
  std::vector<Session*> sessions;
  int n_writing = 0;
  Pos n_to_read = 0;
  for (const auto& c : places_) {
    if (!c) continue;
    Session& session = *c->session;
    if (c->running() && c->turn->reply->cancelled()) session.interrupt();
    // Those that write first: they must not wait for room in the batch.
    sessions.insert(session.reads() ? sessions.end() : sessions.begin(), &session);
    if (session.reads()) n_to_read += session.n_prompt() - session.decoded();
    if (session.running() && !session.reads()) ++n_writing;
  }
  const auto start = Clock::now();
  try {
    engine_.step(sessions);
  } catch (const std::exception& error) {
    for (Session* session : sessions) session->fail(error.what());
  }
  ++totals_.decodes;
  for (const auto& c : places_) {
    if (!c || !c->running()) continue;
    n_to_read -= std::max(0, c->session->n_prompt() - c->session->decoded());
  }
  pace_.count(n_writing, n_to_read, ms_between(start, Clock::now()));
  for (std::size_t place = 0; place < places_.size(); ++place) {
    if (places_[place] && places_[place]->running()) hand_over(*places_[place]);
    if (places_[place] && !places_[place]->running()) forget(place);
  }
}

void Places::hand_over(Conversation& c) {
  if (!c.writer.stop_text().empty()) c.session->stop();
  if (c.first_token == Clock::time_point{} && c.writer.wrote()) c.first_token = Clock::now();
  const bool over = !c.session->running();
  c.writer.flush(over);
  if (over) end(c);
}

void Places::end(Conversation& c) {
  const auto now = Clock::now();
  const auto first = c.first_token == Clock::time_point{} ? now : c.first_token;
  ReplyEnd end{.run = result(c),
               .stop_text = c.writer.stop_text(),
               .n_cached = c.n_cached,
               .queued_ms = ms_between(c.turn->submitted, c.started),
               .prompt_ms = ms_between(c.started, first),
               .predicted_ms = ms_between(first, now)};
  c.session->write(FinalEvent{nlohmann::ordered_json::parse(end.run.to_json())});
  add(totals_, *c.session);
  totals_.prompt_tokens += static_cast<std::uint64_t>(end.run.n_prompt);
  totals_.cached_tokens += static_cast<std::uint64_t>(end.n_cached);
  totals_.prompt_seconds += end.prompt_ms / 1000;
  totals_.generation_seconds += end.predicted_ms / 1000;
  if (c.session->finish_reason() == Finish::interrupted) ++totals_.cancelled;
  if (c.session->finish_reason() == Finish::error) ++totals_.failed;
  c.turn->reply->finish(std::move(end));
  c.turn.reset();
  c.reserved = 0;
}

RunResult Places::result(const Conversation& c) const {
  RunResult result = result_of(*c.session, *parts_.store);
  const Kv& kv = *parts_.kv;
  result.text = c.writer.text();
  result.text_hash = text_hash(result.text);
  result.n_ctx = c.reserved;
  result.peak_kv_bytes = kv.allocated_bytes() / static_cast<std::size_t>(kv.n_cells()) *
                         static_cast<std::size_t>(c.reserved);
  result.seed = c.turn->seed;
  return result;
}

void Places::forget(std::size_t place) {
  engine_.forget(*places_[place]->session);
  places_[place].reset();
}

void Places::interrupt_all() {
  for (const auto& c : places_) {
    if (c && c->running()) c->session->interrupt();
  }
}

void Places::describe(ServiceState& state) const {
  state.policy = limits_.run.policy;
  state.n_cells = parts_.kv->n_cells();
  state.kv_bytes = parts_.kv->allocated_bytes();
  state.stored_bytes = parts_.store->bytes();
  state.totals = totals_;
  for (std::size_t place = 0; place < places_.size(); ++place) {
    SlotState slot{.id = static_cast<int>(place)};
    if (const auto& c = places_[place]) {
      const Session& session = *c->session;
      const Residency& residency = session.residency();
      slot.use = !c->running()     ? SlotState::Use::kept
                 : session.reads() ? SlotState::Use::reading
                                   : SlotState::Use::generating;
      slot.budget = session.policy().bounded() ? session.options().budget : 0;
      slot.resident = residency.resident.size();
      slot.stored = residency.stored.size();
      slot.n_past = session.timeline().size();
      slot.n_prompt = session.n_prompt();
      slot.n_generated = session.stats().n_generated;
      slot.agreeability = session.stats().agreeability();
      slot.missed_mass = session.stats().missed_mean();
      state.resident += slot.resident;
      state.stored += slot.stored;
      state.dropped += session.decoded() - slot.resident - slot.stored;
      state.index_bytes += session.index_bytes();
      if (c->running()) add(state.totals, session);
    }
    state.slots.push_back(slot);
  }
}

}  // namespace zoomr
