// Cuts a growing timeline into segments and lines, token by token.
//
// The result depends on the tokens and their text alone, never on how they were grouped into calls.
// A boundary is decided at the earliest token that settles it: a paragraph end ("\n\n") and a
// delimiter at their own last token; a sentence or line end at the first token behind it (since
// "3." may go on as "3.14", and "\n" as "\n\n").
//
//   line     ends at a sentence or line end with at least line_min tokens, behind a clause (a
//   comma,
//            semicolon or colon and white space) with at least clause_min, or at line_max tokens at
//            once; at the end of its segment it may be shorter. A clause is no boundary to vote at,
//            and ends no thought
//   thought  ends at a paragraph end with at least line_min tokens, at a delimiter, or at the first
//            line end with at least thought_max tokens
//   summary  runs from its opening to its closing delimiter, both included, at most summary_max
//            tokens; white space between its thought and its opening delimiter belongs to it
//   answer   what the model writes outside of its thinking delimiters; cut like thoughts
//
// A delimiter may be spread over tokens or share one with other text: the segment that it opens
// begins with the token in which it begins (but never inside of a closed line), the one that it
// closes ends with the token in which it ends. White space is ASCII's. A model without thinking
// delimiters thinks aloud: all it writes is thoughts. Pure; one owner (the session).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy.h"
#include "core/timeline.h"

namespace zoomr {

struct Delimiters {
  std::string think_begin;              // "" : the model has no thinking delimiters
  std::vector<std::string> think_ends;  // any of them closes
  std::string summary_begin;            // "" : no summaries
  std::string summary_end;
};

struct SegmenterOptions {
  int line_min = 8;       // tokens
  int line_max = 64;      // tokens
  int clause_min = 12;    // tokens; 0: a clause ends no line
  int thought_max = 256;  // tokens
  int summary_max = 256;  // tokens
  bool pin_prompt = true;
  Delimiters delimiters;
  bool starts_thinking = false;  // the prompt already ends with think_begin
};

// Oddities of the model's delimiters, counted for the trace and the final record.
struct DelimiterFaults {
  int unclosed = 0;  // a summary that reached summary_max, or the end of the text
  int empty = 0;     // nothing between the delimiters: the thought stays without a summary
  int stray = 0;     // closing without opening, or an opening one of a summary outside of thoughts
  int orphan = 0;    // a summary with no thought just before it
  bool operator==(const DelimiterFaults&) const = default;
};

class Segmenter {
 public:
  // Throws Error(bad_input) unless 1 <= line_min <= line_max, 0 <= clause_min and the other lengths
  // are at least 1.
  explicit Segmenter(SegmenterOptions options);

  // Appends prompt tokens; lines are cut in them too, since a prompt need not be pinned.
  void push_prompt(Timeline& timeline, std::span<const Token> tokens,
                   std::span<const std::string> pieces);
  // What follows of the prompt is a segment of its own, pinned or not.
  void split_prompt(Timeline& timeline, bool pinned);
  // Closes the prompt. Call once, before the first push().
  void end_prompt(Timeline& timeline);
  // Appends one generated token whose text is `piece` (may be part of a UTF-8 character, or empty).
  Boundary push(Timeline& timeline, Token token, std::string_view piece);
  // When pushing `piece` would close the open thought in front of it, closes it now; true then.
  // Otherwise nothing changes.
  bool close_if_due(Timeline& timeline, std::string_view piece);
  // The text is over: closes the open line and segment.
  void finish(Timeline& timeline);

  [[nodiscard]] SegmentKind kind() const { return kind_; }  // of what the next token belongs to
  [[nodiscard]] const DelimiterFaults& faults() const { return faults_; }

 private:
  // What the open segment's text ends with, as far as it can end a line: a wide sentence end
  // ("\u3002") needs no white space behind it, nor does a wide clause ("\uff0c").
  enum class Ending : std::uint8_t {
    none,
    clause,
    wide_clause,
    sentence,
    wide_sentence,
    newline,
    paragraph
  };
  enum class Role : std::uint8_t { think_begin, think_end, summary_begin, summary_end };
  struct Match {  // a delimiter in text_
    Role role = Role::think_begin;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  [[nodiscard]] Ending ending() const;
  [[nodiscard]] bool cuts_before(const Timeline& timeline, std::string_view piece) const;
  [[nodiscard]] bool ends_with_clause(const Timeline& timeline, std::string_view piece) const;
  void append(Timeline& timeline, Token token, std::string_view piece);
  void cut_after(Timeline& timeline);
  void close_line(Timeline& timeline);

  [[nodiscard]] std::optional<Match> next_delimiter(std::size_t n_seen) const;
  bool delimit(Timeline& timeline, const Match& match);
  void begin_segment(Timeline& timeline, SegmentKind kind, const Match& match);
  void end_segment(Timeline& timeline);
  void end_summary(Timeline& timeline, std::size_t text_end);
  void forget_text();

  SegmenterOptions options_;
  std::size_t longest_delimiter_ = 0;  // bytes
  DelimiterFaults faults_;
  SegmentKind kind_ = SegmentKind::prompt;
  Boundary boundary_;  // of the push under way

  // The text of the open segment, behind as much of what came before as a delimiter may begin in.
  struct TokenText {
    std::size_t begin = 0;  // in text_
    Pos pos = 0;
  };
  std::string text_;
  std::vector<TokenText> tokens_;     // of text_, ascending
  std::size_t segment_text_ = 0;      // where in text_ the open segment begins
  std::size_t behind_delimiter_ = 0;  // the next delimiter begins here or later
  std::size_t summary_text_ = 0;      // of an open summary: where the opening delimiter ends
};

}  // namespace zoomr
