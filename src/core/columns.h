// Text in columns, for everything that draws in a terminal. UTF-8; a character counts as one
// column, East Asian wide ones and emoji as two.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zoomr {

[[nodiscard]] int columns_of(std::string_view text);
// White space and control characters become single spaces; ends trimmed; invalid UTF-8 dropped.
[[nodiscard]] std::string one_line(std::string_view text);
// At most `width` columns; what is cut is shown by an ellipsis.
[[nodiscard]] std::string shorten(std::string_view text, int width);
// Rows of at most `width` columns, broken at spaces where possible; newlines break too. A trailing
// newline makes no empty row.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, int width);

}  // namespace zoomr
