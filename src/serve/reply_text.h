// What of a reply may be shown: its text up to the first stop text, whole UTF-8 characters only.
// Text that could still become a stop text, or is the beginning of a character, is held back until
// more text decides. Sizes in bytes. Pure; one owner.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace zoomr {

class ReplyText {
 public:
  explicit ReplyText(std::vector<std::string> stops);  // empty ones are left out

  // Takes the text of the next token. Behind a stop text nothing is taken.
  void push(std::string_view piece);
  // The reply is over: nothing is held back any more.
  void finish() { finished_ = true; }
  // What may be shown and was not taken yet.
  [[nodiscard]] std::string take();

  // The stop text that ended it; "": none.
  [[nodiscard]] const std::string& stop_text() const { return stop_text_; }
  // Without the stop text.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::size_t n_taken() const { return n_taken_; }

 private:
  [[nodiscard]] std::size_t n_showable() const;

  std::vector<std::string> stops_;
  std::size_t longest_ = 0;  // stop text
  std::string text_;
  std::string stop_text_;
  std::size_t n_taken_ = 0;
  bool finished_ = false;
};

}  // namespace zoomr
