// Between the turns of a conversation: a session goes on with a prompt more, is cut, or takes its
// beginning over from another.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "engine/session.h"

namespace zoomr {

std::optional<Session::Reading> Session::next_reading(const SessionOptions& options,
                                                      Pos n_prompt) const {
  const bool pins = options.segmenter.pin_prompt;
  if (!policy_->bounded()) return Reading{.tail = pins ? n_prompt : 0};
  const Pos n_next = timeline_.size() - decoded_ + n_prompt;
  const Pos newest = timeline_.lines().back().span.size();  // it stays until others are decoded
  if (options.budget >= head_ + newest + n_next + kLeastRoom) {
    return Reading{.tail = pins ? n_prompt : 0};
  }
  const Pos quarter = options.budget / 4;
  if (options.budget < kLeastInPieces || head_ > quarter || newest > quarter) return std::nullopt;
  return Reading{.tail = pins ? std::min(n_prompt, quarter) : 0, .piece = options.budget / 8};
}

bool Session::can_go_on(const SessionOptions& options, Pos n_prompt) const {
  return !running() && finish_ != Finish::error && decoded_ > 0 && n_prompt > 0 &&
         timeline_.size() + n_prompt < options.max_positions &&
         next_reading(options, n_prompt).has_value();
}

void Session::go_on(const SessionOptions& options, std::unique_ptr<Sampler> sampler,
                    std::span<const Token> prompt) {
  check(can_go_on(options, static_cast<Pos>(prompt.size())), "a turn more fits its session");
  reading_ = *next_reading(options, static_cast<Pos>(prompt.size()));
  options_ = options;
  sampler_ = std::move(sampler);
  for (const Token token : timeline_.tokens()) sampler_->accept(token, false);
  for (std::size_t i = 0; i < timeline_.segments().size(); ++i) {
    const Segment& segment = timeline_.segments()[i];
    if (segment.span.end > head_) timeline_.pin(static_cast<int>(i), false);
  }
  loop_guard_ = {};
  summary_writer_ = SummaryWriter(options_.summaries, options_.segmenter.delimiters, vocabulary_);
  stats_ = {};
  boundary_ = {};
  forced_.clear();
  n_delimiter_left_ = 0;
  clock_running_ = false;
  text_.clear();
  finish_ = Finish::running;
  faults_logged_ = {};
  read_prompt(prompt);
}

Pos Session::shared_with(const Session& other) const {
  // What a policy gathers over all that was said later cannot be taken over in part.
  if (!other.evidence_.mass.empty() || !other.evidence_.queries.empty()) return 0;
  const auto mine = timeline_.tokens();
  const auto theirs = other.timeline_.tokens();
  const auto differ = std::mismatch(mine.begin(), mine.end(), theirs.begin(), theirs.end());
  // The last token is read, for the reply to begin with; what is read next must fit beside.
  const Pos most =
      std::min({static_cast<Pos>(differ.first - mine.begin()), n_prompt_ - 1, other.seen_whole_,
                options_.budget - std::min(n_prompt_, reading_.piece)});
  Pos shared = 0;
  const std::size_t n_lines = std::min(timeline_.lines().size(), other.timeline_.lines().size());
  for (std::size_t i = 0; i < n_lines; ++i) {
    const Span line = timeline_.lines()[i].span;
    if (line != other.timeline_.lines()[i].span || line.end > most) break;
    if (!other.residency_.resident.covers(line)) break;
    shared = line.end;
  }
  return shared;
}

void Session::adopt(const Session& other, Pos n_tokens) {
  check(decoded_ == 0 && n_tokens <= shared_with(other), "a beginning is shared before it is read");
  decoded_ = n_tokens;
  seen_whole_ = n_tokens;
  residency_.resident.insert({0, n_tokens});
  stats_.peak_resident = n_tokens;
  line_index_ = other.line_index_;
  line_index_.truncate(n_tokens);
  index_ = other.index_;
  index_.truncate(n_tokens, timeline_);
  evidence_.keys = other.evidence_.keys;
  evidence_.keys.truncate(n_tokens);
  write(DecodeEvent{.span = {0, n_tokens}});
}

bool Session::keeps_beginning(Pos n_tokens) const {
  if (n_tokens <= head_) return true;
  const auto& segments = timeline_.segments();
  return std::all_of(segments.begin(), segments.end(), [n_tokens](const Segment& segment) {
    return segment.pinned || segment.span.begin >= n_tokens;
  });
}

// The newest position must be resident: the line that holds it comes along.
SpanSet Session::resting_until(Pos end) const {
  SpanSet left = resting_;
  if (left.empty() || end >= decoded_) return left;
  left.erase({end, decoded_});
  if (const auto line = timeline_.line_at(end - 1)) {
    left.insert(timeline_.lines()[static_cast<std::size_t>(*line)].span);
  }
  return left;
}

void Session::cut(Pos end) {
  check(!running(), "a session is cut between two turns");
  resting_ = resting_until(end);
  timeline_.truncate(end);
  index_.truncate(end, timeline_);
  line_index_.truncate(end);
  const std::size_t n_lines = timeline_.lines().size();
  LineNeed lines = std::move(evidence_.lines);
  for (std::vector<float>* need : {&lines.now, &lines.soon, &lines.order, &lines.kept}) {
    need->resize(std::min(need->size(), n_lines));
  }
  KeyLog keys = std::move(evidence_.keys);
  keys.truncate(end);
  std::vector<float> mass = std::move(evidence_.mass);
  mass.resize(std::min(mass.size(), static_cast<std::size_t>(end)));
  evidence_ = {.mass = std::move(mass), .keys = std::move(keys), .lines = std::move(lines)};
  evidence_.lines.tokens = 1;
  evidence_.lines.came = {};
  decoded_ = std::min(decoded_, end);
  seen_whole_ = std::min(seen_whole_, end);
  looked_again_ = std::min(looked_again_, end);
  n_lines_logged_ = n_lines;
  n_segments_logged_ = timeline_.segments().size();
}

}  // namespace zoomr
