#include "serve/reply_text.h"

#include <algorithm>
#include <utility>

namespace zoomr {

namespace {

// Bytes at the end of the text that begin a UTF-8 character and do not finish it.
std::size_t n_unfinished(std::string_view text) {
  const std::size_t most = std::min<std::size_t>(3, text.size());
  for (std::size_t n = 1; n <= most; ++n) {
    const auto byte = static_cast<unsigned char>(text[text.size() - n]);
    if ((byte & 0xC0U) == 0x80U) continue;  // inside of a character
    std::size_t length = 1;
    if ((byte & 0xE0U) == 0xC0U) length = 2;
    if ((byte & 0xF0U) == 0xE0U) length = 3;
    if ((byte & 0xF8U) == 0xF0U) length = 4;
    return n < length ? n : 0;
  }
  return 0;
}

// Bytes at the end of the text that begin the stop text and are not all of it.
std::size_t n_begun(std::string_view text, std::string_view stop) {
  for (std::size_t n = std::min(stop.size() - 1, text.size()); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

ReplyText::ReplyText(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, "");
  for (const std::string& stop : stops_) longest_ = std::max(longest_, stop.size());
}

void ReplyText::push(std::string_view piece) {
  if (!stop_text_.empty()) return;
  // A stop text that is new ends in this piece.
  const std::size_t from = text_.size() - std::min(text_.size(), longest_);
  text_ += piece;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t at = text_.find(stop, from);
    if (at >= first) continue;
    first = at;
    stop_text_ = stop;
  }
  if (first != std::string::npos) text_.resize(first);
}

std::size_t ReplyText::n_showable() const {
  if (finished_ || !stop_text_.empty()) return text_.size();
  std::size_t held = n_unfinished(text_);
  for (const std::string& stop : stops_) held = std::max(held, n_begun(text_, stop));
  return text_.size() - held;
}

std::string ReplyText::take() {
  const std::size_t n = std::max(n_taken_, n_showable());
  std::string part = text_.substr(n_taken_, n - n_taken_);
  n_taken_ = n;
  return part;
}

}  // namespace zoomr
