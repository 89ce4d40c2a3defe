#include "cli/template_flags.h"

#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "llama/model.h"

namespace zoomr {

void add_template_flags(CLI::App& app, TemplateOptions& o) {
  const std::string group = "Prompt";
  app.add_option("--chat-template", o.text, "Jinja template instead of the model's")
      ->envname("LLAMA_ARG_CHAT_TEMPLATE")
      ->group(group);
  app.add_option("--chat-template-file", o.file, "Its file")
      ->envname("LLAMA_ARG_CHAT_TEMPLATE_FILE")
      ->group(group);
  app.add_option("--chat-template-kwargs", o.kwargs,
                 "KEY=VALUE for the template, or a JSON object of them")
      ->envname("LLAMA_ARG_CHAT_TEMPLATE_KWARGS")
      ->group(group);
  app.add_option("--reasoning-format", o.reasoning_format, "none, auto or deepseek")
      ->check(CLI::IsMember({"none", "auto", "deepseek", "deepseek-legacy"}))
      ->envname("LLAMA_ARG_THINK")
      ->group(group);
}

ChatTemplate make_template(const Model& model, const TemplateOptions& options) {
  return {model.impl().get(),
          options.file.empty() ? options.text : read_file(options.file, "the template")};
}

std::map<std::string, std::string> template_kwargs(const TemplateOptions& options) {
  std::map<std::string, std::string> kwargs;
  for (const std::string& text : options.kwargs) {
    if (text.starts_with('{')) {
      const auto object = nlohmann::json::parse(text, nullptr, false);
      if (!object.is_object()) {
        throw Error(ErrorCode::bad_input, "--chat-template-kwargs is not JSON: '" + text + "'");
      }
      for (const auto& [key, value] : object.items()) kwargs[key] = value.dump();
      continue;
    }
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      throw Error(ErrorCode::bad_input, "--chat-template-kwargs is KEY=VALUE, not '" + text + "'");
    }
    kwargs[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return kwargs;
}

}  // namespace zoomr
