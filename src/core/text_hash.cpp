#include "core/text_hash.h"

#include <xxhash.h>

#include <array>
#include <cstdio>

namespace zoomr {

std::string text_hash(std::string_view text) {
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return hex.data();
}

}  // namespace zoomr
