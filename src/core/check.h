// Checks that run in every build.
#pragma once

#include <string>

#include "zoomr/error.h"

namespace zoomr {

// A failed one is a bug of ours, never bad input.
inline void check(bool ok, const char* what) {
  if (!ok) throw Error(ErrorCode::bug, std::string("invariant broken: ") + what);
}

// A failed one is what the user gave.
inline void require(bool ok, const std::string& what) {
  if (!ok) throw Error(ErrorCode::bad_input, what);
}

}  // namespace zoomr
