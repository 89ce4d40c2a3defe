#include "core/segmenter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/check.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";
constexpr std::string_view kBlanksInLine = " \t\r\v\f";
constexpr std::string_view kSentenceEnds = ".!?";
constexpr std::string_view kClosers = "\"')]*";
// Ideographic full stop, full-width exclamation and question mark.
constexpr std::array<std::string_view, 3> kWideEnds = {"\u3002", "\uff01", "\uff1f"};
constexpr std::string_view kClauseEnds = ",;:";
// Full-width comma, semicolon and colon, ideographic comma.
constexpr std::array<std::string_view, 4> kWideClauseEnds = {"\uff0c", "\uff1b", "\uff1a",
                                                             "\u3001"};
// Closing quotes and brackets that follow a sentence end.
constexpr std::array<std::string_view, 7> kWideClosers = {"\u2019", "\u201d", "\u300b", "\u300d",
                                                          "\u300f", "\u3011", "\uff09"};

bool is_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

// Only white space, a newline among it: it belongs to the line that it follows.
bool is_newlines(std::string_view piece) {
  return is_only(piece, kBlanks) && piece.find('\n') != std::string_view::npos;
}

bool ends_with_any(std::string_view text, std::span<const std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [text](std::string_view ending) { return text.ends_with(ending); });
}

bool starts_with_any(std::string_view text, std::span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [text](std::string_view beginning) { return text.starts_with(beginning); });
}

// The text without the quotes and brackets that close behind its last sentence.
std::string_view without_closers(std::string_view text) {
  while (!text.empty()) {
    if (kClosers.find(text.back()) != std::string_view::npos) {
      text.remove_suffix(1);
    } else if (ends_with_any(text, kWideClosers)) {
      text.remove_suffix(kWideClosers[0].size());  // all of them have as many bytes
    } else {
      break;
    }
  }
  return text;
}

// Does the piece go on with what may still belong to a wide sentence end?
bool continues_sentence_end(std::string_view piece) {
  return kSentenceEnds.find(piece[0]) != std::string_view::npos ||
         kClosers.find(piece[0]) != std::string_view::npos || starts_with_any(piece, kWideEnds) ||
         starts_with_any(piece, kWideClosers);
}

bool has_open_segment(const Timeline& timeline) {
  return !timeline.segments().empty() && !timeline.segments().back().closed;
}

// Is it cut at paragraphs and at thought_max?
bool is_cut_into_thoughts(SegmentKind kind) {
  return kind == SegmentKind::thought || kind == SegmentKind::answer;
}

}  // namespace

Segmenter::Segmenter(SegmenterOptions options) : options_(std::move(options)) {
  require(options_.line_min >= 1, "a line's least length must be at least 1 token");
  require(options_.line_max >= options_.line_min,
          "a line's greatest length must be at least its least length");
  require(options_.clause_min >= 0, "a clause's least length must not be negative");
  require(options_.thought_max >= 1, "a thought's greatest length must be at least 1 token");
  require(options_.summary_max >= 1, "a summary's greatest length must be at least 1 token");
  const Delimiters& d = options_.delimiters;
  for (const std::string* text : {&d.think_begin, &d.summary_begin, &d.summary_end}) {
    longest_delimiter_ = std::max(longest_delimiter_, text->size());
  }
  for (const std::string& text : d.think_ends) {
    longest_delimiter_ = std::max(longest_delimiter_, text.size());
  }
}

void Segmenter::push_prompt(Timeline& timeline, std::span<const Token> tokens,
                            std::span<const std::string> pieces) {
  check(kind_ == SegmentKind::prompt, "the prompt comes first");
  check(tokens.size() == pieces.size(), "each token has its piece");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    append(timeline, tokens[i], pieces[i]);
    cut_after(timeline);
  }
}

void Segmenter::split_prompt(Timeline& timeline, bool pinned) {
  check(kind_ == SegmentKind::prompt, "the prompt is split while it is read");
  end_segment(timeline);
  options_.pin_prompt = pinned;
}

void Segmenter::end_prompt(Timeline& timeline) {
  check(kind_ == SegmentKind::prompt, "the prompt ends once");
  end_segment(timeline);
  const bool thinks_apart = !options_.delimiters.think_begin.empty();
  kind_ = thinks_apart && !options_.starts_thinking ? SegmentKind::answer : SegmentKind::thought;
  text_.clear();  // no delimiter begins in the prompt
  tokens_.clear();
  segment_text_ = 0;
}

Boundary Segmenter::push(Timeline& timeline, Token token, std::string_view piece) {
  check(kind_ != SegmentKind::prompt, "the prompt ends before the first generated token");
  boundary_ = {};
  append(timeline, token, piece);
  std::size_t n_seen = text_.size() - piece.size();
  while (const std::optional<Match> match = next_delimiter(n_seen)) {
    // What did nothing is plain text: the next one may begin in it.
    if (delimit(timeline, *match)) behind_delimiter_ = match->end;
    n_seen = match->end;
  }
  cut_after(timeline);
  return boundary_;
}

bool Segmenter::close_if_due(Timeline& timeline, std::string_view piece) {
  if (kind_ != SegmentKind::thought || !cuts_before(timeline, piece)) return false;
  if (timeline.segments().back().span.size() < options_.thought_max) return false;
  boundary_ = {};
  end_segment(timeline);
  return true;
}

void Segmenter::finish(Timeline& timeline) {
  if (kind_ == SegmentKind::summary) {
    ++faults_.unclosed;
    end_summary(timeline, text_.size());
  } else {
    end_segment(timeline);
  }
}

Segmenter::Ending Segmenter::ending() const {
  std::string_view text = std::string_view(text_).substr(segment_text_);
  const std::size_t last = text.find_last_not_of(kBlanksInLine);
  if (last == std::string_view::npos) return Ending::none;
  if (text[last] == '\n') {
    const std::size_t before = text.substr(0, last).find_last_not_of(kBlanksInLine);
    const bool twice = before != std::string_view::npos && text[before] == '\n';
    return twice ? Ending::paragraph : Ending::newline;
  }
  if (last + 1 != text.size()) return Ending::none;  // blanks were written: the chance is gone
  if (kClauseEnds.find(text[last]) != std::string_view::npos) return Ending::clause;
  if (ends_with_any(text, kWideClauseEnds)) return Ending::wide_clause;
  text = without_closers(text);
  if (ends_with_any(text, kWideEnds)) return Ending::wide_sentence;
  const bool ends = !text.empty() && kSentenceEnds.find(text.back()) != std::string_view::npos;
  return ends ? Ending::sentence : Ending::none;
}

// Does this next piece show that what stands in front of it is a whole line?
bool Segmenter::cuts_before(const Timeline& timeline, std::string_view piece) const {
  if (!has_open_segment(timeline) || timeline.open_line().size() < options_.line_min) return false;
  if (piece.empty() || is_newlines(piece)) return false;
  switch (ending()) {
    case Ending::none:
    case Ending::clause:
    case Ending::wide_clause:
      return false;
    case Ending::sentence:
      return kBlanks.find(piece[0]) != std::string_view::npos;
    case Ending::wide_sentence:
      return !continues_sentence_end(piece);
    case Ending::newline:
    case Ending::paragraph:
      return true;
  }
  return false;
}

// Is what stands in front of this next piece a clause that is long enough to be a line? A thought
// that is due waits for the end of a line.
bool Segmenter::ends_with_clause(const Timeline& timeline, std::string_view piece) const {
  if (options_.clause_min == 0 || piece.empty() || !has_open_segment(timeline)) return false;
  if (timeline.open_line().size() < std::max(options_.clause_min, options_.line_min)) return false;
  if (timeline.segments().back().span.size() >= options_.thought_max) return false;
  const Ending end = ending();
  return end == Ending::wide_clause ||
         (end == Ending::clause && kBlanks.find(piece[0]) != std::string_view::npos);
}

void Segmenter::append(Timeline& timeline, Token token, std::string_view piece) {
  if (cuts_before(timeline, piece)) {
    close_line(timeline);
  } else if (ends_with_clause(timeline, piece)) {
    timeline.close_line(timeline.size());
  }
  if (!has_open_segment(timeline)) {
    forget_text();
    timeline.open_segment(kind_, kind_ == SegmentKind::prompt && options_.pin_prompt);
  }
  tokens_.push_back({text_.size(), timeline.size()});
  timeline.append(token);
  text_ += piece;
}

// The boundaries that the token just appended settles by itself.
void Segmenter::cut_after(Timeline& timeline) {
  if (!has_open_segment(timeline)) return;
  const Pos n_segment = timeline.segments().back().span.size();
  if (kind_ == SegmentKind::summary && n_segment >= options_.summary_max) {
    ++faults_.unclosed;
    end_summary(timeline, text_.size());
    return;
  }
  const Pos n_line = timeline.open_line().size();
  const bool paragraph = ending() == Ending::paragraph;
  if (paragraph && is_cut_into_thoughts(kind_) && n_segment >= options_.line_min) {
    end_segment(timeline);
  } else if (n_line >= options_.line_max || (paragraph && n_line >= options_.line_min)) {
    close_line(timeline);
  }
}

// Closes the open line, and the thought with it when that is long enough.
void Segmenter::close_line(Timeline& timeline) {
  const Segment& segment = timeline.segments().back();
  if (is_cut_into_thoughts(segment.kind) && segment.span.size() >= options_.thought_max) {
    end_segment(timeline);
    return;
  }
  timeline.close_line(timeline.size());
  boundary_.sentence = true;
}

// The delimiter that ends first, if one ends behind the first n_seen bytes of the text.
std::optional<Segmenter::Match> Segmenter::next_delimiter(std::size_t n_seen) const {
  const Delimiters& d = options_.delimiters;
  std::optional<Match> first;
  const auto look_for = [&](Role role, const std::string& text) {
    if (text.empty()) return;
    const std::size_t reach = n_seen + 1 > text.size() ? n_seen + 1 - text.size() : 0;
    const std::size_t begin = text_.find(text, std::max(reach, behind_delimiter_));
    if (begin == std::string::npos) return;
    const std::size_t end = begin + text.size();
    if (!first || end < first->end || (end == first->end && begin < first->begin)) {
      first = {role, begin, end};
    }
  };
  const auto look_for_ends = [&] {
    if (!d.summary_begin.empty()) look_for(Role::summary_end, d.summary_end);
    if (d.think_begin.empty()) return;
    for (const std::string& text : d.think_ends) look_for(Role::think_end, text);
  };
  // Where one text opens and closes, it closes what is open.
  if (kind_ == SegmentKind::summary) look_for_ends();
  look_for(Role::summary_begin, d.summary_begin);
  if (kind_ == SegmentKind::thought) look_for_ends();
  look_for(Role::think_begin, d.think_begin);
  if (kind_ == SegmentKind::answer) look_for_ends();
  return first;
}

// Acts on a delimiter; false when it is plain text here.
bool Segmenter::delimit(Timeline& timeline, const Match& match) {
  switch (match.role) {
    case Role::summary_begin:
      if (kind_ != SegmentKind::thought) break;
      begin_segment(timeline, SegmentKind::summary, match);
      summary_text_ = match.end;
      return true;
    case Role::summary_end:
      if (kind_ != SegmentKind::summary) break;
      end_summary(timeline, match.begin);
      return true;
    case Role::think_begin:
      if (kind_ != SegmentKind::answer) return false;  // once more inside of the thinking
      begin_segment(timeline, SegmentKind::thought, match);
      return true;
    case Role::think_end:
      if (kind_ == SegmentKind::answer) break;
      if (kind_ == SegmentKind::summary) {
        ++faults_.unclosed;
        end_summary(timeline, match.begin);
      } else {
        end_segment(timeline);
      }
      kind_ = SegmentKind::answer;
      return true;
  }
  ++faults_.stray;
  return false;
}

// What begins with the delimiter is a segment of its own. A closed line never changes, so it begins
// behind the last one; an open segment of which nothing would be left becomes the new one.
void Segmenter::begin_segment(Timeline& timeline, SegmentKind kind, const Match& match) {
  kind_ = kind;
  if (!has_open_segment(timeline)) return;  // the token closed it: the new one opens behind it
  const Pos open = timeline.segments().back().span.begin;
  const Pos line = timeline.open_line().begin;
  const auto token =
      std::upper_bound(tokens_.begin(), tokens_.end(), match.begin,
                       [](std::size_t byte, const TokenText& text) { return byte < text.begin; });
  Pos begin = std::max(std::prev(token)->pos, line);
  const std::size_t n_before = match.begin - std::min(match.begin, segment_text_);
  if (line == open && is_only(std::string_view(text_).substr(segment_text_, n_before), kBlanks)) {
    begin = open;
  }
  if (begin <= open) {
    timeline.retype_open(kind);
    return;
  }
  if (timeline.segments().back().kind == SegmentKind::thought) boundary_.thought = true;
  boundary_.sentence = boundary_.sentence || line < begin;
  timeline.close_segment(begin);
  timeline.open_segment(kind, false);
  const auto first =
      std::lower_bound(tokens_.begin(), tokens_.end(), begin,
                       [](const TokenText& text, Pos pos) { return text.pos < pos; });
  segment_text_ = first->begin;
}

void Segmenter::end_segment(Timeline& timeline) {
  if (!has_open_segment(timeline)) return;
  if (timeline.segments().back().kind == SegmentKind::thought) boundary_.thought = true;
  boundary_.sentence = boundary_.sentence || !timeline.open_line().empty();
  timeline.close_segment(timeline.size());
}

// Closes the summary, whose text ends at text_end.
void Segmenter::end_summary(Timeline& timeline, std::size_t text_end) {
  kind_ = SegmentKind::thought;
  if (!has_open_segment(
          timeline)) {  // it began and ended behind another segment, in its last token
    ++faults_.orphan;
    return;
  }
  end_segment(timeline);
  const std::size_t n_text = text_end - std::min(text_end, summary_text_);
  if (is_only(std::string_view(text_).substr(summary_text_, n_text), kBlanks)) {
    ++faults_.empty;
    return;
  }
  const std::size_t summary = timeline.segments().size() - 1;
  if (summary == 0 || timeline.segments()[summary - 1].kind != SegmentKind::thought) {
    ++faults_.orphan;
    return;
  }
  timeline.pair(static_cast<int>(summary) - 1, static_cast<int>(summary));
}

// A segment opens: of the text before it only what a delimiter may begin in is kept.
void Segmenter::forget_text() {
  std::size_t n = text_.size() - std::min(text_.size(), longest_delimiter_);
  if (kind_ == SegmentKind::summary) n = std::min(n, summary_text_);
  text_.erase(0, n);
  const auto kept = std::find_if(tokens_.begin(), tokens_.end(),
                                 [n](const TokenText& text) { return text.begin >= n; });
  // The first byte that is kept may lie in the middle of a token.
  if (kept != tokens_.begin()) tokens_.erase(tokens_.begin(), std::prev(kept));
  for (TokenText& token : tokens_) token.begin -= std::min(token.begin, n);
  behind_delimiter_ -= std::min(behind_delimiter_, n);
  summary_text_ -= std::min(summary_text_, n);
  segment_text_ = text_.size();
}

}  // namespace zoomr
