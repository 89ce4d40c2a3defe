// zoomr tune: which settings of --select retrieval suit a model and its texts? Recordings are
// replayed under every combination, without the model.
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

struct TuneCommand {
  RunOptions run;  // line lengths, sink
  std::vector<std::string> recordings;
  std::vector<std::string> budgets = {"+128"};
  std::string heads;
  std::string name_heads;
  // Values to be tried.
  std::vector<int> window = {32, 64};
  std::vector<float> zoom_in = {0.05F, 0.1F};
  std::vector<float> zoom_in_name = {0.1F, 0.2F};
  std::vector<int> zoom_max = {3};
  std::vector<float> second_look = {0.05F, 0.15F};
  std::vector<float> fade = {0.9F};
  bool json = false;
};

void add_flags(CLI::App& app, TuneCommand& t);
int tune_command(const TuneCommand& command, std::ostream& out);

}  // namespace zoomr
