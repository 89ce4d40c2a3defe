// zoomr run: one prompt, one reply, in a fixed KV memory.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/template_flags.h"
#include "zoomr/zoomr.h"

namespace zoomr {

struct RunCommand {
  ModelOptions model;
  RunOptions run;
  std::string prompt;       // -p
  std::string prompt_file;  // -f
  std::string system;       // -sys
  std::string system_file;  // -sysf
  bool raw = false;         // no chat template
  TemplateOptions chat;
  std::string json_schema;
  bool json = false;
  bool show_summaries = false;
};

// The flags of the command, read into c.
void add_flags(CLI::App& app, RunCommand& c);

// Returns the exit code; throws Error.
int run_command(RunCommand& command);

}  // namespace zoomr
