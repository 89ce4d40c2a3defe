// zoomr replay -m: a trace decoded again on its model.
#pragma once

#include <ostream>
#include <string>

#include "zoomr/options.h"

namespace zoomr {

struct RedecodeCommand {
  std::string path;    // of the trace
  ModelOptions model;  // adapters and overrides are the trace's where none are given
  int threads = 0;     // 0: all cores
  bool json = false;
};

// Prints what the model says to the trace, as text or as one JSON object. Returns the exit code: 0;
// or 1, with one line in `err`, when a token lies further below the largest logit than rounding
// explains. Throws Error(bad_input) when the file is no trace or one of another model,
// Error(failed) when it is cut off or not true.
int redecode_command(RedecodeCommand command, std::ostream& out, std::ostream& err);

}  // namespace zoomr
