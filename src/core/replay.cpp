#include "core/replay.h"

#include <algorithm>

#include "core/text_hash.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

[[noreturn]] void wrong(const std::string& what) { throw Error(ErrorCode::failed, what); }

std::string in_words(Span span) {
  return "[" + std::to_string(span.begin) + "," + std::to_string(span.end) + ")";
}

}  // namespace

void Replay::apply(const TraceEvent& event) {
  if (!started_ && !std::holds_alternative<RunEvent>(event)) {
    throw Error(ErrorCode::bad_input, "a trace begins with its run");
  }
  if (complete_) wrong("something follows the final record");
  std::visit([this](const auto& e) { on(e); }, event);
}

void Replay::on(const RunEvent& event) {
  if (started_) wrong("a second run in one trace");
  started_ = true;
  run_ = event;
}

// The next tokens are sampled when all edits of a step are done: then the invariants hold.
void Replay::on(const TokenEvent& event) {
  if (event.pos != size()) wrong("token " + std::to_string(event.pos) + " comes out of order");
  if (event.kind != SegmentKind::prompt && decoded_ == size()) check_invariants();
  pieces_.push_back(event.piece);
  if (segments_.empty() || segments_.back().closed) {
    const Pos begin = segments_.empty() ? 0 : segments_.back().span.end;
    segments_.push_back({.kind = event.kind, .span = {begin, begin}});
  }
  segments_.back().span.end = size();
  segments_.back().kind = event.kind;
  const bool hidden =
      event.kind == SegmentKind::summary && run_.options.value("summaries", "") == "injected";
  if (event.kind != SegmentKind::prompt && !hidden) text_ += event.piece;
}

void Replay::on(const LineEvent& event) {
  const Pos begin = lines_.empty() ? 0 : lines_.back().span.end;
  if (event.span.begin != begin || event.span.empty() || event.span.end > size()) {
    wrong("the line " + in_words(event.span) + " does not follow the one before it");
  }
  const int segment = segments_.empty() ? 0 : static_cast<int>(segments_.size()) - 1;
  lines_.push_back({event.span, segment});
}

void Replay::on(const SegmentEvent& event) {
  const Pos begin =
      event.index == 0 ? 0 : segments_.at(static_cast<std::size_t>(event.index) - 1).span.end;
  const auto i = static_cast<std::size_t>(event.index);
  if (i + 1 != segments_.size() || event.span.begin != begin || event.span.end > size()) {
    wrong("the segment " + in_words(event.span) + " does not follow the one before it");
  }
  segments_[i] = {event.kind, event.span, true, event.pinned, event.partner};
  if (event.partner >= 0 && event.partner < event.index) {
    segments_[static_cast<std::size_t>(event.partner)].partner = event.index;
  }
  for (auto line = lines_.rbegin(); line != lines_.rend() && line->span.begin >= event.span.begin;
       ++line) {
    line->segment = event.index;
  }
  // Tokens behind its end are the next segment's.
  if (event.span.end < size()) {
    segments_.push_back({.kind = event.kind, .span = {event.span.end, size()}});
  }
}

void Replay::on(const DecodeEvent& event) {
  if (event.span.begin != decoded_ || event.span.empty() || event.span.end > size()) {
    wrong("the decode of " + in_words(event.span) + " does not go on at " +
          std::to_string(decoded_));
  }
  residency_.resident.insert(event.span);
  decoded_ = event.span.end;
  counts_.peak_resident = std::max(counts_.peak_resident, residency_.resident.size());
  if (run_.budget > 0 && residency_.resident.size() > run_.budget) {
    wrong(std::to_string(residency_.resident.size()) + " resident tokens exceed the budget of " +
          std::to_string(run_.budget));
  }
}

void Replay::on(const VoteEvent& event) {
  if (event.result.at >= decoded_) wrong("a vote of a token that is not decoded");
  ++counts_.votes;
}

void Replay::on(const EditEvent& event) {
  if (!event.ok) {
    ++counts_.failed_edits;
    return;
  }
  ++counts_.edits;
  counts_.bytes_moved += event.bytes;
  const std::string span = in_words(event.span);
  switch (event.kind) {
    case EditKind::out:
      if (!residency_.resident.covers(event.span)) wrong(span + " goes out but is not resident");
      residency_.resident.erase(event.span);
      residency_.stored.insert(event.span);
      break;
    case EditKind::in:
      if (!residency_.stored.covers(event.span)) wrong(span + " comes in but is not stored");
      residency_.stored.erase(event.span);
      residency_.resident.insert(event.span);
      break;
    case EditKind::drop:
      if (!residency_.resident.covers(event.span) && !residency_.stored.covers(event.span)) {
        wrong(span + " is dropped but not held");
      }
      residency_.resident.erase(event.span);
      residency_.stored.erase(event.span);
      break;
    case EditKind::compact:
      if (!residency_.resident.covers(event.span)) wrong(span + " is compacted but not resident");
      break;
  }
}

void Replay::on(const NoteEvent& event) { notes_.push_back(event.text); }

void Replay::on(const FinalEvent& event) {
  complete_ = true;
  // A run that failed may have ended in the middle of a step.
  if (event.record.value("finish_reason", "") != "error") check_invariants();
  const std::string hash = event.record.value("text_hash", "");
  if (hash != text_hash(text_)) {
    wrong("the text's hash is " + text_hash(text_) + ", the final record says " + hash);
  }
  const auto same = [&event](const char* key, long long value) {
    if (event.record.contains(key) && event.record[key].get<long long>() != value) {
      wrong(std::string(key) + " is " + std::to_string(value) + ", the final record says " +
            event.record[key].dump());
    }
  };
  same("peak_resident_tokens", counts_.peak_resident);
  same("stored_tokens", residency_.stored.size());
  same("bytes_moved", static_cast<long long>(counts_.bytes_moved));
}

void Replay::check_invariants() const {
  if (decoded_ == 0) return;
  if (!residency_.resident.contains(decoded_ - 1)) {
    wrong("the newest position " + std::to_string(decoded_ - 1) + " is not resident");
  }
  for (const Segment& segment : segments_) {
    const Span span{segment.span.begin, std::min(segment.span.end, decoded_)};
    if (segment.pinned && !residency_.resident.covers(span))
      wrong("a pinned segment is not resident");
  }
  if (run_.budget > 0 && residency_.resident.size() + 1 > run_.budget) {
    wrong(std::to_string(residency_.resident.size()) +
          " resident tokens leave no room in the budget of " + std::to_string(run_.budget));
  }
  for (const Span span : residency_.stored.spans()) {
    const auto starts = [](const Line& line, Pos pos) { return line.span.begin < pos; };
    const auto first = std::lower_bound(lines_.begin(), lines_.end(), span.begin, starts);
    const auto last = std::lower_bound(lines_.begin(), lines_.end(), span.end, starts);
    const bool begins = first != lines_.end() && first->span.begin == span.begin;
    const bool ends =
        last == lines_.end() ? lines_.back().span.end == span.end : last->span.begin == span.end;
    if (!begins || !ends) wrong("the stored " + in_words(span) + " is not made of whole lines");
  }
}

std::string Replay::text(Span span) const {
  std::string text;
  for (Pos pos = span.begin; pos < std::min(span.end, size()); ++pos) {
    text += pieces_[static_cast<std::size_t>(pos)];
  }
  return text;
}

}  // namespace zoomr
