// Cuts a growing timeline into segments and lines, token by token.
//
// The result depends on the tokens and their text alone, never on how they were grouped into calls.
// A boundary is decided at the earliest token that settles it: a paragraph end ("\n\n") and a
// delimiter at their own last token; a sentence or line end at the first token behind it (since
// "3." may go on as "3.14", and "\n" as "\n\n").
//
//   line     ends at a sentence or line end with at least line_min tokens, or at line_max tokens
//            at once; at the end of its segment it may be shorter
//   thought  ends at a paragraph end with at least line_min tokens, at a delimiter, or at the first
//            line end with at least thought_max tokens
//   summary  runs from its opening to its closing delimiter, both included, at most summary_max
//            tokens
//   answer   what the model writes outside of its thinking delimiters; cut like thoughts
//
// A model without thinking delimiters thinks aloud: all it writes is thoughts. Pure; one owner (the
// session).
#pragma once

#include <cstdint>
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
  int stray = 0;     // closing without opening, or a summary's delimiter inside the answer
  int orphan = 0;    // a summary with no thought before it
  bool operator==(const DelimiterFaults&) const = default;
};

class Segmenter {
 public:
  explicit Segmenter(SegmenterOptions options);

  // Appends prompt tokens; lines are cut in them too, since a prompt need not be pinned.
  void push_prompt(Timeline& timeline, std::span<const Token> tokens,
                   std::span<const std::string> pieces);
  // Closes the prompt. Call once, before the first push().
  void end_prompt(Timeline& timeline);
  // Appends one generated token whose text is `piece` (may be part of a UTF-8 character, or empty).
  Boundary push(Timeline& timeline, Token token, std::string_view piece);
  // When pushing `piece` would close the open thought in front of it, closes it now; true then.
  bool close_if_due(Timeline& timeline, std::string_view piece);
  // The text is over: closes the open line and segment.
  void finish(Timeline& timeline);

  [[nodiscard]] SegmentKind kind() const { return kind_; }  // of what the next token belongs to
  [[nodiscard]] const DelimiterFaults& faults() const { return faults_; }

 private:
  // What the text so far ends with, as far as it can end a line.
  enum class Ending : std::uint8_t { none, sentence, newline, paragraph };
  [[nodiscard]] Ending ending() const;
  [[nodiscard]] bool settles(Ending ending, std::string_view piece) const;
  [[nodiscard]] Pos match(const std::string& delimiter, std::size_t n_new) const;

  void open_if_needed(Timeline& timeline);
  void cut_before(Timeline& timeline, std::string_view piece);
  void cut_after(Timeline& timeline);
  bool delimit(Timeline& timeline, std::size_t n_new);
  void begin_segment(Timeline& timeline, SegmentKind kind, Pos at);
  void end_segment(Timeline& timeline);
  void end_summary(Timeline& timeline);
  void remember(Pos pos, std::string_view piece);

  SegmenterOptions options_;
  DelimiterFaults faults_;
  SegmentKind kind_ = SegmentKind::prompt;
  SegmentKind around_summary_ = SegmentKind::thought;  // what a summary interrupts
  Boundary boundary_;                                  // of the push under way
  std::string tail_;                                   // the last bytes of the open segment's text
  std::vector<Pos> tail_pos_;  // [tail_.size()] the token each byte belongs to
  bool summary_has_text_ = false;
};

}  // namespace zoomr
