// The flags, in groups that commands share. Names, defaults and environment names are llama.cpp's
// where it has the same thing; ours have names of ZOOMR_.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

void add_model_flags(CLI::App& app, ModelOptions& options);
void add_context_flags(CLI::App& app, RunOptions& options);
void add_sampling_flags(CLI::App& app, SamplingOptions& options);
// The JSON schema that a reply must follow, or the file that it is read from.
void add_schema_flags(CLI::App& app, std::string& schema);
void add_policy_flag(CLI::App& app, std::string& policy);
// Policy, budget, and all of add_thinking_flags: what ZoomR adds.
void add_policy_flags(CLI::App& app, RunOptions& options);
// Which heads --select retrieval follows.
void add_head_flags(CLI::App& app, RunOptions& options);
// Selection with its heads, window, summaries, lines.
void add_thinking_flags(CLI::App& app, RunOptions& options);

// llama.cpp's flags of several letters behind one dash (-ngl, -ctk, ...) become their long names,
// since the parser takes only one letter there. args: without the program's name.
[[nodiscard]] std::vector<std::string> with_long_names(std::vector<std::string> args);

// "8G", "512M", "1073741824". Throws Error(bad_input).
[[nodiscard]] std::size_t parse_bytes(const std::string& text);

// The whole file. Throws Error(bad_input): "cannot read WHAT PATH".
[[nodiscard]] std::string read_file(const std::string& path, const char* what);

// One line to stderr, "zoomr: ...".
void tell(const std::string& line);

// What only makes sense together is checked here: threads against cores (clamped, with one warning
// line to stderr), files of grammars read. Throws Error(bad_input).
void settle(RunOptions& options);

}  // namespace zoomr
