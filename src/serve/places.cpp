#include "serve/places.h"

#include <algorithm>
#include <utility>

#include "core/text_hash.h"
#include "engine/run_result.h"
#include "engine/run_settings.h"
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

// As the turn's tokens are really drawn.
nlohmann::ordered_json settings_of(const Turn& turn) {
  SamplingOptions sampling = turn.request.sampling;
  sampling.seed = turn.seed;
  return sampling_settings(sampling);
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

Pos Places::cells_free(Place except, Idle idle) const {
  std::vector<SeqId> holders;
  Pos promised = 0;  // beyond what is held
  for (Place place = 0; place < places_.size(); ++place) {
    const auto& c = places_[place];
    if (!c || place == except || (!c->running() && idle == Idle::leave)) continue;
    holders.push_back(static_cast<SeqId>(place));
    if (!c->running()) continue;
    promised += c->reserved - c->resident();
    // What is shared and leaves comes back to cells of its own.
    if (!c->session->keeps_beginning(c->n_shared)) promised += c->n_shared;
  }
  return parts_.kv->n_cells() - parts_.kv->n_used_by(holders) - promised;
}

Pos Places::cells_for(const Turn& turn, Pos n_prompt) const {
  const SessionOptions& options = turn.options;
  const Pos most = std::min(options.budget, options.max_positions);
  const int n_predict = turn.request.n_predict;
  return n_predict < 0 ? most : std::min(most, n_prompt + n_predict);
}

Places::Place Places::oldest_kept(bool resident, Place except) const {
  Place oldest = kNone;
  for (Place place = 0; place < places_.size(); ++place) {
    const auto& c = places_[place];
    if (!c || place == except || c->running() || (resident && c->resident() == 0)) continue;
    if (oldest == kNone || c->used < places_[oldest]->used) oldest = place;
  }
  return oldest;
}

// The longest one by messages, else by tokens.
Places::Match Places::match(const Turn& turn) const {
  Match best;
  std::size_t n_messages = 0;
  const bool all_taken = std::find(places_.begin(), places_.end(), nullptr) == places_.end();
  for (Place place = 0; place < places_.size(); ++place) {
    const auto& c = places_[place];
    if (!c || c->running() || limits_.strict_turns || c->messages.size() <= n_messages) continue;
    auto go_on = by_messages(*c, turn, parts_.vocabulary);
    if (!go_on) continue;
    n_messages = c->messages.size();
    best = {place, std::move(*go_on)};
  }
  if (best.place != kNone) return best;
  for (Place place = 0; place < places_.size(); ++place) {
    const auto& c = places_[place];
    if (!c || c->running()) continue;
    auto go_on = by_tokens(*c, turn);
    if (!go_on || go_on->keep <= best.go_on.keep) continue;
    if (all_taken || may_be_cut(*c, turn, *go_on)) best = {place, std::move(*go_on)};
  }
  return best;
}

// REQUIRES: so many are free when all idle ones are out.
void Places::zoom_out_idle(Pos n_cells, Place except) {
  while (cells_free(except) < n_cells) {
    const Place place = oldest_kept(true, except);
    if (!engine_.zoom_out_whole(*places_[place]->session)) forget(place);
  }
}

// A free place, or that of the oldest kept conversation, which is forgotten; kNone: all run.
Places::Place Places::make_place() {
  auto place =
      static_cast<Place>(std::find(places_.begin(), places_.end(), nullptr) - places_.begin());
  if (place < places_.size()) return place;
  place = oldest_kept(false, kNone);
  if (place != kNone) forget(place);
  return place;
}

bool Places::start(std::unique_ptr<Turn>& turn) {
  const auto n_prompt = static_cast<Pos>(turn->tokens.size());
  const Pos n_alone = cells_for(*turn, n_prompt);
  const bool all_run =
      std::all_of(places_.begin(), places_.end(), [](const auto& c) { return c && c->running(); });
  if (all_run || n_alone > cells_free(kNone, Idle::leave)) return false;
  Match found = match(*turn);
  Pos n_cells = n_alone;
  if (found.place != kNone) {
    const Conversation& c = *places_[found.place];
    const Pos n_resting = c.session->resting_until(found.go_on.keep).size();
    const Pos n_held = std::max(c.resident(), n_resting);
    const Pos n_total = found.go_on.keep + static_cast<Pos>(found.go_on.more.size());
    n_cells = std::max(cells_for(*turn, n_total), n_held);
    // What a smaller budget cannot take back is read again.
    if (n_held > turn->options.budget || n_cells > parts_.kv->n_cells()) found.place = kNone;
  }
  n_cells = found.place == kNone ? n_alone : std::max(n_cells, n_alone);
  if (n_cells > cells_free(found.place, Idle::leave)) return false;
  turn->n_cells = n_cells;
  const Place place = found.place != kNone ? found.place : make_place();
  zoom_out_idle(n_cells, place);
  answer(place, std::move(turn), found);
  return true;
}

void Places::answer(Place place, std::unique_ptr<Turn> turn, const Match& found) {
  const std::shared_ptr<Reply> reply = turn->reply;
  try {
    if (found.place != kNone && go_on(found, *turn)) {
      take(*places_[place], std::move(turn));
      return;
    }
    if (places_[place]) forget(place);
    begin(place, std::move(turn));
  } catch (const std::exception& error) {
    if (places_[place]) forget(place);
    ++totals_.failed;
    ReplyEnd end;
    end.run.finish_reason = to_string(Finish::error);
    end.run.failure = error.what();
    reply->finish(std::move(end));
  }
}

// The conversation's next turn; false: it cannot go on exactly, and is to be read again.
bool Places::go_on(const Match& found, Turn& turn) {
  Conversation& c = *places_[found.place];
  Session& session = *c.session;
  const Pos keep = found.go_on.keep;
  if (keep < session.timeline().size() && !engine_.cut(session, keep)) return false;
  if (!session.resting().empty() && !engine_.zoom_in_whole(session)) return false;
  SessionOptions options = turn.options;
  options.seq = session.options().seq;
  options.probe = &c.writer;
  if (!session.can_go_on(options, static_cast<Pos>(found.go_on.more.size()))) return false;
  c.n_cached = session.decoded();
  c.writer.begin(turn.reply, turn.request.stops, turn.request.n_top);
  session.write(TurnEvent{.at = session.timeline().size(),
                          .pinned = session.head(),
                          .budget = session.policy().bounded() ? options.budget : 0,
                          .options = settings_of(turn)});
  session.go_on(options, std::move(turn.sampler), found.go_on.more);
  return true;
}

void Places::take(Conversation& c, std::unique_ptr<Turn> turn) {
  c.reserved = turn->n_cells;
  c.turn = std::move(turn);
  c.used = ++n_used_;
  c.started = Clock::now();
  c.first_token = {};
  ++totals_.requests;
}

void Places::begin(Place place, std::unique_ptr<Turn> turn) {
  const bool hides = turn->options.summaries == SummaryMode::injected;
  places_[place] =
      std::make_unique<Conversation>(++n_conversations_, events_, parts_.vocabulary, hides);
  Conversation& c = *places_[place];
  SessionOptions options = turn->options;
  options.seq = static_cast<SeqId>(place);
  options.probe = &c.writer;
  auto policy = make_policy(limits_.run.policy, limits_.run.settings);
  const Pos budget = policy->bounded() ? options.budget : 0;
  c.writer.begin(turn->reply, turn->request.stops, turn->request.n_top);
  c.session = std::make_unique<Session>(n_conversations_, options, std::move(policy),
                                        std::move(turn->sampler), parts_.vocabulary,
                                        std::vector<TraceSink*>{&c.writer, &c.events});
  RunEvent run = parts_.introduce(budget);
  run.options.update(settings_of(*turn));
  c.session->write(run);
  c.session->begin(turn->tokens);
  share_beginning(c);
  take(c, std::move(turn));
}

// A system prompt that another conversation holds is not read once more.
void Places::share_beginning(Conversation& c) {
  Conversation* longest = nullptr;
  Pos n_shared = 0;
  for (const auto& other : places_) {
    if (!other || other.get() == &c) continue;
    const Pos n = c.session->shared_with(*other->session);
    if (n <= n_shared) continue;
    n_shared = n;
    longest = other.get();
  }
  if (longest == nullptr) return;
  c.n_cached = engine_.share(*longest->session, *c.session);
  c.n_shared = c.n_cached;
  longest->n_shared = std::max(longest->n_shared, c.n_shared);
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
    engine_.step(sessions, Engine::Looks::join);
  } catch (const std::exception& error) {
    for (Session* session : sessions) session->fail(error.what());
  }
  ++totals_.decodes;
  for (const auto& c : places_) {
    if (!c || !c->running()) continue;
    n_to_read -= std::max(0, c->session->n_prompt() - c->session->decoded());
  }
  pace_.count(n_writing, n_to_read, ms_between(start, Clock::now()));
  for (Place place = 0; place < places_.size(); ++place) {
    if (!places_[place] || !places_[place]->running()) continue;
    Conversation& c = *places_[place];
    hand_over(c);
    const bool useless = c.session->finish_reason() == Finish::error || c.session->decoded() == 0;
    if (!c.running() && useless) forget(place);
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
  FinalEvent final = final_event(end.run);
  // The text ends before the stop text; the tokens do not.
  if (!end.stop_text.empty()) final.record["text_bytes"] = c.writer.text().size();
  c.session->write(final);
  add(totals_, *c.session);
  totals_.prompt_tokens += static_cast<std::uint64_t>(end.run.n_prompt);
  totals_.cached_tokens += static_cast<std::uint64_t>(end.n_cached);
  totals_.prompt_seconds += end.prompt_ms / 1000;
  totals_.generation_seconds += end.predicted_ms / 1000;
  if (c.session->finish_reason() == Finish::interrupted) ++totals_.cancelled;
  if (c.session->finish_reason() == Finish::error) ++totals_.failed;
  keep(c);
  c.turn->reply->finish(std::move(end));
  c.turn.reset();
  c.reserved = 0;
}

// What the next turn goes on with.
void Places::keep(Conversation& c) {
  const auto cut = c.writer.stop_cut();
  c.n_said = cut ? cut->pos : c.session->timeline().size();
  c.messages.clear();
  const ServeRequest& request = c.turn->request;
  // A stop text that begins inside of a token leaves no place where the next turn could go on.
  if (request.messages.empty() || !request.as_message || (cut && !cut->exact)) return;
  std::string message;
  try {
    message = request.as_message(c.writer.text());
  } catch (const std::exception&) {
    return;  // a reply that cannot be told as a message is found by its tokens only
  }
  if (message.empty() || c.writer.text().empty()) return;
  c.messages = request.messages;
  c.messages.push_back(std::move(message));
}

RunResult Places::result(const Conversation& c) const {
  RunResult result = result_of(*c.session, *parts_.store, *parts_.kv, c.reserved);
  result.text = c.writer.text();
  result.text_hash = text_hash(result.text);
  result.seed = c.turn->seed;
  return result;
}

void Places::forget(Place place) {
  if (places_[place]->session) engine_.forget(*places_[place]->session);
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
  state.resident = parts_.kv->n_used();
  state.kv_bytes = parts_.kv->allocated_bytes();
  state.stored_bytes = parts_.store->bytes();
  state.totals = totals_;
  for (Place place = 0; place < places_.size(); ++place) {
    SlotState slot{.id = static_cast<int>(place)};
    if (const auto& c = places_[place]) {
      const Session& session = *c->session;
      const Residency& residency = session.residency();
      slot.use = !c->running()     ? SlotState::Use::kept
                 : session.reads() ? SlotState::Use::reading
                                   : SlotState::Use::generating;
      slot.budget = session.policy().bounded() ? session.options().budget : 0;
      slot.resident = residency.resident.size();
      slot.peak_resident = session.stats().peak_resident;
      slot.stored = residency.stored.size();
      slot.n_past = session.timeline().size();
      slot.n_prompt = session.n_prompt();
      slot.n_generated = session.stats().n_generated;
      slot.agreeability = session.stats().agreeability();
      slot.missed_mass = session.stats().missed_mean();
      state.stored += slot.stored;
      state.dropped += session.decoded() - slot.resident - slot.stored;
      state.index_bytes += session.index_bytes();
      if (c->running()) {
        add(state.totals, session);
        if (c->first_token != Clock::time_point{}) {
          state.totals.generation_seconds += ms_between(c->first_token, Clock::now()) / 1000;
        }
      }
    }
    state.slots.push_back(slot);
  }
}

}  // namespace zoomr
