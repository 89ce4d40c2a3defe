#include "engine/session.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

SegmenterOptions segmenter_options(const SessionOptions& options, Pos pinned, bool bounded,
                                   const SummaryWriter& writer) {
  SegmenterOptions result = options.segmenter;
  if (bounded) {
    // The line that holds the newest token cannot leave, and the one after it must fit beside it.
    const Pos room = options.budget - pinned;
    result.line_max = std::min(result.line_max, std::max(1, room / 2));
    result.line_min = std::min(result.line_min, result.line_max);
  }
  if (options.summaries == SummaryMode::injected) result.summary_max = writer.longest();
  if (options.summaries == SummaryMode::none) {
    result.delimiters.summary_begin.clear();
    result.delimiters.summary_end.clear();
  }
  return result;
}

}  // namespace

std::string_view to_string(Finish finish) {
  switch (finish) {
    case Finish::running:
      return "running";
    case Finish::stop:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::loop:
      return "loop";
    case Finish::interrupted:
      return "interrupted";
    case Finish::error:
      return "error";
  }
  return "?";
}

Session::Session(std::uint64_t id, const SessionOptions& options, std::unique_ptr<Policy> policy,
                 std::unique_ptr<Sampler> sampler, const Vocabulary& vocabulary,
                 std::vector<TraceSink*> sinks)
    : id_(id),
      options_(options),
      policy_(std::move(policy)),
      sampler_(std::move(sampler)),
      vocabulary_(vocabulary),
      sinks_(std::move(sinks)),
      segmenter_(options.segmenter),
      summary_writer_(options.summaries, options.segmenter.delimiters, vocabulary),
      line_index_({.threads = options.threads}) {}

void Session::check_prompt(const SessionOptions& options, const Policy& policy, Pos n_prompt) {
  if (n_prompt == 0) throw Error(ErrorCode::bad_input, "the prompt is empty");
  (void)reading(options, policy, n_prompt);
  if (n_prompt >= options.max_positions) {
    throw Error(ErrorCode::bad_input, "the prompt has " + std::to_string(n_prompt) +
                                          " tokens, the most positions are " +
                                          std::to_string(options.max_positions) + " (-c)");
  }
}

void Session::begin(std::span<const Token> prompt) {
  check(timeline_.size() == 0, "a session begins once");
  const Pos n_prompt = static_cast<Pos>(prompt.size());
  check_prompt(options_, *policy_, n_prompt);
  reading_ = reading(options_, *policy_, n_prompt);
  head_ = options_.turns ? reading_.head : 0;
  read_prompt(prompt);
}

void Session::read_prompt(std::span<const Token> prompt) {
  const auto pinned = std::max(head_, reading_.head) + reading_.tail;
  segmenter_ = Segmenter(segmenter_options(options_, pinned, policy_->bounded(), summary_writer_));
  std::vector<std::string> pieces;
  pieces.reserve(prompt.size());
  for (const Token token : prompt) pieces.push_back(vocabulary_.piece(token));
  const auto part = [&](std::size_t begin, std::size_t end, bool stays) {
    if (begin == end) return;
    segmenter_.split_prompt(timeline_, stays);
    segmenter_.push_prompt(timeline_, prompt.subspan(begin, end - begin),
                           std::span(pieces).subspan(begin, end - begin));
  };
  const Pos first = timeline_.size();
  const auto head = static_cast<std::size_t>(reading_.head);
  const std::size_t tail = prompt.size() - static_cast<std::size_t>(reading_.tail);
  part(0, head, true);
  part(head, tail, false);
  part(tail, prompt.size(), true);
  segmenter_.end_prompt(timeline_);
  n_prompt_ = timeline_.size();
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    write(TokenEvent{first + static_cast<Pos>(i), prompt[i], pieces[i], SegmentKind::prompt, true});
    sampler_->accept(prompt[i], false);
  }
  log_boundaries();
}

// Pinned: the whole prompt where it fits, else its two ends.
Session::Reading Session::reading(const SessionOptions& options, const Policy& policy,
                                  Pos n_prompt) {
  const bool pins = options.segmenter.pin_prompt;
  const Pos budget = options.budget;
  const Pos head = options.keep < 0 ? budget / 8 : options.keep;
  if (!policy.bounded() || budget >= n_prompt + kLeastRoom) {
    if (!pins) return {};
    const Pos first = options.turns ? std::min(head, n_prompt) : 0;
    return {.head = first, .tail = n_prompt - first};
  }
  if (budget < kLeastInPieces) {
    throw Error(ErrorCode::bad_input,
                "a budget of " + std::to_string(budget) + " tokens is too small: the prompt has " +
                    std::to_string(n_prompt) + " and needs 64 beside it (--budget " +
                    std::to_string(n_prompt + kLeastRoom) + " or more, or +64; from " +
                    std::to_string(kLeastInPieces) + " on it is read in pieces)");
  }
  const Pos tail = budget / 4;
  if (head > budget / 4) {
    throw Error(ErrorCode::bad_input, "--keep must not be above a quarter of the budget (" +
                                          std::to_string(budget / 4) + ")");
  }
  return {.head = pins ? head : 0, .tail = pins ? tail : 0, .piece = budget / 8};
}

void Session::teach(std::span<const Token> tokens) {
  forced_.insert(forced_.end(), tokens.begin(), tokens.end());
}

Span Session::pending(int most) const {
  Pos piece = std::min(static_cast<Pos>(most), reading_.piece);
  if (const Pos left = n_prompt_ - decoded_; left > 0) {
    // The last piece is a whole one: what the question asks for is known together.
    if (reading_.in_pieces()) piece = std::min(piece, (left - 1) % reading_.piece + 1);
    piece = std::min(piece, static_cast<Pos>(most_read_));
    if (decoded_ < head_) piece = std::min(piece, head_ - decoded_);  // keys are read from there on
  }
  return {decoded_, std::min(timeline_.size(), decoded_ + piece)};
}

bool Session::wants_logits(Span batch) const {
  const bool watched = options_.probe != nullptr && options_.probe->logits();
  return batch.end == timeline_.size() && (forced_.empty() || watched);
}

View Session::view() const {
  return {.timeline = timeline_,
          .residency = residency_,
          .evidence = evidence_,
          .boundary = boundary_,
          .decoded = decoded_,
          .room = options_.budget - next_batch(),
          .seed = options_.seed};
}

// How many tokens the next decode will take: what is appended already, else what will be forced.
int Session::next_batch() const {
  if (decoded_ < timeline_.size()) return std::min(timeline_.size() - decoded_, reading_.piece);
  const int forced = std::min(static_cast<int>(forced_.size()), options_.forced_chunk);
  return std::max(1, forced);
}

Plan Session::plan() const { return policy_->plan(view()); }

bool Session::may_look_again(Pos from) const {
  const bool appended = from >= n_prompt_ || reading_.in_pieces();
  return appended && from >= looked_again_ && from < decoded_ && decoded_ == timeline_.size() &&
         residency_.resident.covers({from - 1, decoded_});
}

void Session::applied(const EditEvent& edit) {
  if (edit.ok) {
    switch (edit.kind) {
      case EditKind::drop:
        residency_.resident.erase(edit.span);
        residency_.stored.erase(edit.span);
        break;
      case EditKind::out:
        residency_.resident.erase(edit.span);
        residency_.stored.insert(edit.span);
        break;
      case EditKind::in:
        residency_.stored.erase(edit.span);
        residency_.resident.insert(edit.span);
        evidence_.lines.came.insert(edit.span);
        break;
      case EditKind::again:
        residency_.resident.erase(edit.span);
        looked_again_ = decoded_;
        decoded_ = edit.span.begin;
        line_index_.truncate(decoded_);
        break;
      case EditKind::compact:
        break;
    }
  }
  stats_.count(edit);
  write(edit);
}

std::string Session::broken_invariant() const {
  Limits limits{.decoded = decoded_,
                .budget = options_.budget,
                .n_next = next_batch(),
                .unit = policy_->unit()};
  return zoomr::broken_invariant(residency_, timeline_, limits);
}

bool Session::may_grow() const {
  return timeline_.size() < options_.max_positions &&
         (options_.n_predict < 0 || stats_.n_generated < options_.n_predict);
}

void Session::sample(std::span<const float> logits) {
  if (!running() || decoded_ < timeline_.size()) return;
  boundary_ = {};
  if (options_.probe != nullptr && !logits.empty()) options_.probe->on_logits(decoded_, logits);
  if (stats_.token_seconds.empty() && !clock_running_) {
    last_token_ = std::chrono::steady_clock::now();
    clock_running_ = true;
  }
  if (!may_grow()) return finish(Finish::length);
  if (forced_.empty()) {
    take_sampled(logits);
  } else {
    take_forced();
  }
  log_boundaries();
}

void Session::take_forced() {
  for (int i = 0; i < options_.forced_chunk && !forced_.empty() && running() && may_grow(); ++i) {
    const Token token = forced_.front();
    forced_.pop_front();
    append(token, true);
  }
}

void Session::take_sampled(std::span<const float> logits) {
  check(!logits.empty(), "a token is sampled from logits");
  const Token token = sampler_->sample(logits);
  const bool ends = vocabulary_.is_eog(token);
  if (summary_writer_.closes(segmenter_.kind(), ends)) {
    force_summary(summary_writer_.closing());
    return take_forced();
  }
  if (ends) return finish(Finish::stop);
  // A thought that ends in front of this token gets its summary first; the token is sampled anew.
  if (options_.summaries == SummaryMode::injected &&
      segmenter_.close_if_due(timeline_, vocabulary_.piece(token)) &&
      summary_writer_.opens(timeline_)) {
    boundary_ = {.sentence = true, .thought = true};
    force_summary(summary_writer_.opening());
    return take_forced();
  }
  append(token, false);
  if (boundary_.thought && summary_writer_.opens(timeline_)) {
    force_summary(summary_writer_.opening());
  }
}

void Session::force_summary(const std::vector<Token>& delimiter) {
  forced_.insert(forced_.begin(), delimiter.begin(), delimiter.end());
  n_delimiter_left_ = delimiter.size();
}

void Session::append(Token token, bool forced) {
  const std::string piece = vocabulary_.piece(token);
  sampler_->accept(token, true);
  const Boundary boundary = segmenter_.push(timeline_, token, piece);
  boundary_.sentence |= boundary.sentence;
  boundary_.thought |= boundary.thought;
  SegmentKind kind = timeline_.segments().back().kind;
  if (n_delimiter_left_ > 0) {  // its first tokens are seen as a summary only when it is whole
    --n_delimiter_left_;
    kind = SegmentKind::summary;
  }
  const auto now = std::chrono::steady_clock::now();
  stats_.token_seconds.push_back(std::chrono::duration<double>(now - last_token_).count());
  last_token_ = now;
  ++stats_.n_generated;
  if (kind == SegmentKind::summary) ++stats_.n_summary;
  const bool hidden = kind == SegmentKind::summary && options_.summaries == SummaryMode::injected;
  if (!hidden) text_ += piece;
  write(TokenEvent{timeline_.size() - 1, token, piece, kind, forced});
  if (options_.loop_guard && !hidden && loop_guard_.push(piece)) finish(Finish::loop);
}

void Session::log_boundaries() {
  for (; n_lines_logged_ < timeline_.lines().size(); ++n_lines_logged_) {
    write(LineEvent{timeline_.lines()[n_lines_logged_].span});
  }
  for (; n_segments_logged_ < timeline_.segments().size(); ++n_segments_logged_) {
    const Segment& segment = timeline_.segments()[n_segments_logged_];
    if (!segment.closed) break;
    write(SegmentEvent{static_cast<int>(n_segments_logged_), segment.kind, segment.span,
                       segment.pinned, segment.partner});
  }
  const DelimiterFaults& faults = segmenter_.faults();
  if (faults == faults_logged_) return;
  faults_logged_ = faults;
  write(NoteEvent{timeline_.size(), "summary delimiters: " + std::to_string(faults.unclosed) +
                                        " unclosed, " + std::to_string(faults.empty) + " empty, " +
                                        std::to_string(faults.stray) + " stray, " +
                                        std::to_string(faults.orphan) + " orphan"});
}

void Session::finish(Finish reason) {
  if (!running()) return;
  finish_ = reason;
  segmenter_.finish(timeline_);
  log_boundaries();
}

bool Session::needs_room() const {
  return running() && decoded_ > 0 && residency_.resident.size() + next_batch() > options_.budget;
}

void Session::fail(const std::string& why, ErrorCode code) {
  if (!running()) return;
  failure_ = why;
  failure_code_ = code;
  write(NoteEvent{timeline_.size(), why});
  finish(Finish::error);
}

void Session::write(const TraceEvent& event) const {
  for (TraceSink* sink : sinks_) sink->write(event);
}

}  // namespace zoomr
