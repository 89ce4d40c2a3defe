// zoomr bench: prompt and generation speed at depth, in llama-bench's manner, for several policies
// in turn in one process (A B A B), so that a machine's drift falls on all alike.
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

struct BenchOptions {
  std::string policies = "full,zoomr";
  std::vector<int> n_prompt = {};  // pp tests, tokens
  std::vector<int> n_gen = {128};  // tg tests, tokens
  std::vector<int> depths = {0};   // tokens before the test, the prompt included
  int repetitions = 3;
  std::string output = "md";  // md, csv, json or jsonl
  RunOptions run;             // defaults of every run
};

// The flags of the command, read into model and b.
void add_flags(CLI::App& app, ModelOptions& model, BenchOptions& b);

// Prints one row a policy and test. Progress goes to `progress`. Returns the exit code.
int bench_command(const ModelOptions& model, const BenchOptions& options, std::ostream& out,
                  std::ostream& progress);

}  // namespace zoomr
