// The chat template of a command, and how its flags are read.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "chat/chat_template.h"

namespace zoomr {

struct TemplateOptions {
  std::string text;  // Jinja, instead of the model's; "": the model's
  std::string file;
  std::vector<std::string> kwargs;  // KEY=VALUE, or a JSON object
  std::string reasoning_format = "auto";
};

void add_template_flags(CLI::App& app, TemplateOptions& options);

// Throws Error(bad_input): no such file, or a template that does not parse.
[[nodiscard]] ChatTemplate make_template(const Model& model, const TemplateOptions& options);

// More variables of the template; JSON values. Throws Error(bad_input).
[[nodiscard]] std::map<std::string, std::string> template_kwargs(const TemplateOptions& options);

}  // namespace zoomr
