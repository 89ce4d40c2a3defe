// The hash that a run's final record gives of its text.
#pragma once

#include <string>
#include <string_view>

namespace zoomr {

// XXH3-64 as 16 hexadecimal digits.
[[nodiscard]] std::string text_hash(std::string_view text);

}  // namespace zoomr
