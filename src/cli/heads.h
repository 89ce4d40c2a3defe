// zoomr heads: which heads of a model look things up, by the recall probe, and which are followed.
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>

#include "zoomr/zoomr.h"

namespace zoomr {

struct HeadsCommand {
  ModelOptions model;
  RunOptions run;  // its context alone is used
  bool refresh = false;
  bool json = false;
  bool ascii = false;
};

// The flags of the command, read into c.
void add_flags(CLI::App& app, HeadsCommand& c);

// Prints a table and a picture, or the JSON of docs/selection.md. Returns the exit code.
int heads_command(HeadsCommand& command, std::ostream& out);

}  // namespace zoomr
