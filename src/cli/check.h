// zoomr check: how small may this model's memory be?
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

struct CheckCommand {
  ModelOptions model;
  RunOptions run;
  std::vector<int> budgets = {512, 256, 128};
  bool json = false;
};

void add_flags(CLI::App& app, CheckCommand& c);

// Prints a table and the verdict, or JSON. Returns the exit code: 0 also for a model that needs
// much memory, 1 for one that cannot be zoomed exactly.
int check_command(CheckCommand& command, std::ostream& out, std::ostream& progress);

}  // namespace zoomr
