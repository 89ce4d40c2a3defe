// Checks that run in every build. A failed one is a bug of ours, never bad input.
#pragma once

#include <string>

#include "zoomr/error.h"

namespace zoomr {

inline void check(bool ok, const char* what) {
  if (!ok) throw Error(ErrorCode::bug, std::string("invariant broken: ") + what);
}

}  // namespace zoomr
