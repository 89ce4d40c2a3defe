// zoomr eval: does thinking in little memory cost answers? Every policy on the same problems.
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

struct EvalCommand {
  ModelOptions model;
  RunOptions run;                              // defaults of every policy
  std::vector<std::string> tasks = {"chain"};  // names, .jsonl files, or text files to be taught
  std::string policies = "full,streaming-llm,zoomr";
  std::vector<std::string> budgets = {"+256"};  // "512" or "+256"
  int n_problems = -1;                          // of each task; < 0: all
  int n_samples = 1;
  int n_parallel = 1;       // problems that think side by side
  std::string samples_out;  // "": kept in memory only
  bool resume = false;
  std::string traces;             // folder, "": none
  std::string report;             // HTML file, "": none
  std::vector<std::string> show;  // files of samples: print and report these, run nothing
  std::string record;             // folder: record one full-KV run instead, "": none
  std::string json_schema;        // that every reply must follow as a whole
  std::string record_heads = "all";
};

// The flags of the command, read into e.
void add_flags(CLI::App& app, EvalCommand& e);

// Prints tables to `out`, progress to `progress`. Returns the exit code; throws Error.
int eval_command(EvalCommand& command, std::ostream& out, std::ostream& progress);

}  // namespace zoomr
