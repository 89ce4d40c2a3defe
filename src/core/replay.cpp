#include "core/replay.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "core/span_set.h"
#include "core/text_hash.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

[[noreturn]] void wrong(const std::string& what) { throw Error(ErrorCode::failed, what); }

std::string word_of(const nlohmann::ordered_json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// What a record says of the run, where it says it, must be what the trace shows.
void expect(const nlohmann::ordered_json& record, const char* key, long long value) {
  const auto it = record.find(key);
  if (it == record.end() || (it->is_number_integer() && it->get<long long>() == value)) return;
  wrong(std::string(key) + " is " + std::to_string(value) + ", the final record says " +
        it->dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

// The text that a record tells of: all of it, or what stands before a stop text.
std::string_view told_part(const nlohmann::ordered_json& record, std::string_view text) {
  const auto it = record.find("text_bytes");
  if (it == record.end()) return text;
  const long long n_bytes = it->is_number_integer() ? it->get<long long>() : -1;
  if (n_bytes < 0 || n_bytes > static_cast<long long>(text.size())) {
    wrong("the final record tells of more text than there is");
  }
  return text.substr(0, static_cast<std::size_t>(n_bytes));
}

}  // namespace

void Replay::apply(const TraceEvent& event) {
  if (!started_ && !std::holds_alternative<RunEvent>(event)) {
    throw Error(ErrorCode::bad_input, "a trace begins with its run");
  }
  if (ended_ && !std::holds_alternative<EditEvent>(event) &&
      !std::holds_alternative<TurnEvent>(event)) {
    wrong("something follows the final record");
  }
  if (!std::holds_alternative<LineEvent>(event) && !std::holds_alternative<SegmentEvent>(event)) {
    close_lines(size());
  }
  std::visit([this](const auto& e) { on(e); }, event);
}

void Replay::on(const RunEvent& event) {
  if (started_) wrong("a second run in one trace");
  started_ = true;
  n_turns_ = 1;
  run_ = event;
  hides_summaries_ = word_of(event.options, "summaries") == "injected";
}

void Replay::on(const TokenEvent& event) {
  if (event.pos != size()) {
    wrong("token " + std::to_string(event.pos) + " comes out of order: " + std::to_string(size()) +
          " is next");
  }
  // The kind of an open segment is that of its last token; its own event has the last word.
  if (segments().empty() || segments().back().closed) {
    timeline_.open_segment(event.kind, false);
  } else {
    timeline_.retype_open(event.kind);
  }
  timeline_.append(event.id);
  pieces_.push_back(event.piece);
  kinds_.push_back(event.kind);
  ++(event.kind == SegmentKind::prompt ? counts_.n_prompt : counts_.n_generated);
  if (!hides(event.kind)) text_ += event.piece;
}

void Replay::on(const LineEvent& event) {
  const Pos begin = closed_.empty() ? timeline_.open_line().begin : closed_.back().end;
  if (event.span.begin != begin || event.span.empty() || event.span.end > size()) {
    wrong("the line " + to_string(event.span) + " does not follow the one before it");
  }
  closed_.push_back(event.span);
}

void Replay::on(const SegmentEvent& event) {
  const std::string what = "the segment " + to_string(event.span);
  const auto n_segments = static_cast<int>(segments().size());
  const bool is_open = n_segments > 0 && !segments().back().closed;
  if (!is_open || event.index != n_segments - 1 ||
      event.span.begin != segments().back().span.begin || event.span.empty() ||
      event.span.end > size()) {
    wrong(what + " does not follow the one before it");
  }
  close_lines(event.span.end);
  if (timeline_.open_line().begin != event.span.end) wrong(what + " does not end with a line");
  timeline_.retype_open(event.kind, event.pinned);
  timeline_.close_segment(event.span.end);
  if (event.kind == SegmentKind::summary && event.partner >= 0) {
    if (event.partner >= event.index ||
        segments()[static_cast<std::size_t>(event.partner)].kind != SegmentKind::thought) {
      wrong(what + " sums up what is no thought");
    }
    timeline_.pair(event.partner, event.index);
  }
  // Tokens behind its end are the next segment's.
  if (event.span.end < size()) timeline_.open_segment(kinds_.back(), false);
}

// The edits of a step are done when the next one decodes: then the invariants hold.
void Replay::on(const DecodeEvent& event) {
  if (event.span.begin != decoded_ || event.span.empty() || event.span.end > size()) {
    wrong("the decode of " + to_string(event.span) + " does not go on at " +
          std::to_string(decoded_));
  }
  check_invariants(event.span.size());
  residency_.resident.insert(event.span);
  decoded_ = event.span.end;
  counts_.peak_resident = std::max(counts_.peak_resident, residency_.resident.size());
}

void Replay::on(const VoteEvent& event) {
  if (event.result.at >= decoded_) wrong("a vote of a token that is not decoded");
  ++counts_.votes;
}

void Replay::on(const EditEvent& event) {
  const std::string span = to_string(event.span);
  if (event.span.empty() || event.span.end > decoded_) {
    wrong("an edit of " + span + ", where [0," + std::to_string(decoded_) + ") is decoded");
  }
  if (!event.ok) {
    ++counts_.failed_edits;
    return;
  }
  ++counts_.edits;
  counts_.bytes_moved += event.bytes;
  SpanSet& resident = residency_.resident;
  SpanSet& stored = residency_.stored;
  switch (event.kind) {
    case EditKind::out:
      if (!resident.covers(event.span)) wrong(span + " goes out but is not resident");
      resident.erase(event.span);
      stored.insert(event.span);
      ++counts_.zoom_outs;
      break;
    case EditKind::in:
      if (!stored.covers(event.span)) wrong(span + " comes in but is not stored");
      stored.erase(event.span);
      resident.insert(event.span);
      ++counts_.zoom_ins;
      // Between two turns nothing is decoded: what comes back then may make room afterwards.
      if (!ended_ && resident.size() > budget()) {
        wrong(span + " comes in beyond the budget of " + std::to_string(run_.budget));
      }
      break;
    case EditKind::drop: {
      SpanSet held = resident;
      held.insert(stored);
      // What a cut drops may have lost some tokens before.
      if (!ended_ && !held.covers(event.span)) wrong(span + " is dropped but is not held");
      resident.erase(event.span);
      stored.erase(event.span);
      break;
    }
    case EditKind::compact:
      if (!resident.covers(event.span)) wrong(span + " is compacted but is not resident");
      break;
    case EditKind::again:
      if (event.span.end != decoded_ || !resident.covers(event.span)) {
        wrong(span + " is looked at again but is not the newest");
      }
      resident.erase(event.span);
      decoded_ = event.span.begin;
      counts_.second_looks += event.span.size();
      break;
  }
}

void Replay::on(const NoteEvent& event) { notes_.push_back(event.text); }

void Replay::on(const FinalEvent& event) {
  ended_ = true;
  const auto& record = event.record;
  // A run that failed may have ended in the middle of a step; any other could have gone on, and one
  // that was interrupted might have made room first.
  const std::string reason = word_of(record, "finish_reason");
  if (reason != "error") check_invariants(reason == "interrupted" ? 0 : 1);
  const std::string hash = text_hash(told_part(record, text_));
  if (word_of(record, "text_hash") != hash) {
    wrong("the text's hash is " + hash + ", the final record says '" +
          word_of(record, "text_hash") + "'");
  }
  expect(record, "n_prompt", counts_.n_prompt);
  expect(record, "n_generated", counts_.n_generated);
  expect(record, "peak_resident_tokens", counts_.peak_resident);
  expect(record, "stored_tokens", residency_.stored.size());
  expect(record, "zoom_ins", counts_.zoom_ins);
  expect(record, "zoom_outs", counts_.zoom_outs);
  expect(record, "second_looks", counts_.second_looks);
  expect(record, "votes", counts_.votes);
  expect(record, "bytes_moved", static_cast<long long>(counts_.bytes_moved));
  complete_ = true;
}

void Replay::on(const TurnEvent& event) {
  if (!ended_) wrong("a turn more, where the one before it has no final record");
  const auto line = timeline_.line_at(event.at - 1);
  const bool ends_a_line = line && lines()[static_cast<std::size_t>(*line)].span.end == event.at;
  if (event.at < 1 || !ends_a_line) {
    wrong("a turn more keeps " + std::to_string(event.at) + " tokens: no line ends there");
  }
  if (!segments().back().closed) wrong("a turn more, where a segment is still open");
  timeline_.truncate(event.at);
  pieces_.resize(static_cast<std::size_t>(event.at));
  kinds_.resize(static_cast<std::size_t>(event.at));
  for (std::size_t i = 0; i < segments().size(); ++i) {
    if (segments()[i].span.end > event.pinned) timeline_.pin(static_cast<int>(i), false);
  }
  decoded_ = std::min(decoded_, event.at);
  run_.budget = event.budget;
  text_.clear();
  counts_ = {};
  counts_.n_prompt = event.at;
  ended_ = false;
  complete_ = false;
  ++n_turns_;
}

// Puts the lines that end at `end` or before into the timeline.
void Replay::close_lines(Pos end) {
  while (!closed_.empty() && closed_.front().end <= end) {
    timeline_.close_line(closed_.front().end);
    closed_.pop_front();
  }
}

void Replay::check_invariants(Pos n_next) const {
  const std::string broken = broken_invariant(
      residency_, timeline_,
      {.decoded = decoded_, .budget = budget(), .n_next = n_next, .unit = run_.unit});
  if (!broken.empty()) wrong(broken);
}

Pos Replay::budget() const {
  constexpr Pos kUnbounded = std::numeric_limits<Pos>::max();
  return run_.budget > 0 ? run_.budget : kUnbounded;
}

// Is a token of this kind no part of the text? The prompt is not, nor are summaries that the engine
// asked for.
bool Replay::hides(SegmentKind kind) const {
  if (kind == SegmentKind::prompt) return true;
  return kind == SegmentKind::summary && hides_summaries_;
}

SpanSet Replay::dropped() const {
  SpanSet gone{{0, decoded_}};
  gone.erase(residency_.resident);
  gone.erase(residency_.stored);
  return gone;
}

std::string Replay::text(Span span) const {
  std::string text;
  for (Pos pos = std::max(span.begin, 0); pos < std::min(span.end, size()); ++pos) {
    text += pieces_[static_cast<std::size_t>(pos)];
  }
  return text;
}

}  // namespace zoomr
