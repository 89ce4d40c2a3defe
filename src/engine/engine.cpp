#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "core/certainty.h"
#include "core/check.h"
#include "kv/cells.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

std::string in_words(DecodeStatus status) {
  switch (status) {
    case DecodeStatus::ok:
      return "decoded";
    case DecodeStatus::no_room:
      return "no free cell in the context";
    case DecodeStatus::aborted:
      return "interrupted";
    case DecodeStatus::failed:
      return "the back end failed to decode";
  }
  return "?";
}

void add_rows(std::vector<BatchToken>& batch, const Session& session, Span span) {
  for (Pos pos = span.begin; pos < span.end; ++pos) {
    batch.push_back({.token = session.timeline().tokens()[static_cast<std::size_t>(pos)],
                     .pos = pos,
                     .seq = session.options().seq,
                     .logits = false});
  }
}

// What goes wrong in one session ends that one alone.
template <typename Body>
void alone(Session& session, Body&& body) {
  try {
    std::forward<Body>(body)();
  } catch (const Error& error) {
    session.fail(error.what(), error.code());
  } catch (const std::exception& error) {
    session.fail(error.what(), ErrorCode::bug);
  }
}

}  // namespace

void Engine::step(std::span<Session* const> sessions, Looks looks) {
  for (Session* session : sessions) {
    alone(*session, [&] {
      if (session->needs_room()) follow_plan(*session);
      foresee(*session);
    });
  }
  const Step step = gather(sessions);  // needs, arm
  if (step.batch.empty() || !decode(step)) return;
  std::vector<Session*> again;
  for (const Slice& slice : step.slices) {
    alone(*slice.session, [&] {
      if (follow_plan(*slice.session, logits_of(slice))) {
        again.push_back(slice.session);
      } else {
        sample(slice);
      }
    });
  }
  // Where nobody else goes on there is no batch to wait for.
  if (looks == Looks::at_once || again.size() == step.slices.size()) look_again(again);
  compact(sessions);
  store_.prepare();
}

void Engine::look_again(std::span<Session* const> sessions) {
  const Step step = gather(sessions);
  if (step.batch.empty() || !decode(step)) return;
  for (const Slice& slice : step.slices) {
    alone(*slice.session, [&] {
      follow_plan(*slice.session);
      sample(slice);
    });
  }
}

// False when nothing was decoded: the sessions have ended then.
bool Engine::decode(const Step& step) {
  const auto start = Clock::now();
  const DecodeStatus status = kv_.decode(step.batch, step.capture);
  const double decode_ms = microseconds_since(start) / 1000;
  if (status != DecodeStatus::ok) {
    for (const Slice& slice : step.slices) {
      if (status == DecodeStatus::aborted) {
        slice.session->interrupt();
      } else {
        slice.session->fail(in_words(status));
      }
    }
    return false;
  }
  for (const Slice& slice : step.slices) {
    alone(*slice.session, [&] {
      slice.session->observe(slice.span, slice.needs, kv_.observation(), slice.rows, decode_ms);
    });
  }
  return true;
}

void Engine::sample(const Slice& slice) {
  if (!slice.session->running()) return;
  slice.session->sample(logits_of(slice));
}

std::span<const float> Engine::logits_of(const Slice& slice) {
  return slice.logits_row < 0 ? std::span<const float>{} : kv_.logits(slice.logits_row);
}

bool Engine::follow_plan(Session& session, std::span<const float> logits) {
  if (!session.running()) return false;
  const Plan plan = session.plan();
  const Edit edit = diff(session.residency(), plan, session.timeline());
  apply(edit, session);  // logs what was really applied
  if (!session.running()) return false;
  const std::string broken = session.broken_invariant();
  if (!broken.empty()) throw Error(ErrorCode::bug, "invariant broken: " + broken);
  if (plan.again_from < 0 || !kv_.can_rewind()) return false;
  if (!session.may_look_again(plan.again_from)) return false;
  if (plan.unless_sure <= 1 && certainty(logits) >= plan.unless_sure) return false;
  const Span span{plan.again_from, session.decoded()};
  kv_.drop(session.options().seq, span);
  session.applied({.kind = EditKind::again, .span = span});
  return true;
}

void Engine::foresee(Session& session) {
  if (!session.running() || !session.policy().foresees()) return;
  check(unhidden_ != nullptr, "a policy that foresees has its second context");
  const Span span{session.foreseen(), session.pending(unhidden_->max_batch()).end};
  if (span.empty()) return;  // the last batch had no room for all of them
  std::vector<BatchToken> batch;
  Capture capture{.keys = {.all = true}, .queries = {.all = true}};
  add_rows(batch, session, span);
  for (int row = 0; row < span.size(); ++row) capture.key_rows.push_back(row);
  capture.query_rows.push_back(span.size() - 1);
  const DecodeStatus status = unhidden_->decode(batch, capture);
  if (status != DecodeStatus::ok) {
    return session.fail("the context that holds everything: " + in_words(status));
  }
  session.foresee(span, unhidden_->observation());
  if (session.decoded() > 0) follow_plan(session);
}

Engine::Step Engine::gather(std::span<Session* const> sessions) const {
  Step step;
  std::size_t n_key_rows = 0;
  std::size_t n_query_rows = 0;
  for (Session* session : sessions) {
    const int room = kv_.max_batch() - static_cast<int>(step.batch.size());
    if (!session->running() || room <= 0) continue;
    Slice slice{.session = session, .span = session->pending(room)};
    if (slice.span.empty()) continue;
    alone(*session, [&] { slice.needs = session->needs(slice.span); });
    if (!session->running()) continue;
    const int first_row = static_cast<int>(step.batch.size());
    add_rows(step.batch, *session, slice.span);
    const int last_row = static_cast<int>(step.batch.size()) - 1;
    if (session->wants_logits(slice.span)) {
      step.batch.back().logits = true;
      slice.logits_row = last_row;
    }
    merge(step.capture.keys, slice.needs.keys);
    merge(step.capture.queries, slice.needs.queries);
    if (slice.needs.keys.any()) {
      slice.rows.first_key = n_key_rows;
      slice.rows.n_keys = static_cast<std::size_t>(slice.span.size());
      n_key_rows += slice.rows.n_keys;
      for (int row = first_row; row <= last_row; ++row) step.capture.key_rows.push_back(row);
    }
    const Pos n_asking = session->n_asking(slice.span, slice.needs);
    slice.rows.first_query = n_query_rows;
    slice.rows.n_queries = static_cast<std::size_t>(n_asking);
    n_query_rows += slice.rows.n_queries;
    for (int row = last_row + 1 - n_asking; row <= last_row; ++row) {
      step.capture.query_rows.push_back(row);
    }
    step.slices.push_back(std::move(slice));
  }
  return step;
}

// Drops and outs first: they make the room that ins need. A failed out leaves its line resident; if
// the next decode would then break the budget the session ends, and nothing is lost.
void Engine::apply(const Edit& edit, Session& session) {
  for (const Span span : edit.drop) session.applied(drop(session, span));
  Pos kept = 0;
  for (const Span span : edit.out) {
    const EditEvent event = zoom_out(session, span);
    session.applied(event);
    if (!event.ok) kept += span.size();
  }
  for (const Span span : edit.in) {
    if (kept > 0) break;  // the room that this line was to take is not there
    session.applied(zoom_in(session, span));
    if (!session.running()) return;
  }
  if (kept > 0 && !session.broken_invariant().empty()) {
    session.fail(std::to_string(kept) + " tokens could not be stored; the run ends here");
  }
}

EditEvent Engine::drop(Session& session, Span span) {
  const auto start = Clock::now();
  const Residency& now = session.residency();
  for (const Span part : now.resident.intersection({span}).spans()) {
    kv_.drop(session.options().seq, part);
  }
  for (const Line& line : session.timeline().lines()) {
    if (span.contains(line.span)) store_.erase({session.id(), line.span});
  }
  return {.kind = EditKind::drop, .span = span, .us = microseconds_since(start)};
}

EditEvent Engine::zoom_out(Session& session, Span span) {
  EditEvent event{.kind = EditKind::out, .span = span};
  const auto start = Clock::now();
  const StoreKey key{session.id(), span};
  if (!store_.contains(key)) {  // a closed line never changes: it is saved once
    Blob blob = kv_.save(session.options().seq, span);
    event.bytes = blob.size();
    if (blob.empty()) {
      event.why = "save failed";
    } else if (store_.put(key, kv_.fingerprint(), std::move(blob)) != ThoughtStore::Status::ok) {
      event.why = "the store is full";
    }
  }
  event.ok = event.why.empty();
  if (event.ok) kv_.drop(session.options().seq, span);
  event.us = microseconds_since(start);
  return event;
}

EditEvent Engine::zoom_in(Session& session, Span span) {
  EditEvent event{.kind = EditKind::in, .span = span, .ok = false};
  const auto start = Clock::now();
  const ThoughtStore::Found found = store_.get({session.id(), span}, kv_.fingerprint());
  if (found.status == ThoughtStore::Status::ok) {
    event.bytes = found.blob.size();
    event.ok = kv_.restore(session.options().seq, span, found.blob);
    if (!event.ok) event.why = "restore refused";
  } else {
    event.why = found.status == ThoughtStore::Status::damaged   ? "its bytes are damaged"
                : found.status == ThoughtStore::Status::foreign ? "it is of another context"
                                                                : "it is not in the store";
    session.fail("the stored line " + to_string(span) + " cannot come back: " + event.why);
  }
  event.us = microseconds_since(start);
  return event;
}

// Attention costs follow the highest used cell, and libllama never moves one. A line that sits
// there while there is free room below is taken out and put back: it lands in the lowest free
// cells.
void Engine::compact(std::span<Session* const> sessions) {
  Pos resident = 0;
  for (const Session* session : sessions) resident += session->residency().resident.size();
  constexpr int kMostMoves = 8;  // a step
  const int most = whole_steps(resident) + kCellStep;
  for (int i = 0; i < kMostMoves && whole_steps(kv_.used_width()) > most; ++i) {
    if (!compact_topmost(sessions)) return;
  }
}

bool Engine::compact_topmost(std::span<Session* const> sessions) {
  const auto top = kv_.topmost();
  if (!top) return false;
  const auto owner = std::find_if(sessions.begin(), sessions.end(), [&](const Session* session) {
    return session->options().seq == top->seq;
  });
  if (owner == sessions.end() || (*owner)->finish_reason() == Finish::error) return false;
  Session& session = **owner;
  const auto line = session.timeline().line_at(top->pos);
  if (!line) return false;  // the open line moves when it is closed
  const Span whole = session.timeline().lines()[static_cast<std::size_t>(*line)].span;
  if (whole.contains(session.decoded() - 1)) return false;  // the newest position is never hidden
  for (const Span part : session.residency().resident.intersection({whole}).spans()) {
    if (!part.contains(top->pos)) continue;
    EditEvent event{.kind = EditKind::compact, .span = part};
    const auto start = Clock::now();
    Blob blob = kv_.save(top->seq, part);
    if (blob.empty()) return false;
    event.bytes = blob.size();
    kv_.drop(top->seq, part);
    if (!kv_.restore(top->seq, part, blob.view())) {
      // Nothing is lost: it stays in the store, and may come back as any stored line.
      const bool kept = store_.put({session.id(), part}, kv_.fingerprint(), std::move(blob)) ==
                        ThoughtStore::Status::ok;
      event.kind = kept ? EditKind::out : EditKind::drop;
      event.why = "compaction could not put it back";
      session.applied(event);
      if (!session.broken_invariant().empty()) session.fail("a line that must stay could not");
      return false;
    }
    event.us = microseconds_since(start);
    session.applied(event);
    return true;
  }
  return false;
}

bool Engine::zoom_out_whole(Session& session) {
  if (!kv_.can_rewind()) return false;  // a recurrent state would be lost
  const SpanSet held = session.residency().resident;
  if (held.empty()) return true;
  Plan nothing;
  nothing.stored = held;
  nothing.stored.insert(session.residency().stored);
  for (const Span span : diff(session.residency(), nothing, session.timeline()).out) {
    const EditEvent event = zoom_out(session, span);
    session.applied(event);
    if (!event.ok) return false;
  }
  session.rest(held);
  return true;
}

bool Engine::zoom_in_whole(Session& session) {
  Plan plan{session.residency().resident, session.residency().stored};
  plan.resident.insert(session.resting());
  plan.stored.erase(session.resting());
  for (const Span span : diff(session.residency(), plan, session.timeline()).in) {
    const EditEvent event = zoom_in(session, span);
    session.applied(event);
    if (!event.ok) return false;
  }
  session.rest({});
  // Of policies that drop nothing is to stay in the store.
  if (session.residency().stored.empty()) store_.erase_session(session.id());
  return true;
}

bool Engine::cut(Session& session, Pos end) {
  const Residency& now = session.residency();
  SpanSet held = now.resident;
  held.insert(now.stored);
  if (!kv_.can_rewind() || end <= 0 || !held.covers({0, end})) return false;
  const bool resident = now.resident.contains(end - 1);
  if (!resident && !zoom_out_whole(session)) return false;
  const Span tail{end, session.decoded()};
  if (!tail.empty()) {
    if (resident) kv_.drop(session.options().seq, tail);
    store_.erase_behind(session.id(), end);
    session.applied({.kind = EditKind::drop, .span = tail});
  }
  session.cut(end);
  return true;
}

Pos Engine::share(const Session& from, Session& session) {
  if (!kv_.can_rewind()) return 0;  // a recurrent state is of all that was read
  const Pos n_tokens = session.shared_with(from);
  if (n_tokens == 0) return 0;
  kv_.share(from.options().seq, session.options().seq, {0, n_tokens});
  session.adopt(from, n_tokens);
  return n_tokens;
}

void Engine::forget(const Session& session) {
  if (session.foreseen() > 0) unhidden_->drop(session.options().seq, {0, session.foreseen()});
  if (session.decoded() > 0) kv_.drop(session.options().seq, {0, session.timeline().size()});
  store_.erase_session(session.id());
}

}  // namespace zoomr
