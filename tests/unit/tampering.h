// Traces that lie, and what replay says to them.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "unit/recorded_run.h"
#include "zoomr/error.h"

namespace zoomr {

inline EditEvent edit(EditKind kind, Span span) { return {.kind = kind, .span = span}; }

struct Tampering {
  std::string name;
  std::function<void(Events&)> change;
  std::string complaint;
};

inline void expect_found(Events events, const Tampering& tampering) {
  tampering.change(events);
  try {
    (void)replay(events);
    FAIL() << "nobody noticed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::failed);
    EXPECT_NE(std::string(e.what()).find(tampering.complaint), std::string::npos) << e.what();
  }
}

}  // namespace zoomr
