// zoomr replay: a trace, read without a model.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/trace.h"
#include "zoomr/types.h"

namespace zoomr {

struct ReplayOptions {
  std::string path;
  std::optional<Pos> at;  // the moment after the step that decoded this position; none: the end
  bool lines = false;     // lines inside segments too
  bool json = false;
  bool color = false;
  bool ascii = false;
  int width = 100;  // columns
};

// Prints the state: as text the run, its thought tree and one line of figures; as JSON one object.
// Returns the exit code: 0; or 1, with one line in `err`, for a trace that is cut off (what there
// is of it is printed) or that breaks an invariant (nothing is). Throws Error(bad_input) when the
// file cannot be read, is no trace, or has no such position.
int replay_command(const ReplayOptions& options, std::ostream& out, std::ostream& err);

// All events of a trace that is whole and true. Throws Error(bad_input) when the file cannot be
// read or is no trace, Error(failed) with the file and the line for one that is cut off or not
// true.
[[nodiscard]] std::vector<TraceEvent> read_trace(const std::string& path);

}  // namespace zoomr
