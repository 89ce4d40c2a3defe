// zoomr replay: a trace, read without a model.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "zoomr/types.h"

namespace zoomr {

struct ReplayOptions {
  std::string path;
  std::optional<Pos> at;  // the moment at which this position was decoded; none: the end
  bool lines = false;     // lines inside segments too
  bool json = false;
  bool color = false;
  bool ascii = false;
  int width = 80;  // columns
};

// Returns the exit code: 1 for a trace that is cut off or breaks an invariant. Throws
// Error(bad_input) when the file cannot be read or is no trace.
int replay_command(const ReplayOptions& options, std::ostream& out, std::ostream& err);

}  // namespace zoomr
