// zoomr tune: which settings of --select retrieval suit a model and its texts? Recordings are
// replayed under every combination, without the model. The best is kept beside the model's heads,
// and runs of that model use it from then on (--select-config).
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
  std::string heads = "auto";          // auto: those that are kept for the model; LAYER.HEAD,...
  std::string name_heads = "auto";     // likewise, or none; auto: none beside heads that are named
  std::string order_heads = "auto";    // likewise
  std::string select_config = "auto";  // where the best is kept: beside the heads; a file; none
  // Values to be tried, the defaults first: of settings that do as well the first is the best.
  std::vector<int> window = {32, 64};
  std::vector<float> zoom_in = {0.05F, 0.1F};
  std::vector<float> zoom_in_name = {0.3F, 0.15F};
  std::vector<int> zoom_max = {3};
  std::vector<float> second_look = {0.05F, 0.15F};
  std::vector<float> second_look_name = {0.2F};
  std::vector<float> fade = {0.8F, 0.9F};
  bool json = false;
};

void add_flags(CLI::App& app, TuneCommand& t);
int tune_command(const TuneCommand& command, std::ostream& out);

}  // namespace zoomr
