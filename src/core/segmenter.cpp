#include "core/segmenter.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace zoomr {

namespace {

constexpr std::size_t kTailBytes = 512;  // longer than any delimiter

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

// "。", "！" and "？" end a sentence without white space behind them.
bool ends_wide_sentence(std::string_view text) {
  return text.ends_with("\xe3\x80\x82") || text.ends_with("\xef\xbc\x81") ||
         text.ends_with("\xef\xbc\x9f");
}

}  // namespace

Segmenter::Segmenter(SegmenterOptions options) : options_(std::move(options)) {}

void Segmenter::push_prompt(Timeline& timeline, std::span<const Token> tokens,
                            std::span<const std::string> pieces) {
  check(kind_ == SegmentKind::prompt, "the prompt comes first");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    open_if_needed(timeline);
    cut_before(timeline, pieces[i]);
    timeline.append(tokens[i]);
    remember(timeline.size() - 1, pieces[i]);
    cut_after(timeline);
  }
}

void Segmenter::end_prompt(Timeline& timeline) {
  end_segment(timeline);
  const bool thinks_apart = !options_.delimiters.think_begin.empty();
  kind_ = thinks_apart && !options_.starts_thinking ? SegmentKind::answer : SegmentKind::thought;
}

Boundary Segmenter::push(Timeline& timeline, Token token, std::string_view piece) {
  boundary_ = {};
  cut_before(timeline, piece);
  open_if_needed(timeline);
  timeline.append(token);
  remember(timeline.size() - 1, piece);
  if (!delimit(timeline, piece.size())) cut_after(timeline);
  return boundary_;
}

bool Segmenter::close_if_due(Timeline& timeline, std::string_view piece) {
  boundary_ = {};
  if (kind_ == SegmentKind::thought) cut_before(timeline, piece);
  return boundary_.thought;
}

void Segmenter::finish(Timeline& timeline) {
  if (timeline.segments().empty() || timeline.segments().back().closed) return;
  if (kind_ == SegmentKind::summary) {
    ++faults_.unclosed;
    summary_has_text_ = true;
    end_summary(timeline);
  } else {
    end_segment(timeline);
  }
}

void Segmenter::open_if_needed(Timeline& timeline) {
  if (!timeline.segments().empty() && !timeline.segments().back().closed) return;
  timeline.open_segment(kind_, kind_ == SegmentKind::prompt && options_.pin_prompt);
  tail_.clear();
  tail_pos_.clear();
}

void Segmenter::remember(Pos pos, std::string_view piece) {
  if (tail_.size() > 2 * kTailBytes) {
    const std::size_t n = tail_.size() - kTailBytes;
    tail_.erase(0, n);
    tail_pos_.erase(tail_pos_.begin(), tail_pos_.begin() + static_cast<std::ptrdiff_t>(n));
  }
  tail_ += piece;
  tail_pos_.insert(tail_pos_.end(), piece.size(), pos);
}

Segmenter::Ending Segmenter::ending() const {
  const std::string_view text = tail_;
  const std::size_t last = text.find_last_not_of(" \t\r");
  if (last == std::string_view::npos) return Ending::none;
  if (text[last] == '\n') {
    const std::size_t before = text.substr(0, last).find_last_not_of(" \t\r");
    return before != std::string_view::npos && text[before] == '\n' ? Ending::paragraph
                                                                    : Ending::newline;
  }
  if (last + 1 != text.size()) return Ending::none;  // blanks were written: the chance is gone
  if (ends_wide_sentence(text)) return Ending::sentence;
  const std::size_t mark = text.find_last_not_of("\"')]*");
  return mark != std::string_view::npos &&
                 std::string_view(".!?").find(text[mark]) != std::string_view::npos
             ? Ending::sentence
             : Ending::none;
}

// Does the next piece show that the text in front of it ended a line?
bool Segmenter::settles(Ending ending, std::string_view piece) const {
  if (piece.empty() || ending == Ending::none || ending == Ending::paragraph) return false;
  const bool newlines_only =
      is_only(piece, " \t\r\n") && piece.find('\n') != std::string_view::npos;
  if (newlines_only) return false;  // it belongs to the line it follows
  if (ending == Ending::newline) return !is_only(piece, " \t\r");
  return is_blank(piece[0]) || ends_wide_sentence(tail_);
}

void Segmenter::cut_before(Timeline& timeline, std::string_view piece) {
  const Span line = timeline.open_line();
  if (timeline.segments().empty() || timeline.segments().back().closed || line.empty()) return;
  if (line.size() < options_.line_min || !settles(ending(), piece)) return;
  const Segment& segment = timeline.segments().back();
  const bool long_enough = segment.span.size() >= options_.thought_max &&
                           segment.kind != SegmentKind::prompt &&
                           segment.kind != SegmentKind::summary;
  if (long_enough) {
    end_segment(timeline);
  } else {
    timeline.close_line(timeline.size());
    boundary_.sentence = true;
  }
}

void Segmenter::cut_after(Timeline& timeline) {
  const Segment& segment = timeline.segments().back();
  if (kind_ == SegmentKind::summary) {
    if (segment.span.size() >= options_.summary_max) {
      ++faults_.unclosed;
      summary_has_text_ = true;
      end_summary(timeline);
      return;
    }
  } else if (kind_ != SegmentKind::prompt && ending() == Ending::paragraph &&
             segment.span.size() >= options_.line_min) {
    end_segment(timeline);
    return;
  }
  if (timeline.open_line().size() >= options_.line_max) {
    timeline.close_line(timeline.size());
    boundary_.sentence = true;
  }
}

// The token at which the delimiter begins, when the last n_new bytes complete it; else -1.
Pos Segmenter::match(const std::string& delimiter, std::size_t n_new) const {
  if (delimiter.empty() || tail_.size() < delimiter.size()) return -1;
  const std::size_t reach = n_new + delimiter.size() - 1;
  const std::size_t from = tail_.size() > reach ? tail_.size() - reach : 0;
  const std::size_t at = tail_.find(delimiter, from);
  return at == std::string::npos ? -1 : tail_pos_[at];
}

// Acts on a delimiter that the last token completed; true when there was one.
bool Segmenter::delimit(Timeline& timeline, std::size_t n_new) {
  const Delimiters& d = options_.delimiters;
  if (const Pos at = match(d.summary_begin, n_new); at >= 0) {
    if (kind_ != SegmentKind::thought) {
      ++faults_.stray;
      return false;
    }
    around_summary_ = kind_;
    begin_segment(timeline, SegmentKind::summary, at);
    summary_has_text_ = false;
    return true;
  }
  if (match(d.summary_end, n_new) >= 0) {
    if (kind_ != SegmentKind::summary) {
      ++faults_.stray;
      return false;
    }
    const std::size_t end = tail_.rfind(d.summary_end);
    const std::size_t begin = tail_.find(d.summary_begin);
    const std::size_t from = begin == std::string::npos ? 0 : begin + d.summary_begin.size();
    summary_has_text_ =
        end > from && !is_only(std::string_view(tail_).substr(from, end - from), " \t\r\n");
    if (!summary_has_text_) ++faults_.empty;
    end_summary(timeline);
    return true;
  }
  if (kind_ != SegmentKind::thought || d.think_begin.empty()) {
    const Pos at = kind_ == SegmentKind::answer ? match(d.think_begin, n_new) : -1;
    if (at < 0) return false;
    begin_segment(timeline, SegmentKind::thought, at);
    return true;
  }
  for (const std::string& end : d.think_ends) {
    if (match(end, n_new) < 0) continue;
    end_segment(timeline);
    kind_ = SegmentKind::answer;
    return true;
  }
  return false;
}

// What began at position `at` is a segment of its own. A closed line never changes, so it begins
// behind the last one; a segment that would be left empty becomes the new one.
void Segmenter::begin_segment(Timeline& timeline, SegmentKind kind, Pos at) {
  const Segment& open = timeline.segments().back();
  const Pos begin = std::max(at, timeline.open_line().begin);
  if (begin > open.span.begin) {
    if (open.kind == SegmentKind::thought) boundary_.thought = true;
    boundary_.sentence = true;
    timeline.close_segment(begin);
    timeline.open_segment(kind, false);
  } else {
    timeline.retype_open(kind);
  }
  kind_ = kind;
  const auto first = std::lower_bound(tail_pos_.begin(), tail_pos_.end(), begin);
  tail_.erase(0, static_cast<std::size_t>(first - tail_pos_.begin()));
  tail_pos_.erase(tail_pos_.begin(), first);
}

void Segmenter::end_segment(Timeline& timeline) {
  if (timeline.segments().empty() || timeline.segments().back().closed) return;
  if (timeline.segments().back().kind == SegmentKind::thought) boundary_.thought = true;
  boundary_.sentence = true;
  timeline.close_segment(timeline.size());
}

void Segmenter::end_summary(Timeline& timeline) {
  end_segment(timeline);
  const auto segments = timeline.segments();
  const int summary = static_cast<int>(segments.size()) - 1;
  const bool after_thought =
      summary > 0 && segments[static_cast<std::size_t>(summary - 1)].kind == SegmentKind::thought;
  if (!after_thought) {
    ++faults_.orphan;
  } else if (summary_has_text_) {
    timeline.pair(summary - 1, summary);
  }
  kind_ = around_summary_;
}

}  // namespace zoomr
