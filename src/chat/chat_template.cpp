#include "chat/chat_template.h"

#include <algorithm>

#include "llama/model.h"
#include "zoomr/chat.h"
#include "zoomr/error.h"

// llama.cpp's common library; its own headers, found through the target llama-common.
#include "chat.h"
#include "json-schema-to-grammar.h"
#include "log.h"

namespace zoomr {

namespace {

bool ends_with_blank(const std::string& text, const std::string& tail) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  const std::size_t tail_end = tail.find_last_not_of(" \t\r\n");
  if (end == std::string::npos || tail_end == std::string::npos) return false;
  return text.substr(0, end + 1).ends_with(tail.substr(0, tail_end + 1));
}

}  // namespace

struct ChatTemplate::Impl {
  common_chat_templates_ptr templates;
};

ChatTemplate::ChatTemplate(const llama_model* model, const std::string& text)
    : impl_(std::make_unique<Impl>()) {
  common_log_set_verbosity_thold(-1);  // what goes wrong is told once, by the error
  try {
    impl_->templates = common_chat_templates_init(model, text);
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_input, std::string("the chat template does not parse: ") + e.what());
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::source() const {
  return common_chat_templates_source(impl_->templates.get());
}

ChatTemplate::Rendered ChatTemplate::apply(const std::vector<Message>& messages,
                                           const Options& options) const {
  try {
    common_chat_templates_inputs inputs;
    for (const Message& message : messages) {
      common_chat_msg m;
      m.role = message.role;
      m.content = message.content;
      inputs.messages.push_back(m);
    }
    inputs.use_jinja = true;
    inputs.reasoning_format = common_reasoning_format_from_name(options.reasoning_format);
    inputs.enable_thinking = options.enable_thinking;
    inputs.chat_template_kwargs = options.kwargs;
    inputs.json_schema = options.json_schema;
    const common_chat_params params = common_chat_templates_apply(impl_->templates.get(), inputs);
    Rendered rendered;
    rendered.prompt = params.prompt;
    rendered.think_begin = params.thinking_start_tag;
    rendered.think_ends = params.thinking_end_tags;
    rendered.starts_thinking = !params.thinking_start_tag.empty() &&
                               ends_with_blank(params.prompt, params.thinking_start_tag);
    rendered.stops = params.additional_stops;
    rendered.grammar = params.grammar;
    rendered.parser = params.parser;
    rendered.generation_prompt = params.generation_prompt;
    rendered.reasoning_format = options.reasoning_format;
    rendered.format = static_cast<int>(params.format);
    return rendered;
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_input, std::string("the chat template refused: ") + e.what());
  }
}

ChatTemplate::Reply ChatTemplate::parse(const std::string& text, const Rendered& rendered) {
  common_chat_parser_params params;
  params.format = static_cast<common_chat_format>(rendered.format);
  params.generation_prompt = rendered.generation_prompt;
  params.reasoning_format = common_reasoning_format_from_name(rendered.reasoning_format);
  if (!rendered.parser.empty()) params.parser.load(rendered.parser);
  try {
    const common_chat_msg message = common_chat_parse(text, false, params);
    return {message.content, message.reasoning_content};
  } catch (const std::exception&) {
    return {text, ""};  // a reply that its own format cannot read is plain text
  }
}

Prompt as_prompt(const ChatTemplate::Rendered& rendered) {
  return {.text = rendered.prompt,
          .add_special = rendered.add_special,
          .think_begin = rendered.think_begin,
          .think_ends = rendered.think_ends,
          .starts_thinking = rendered.starts_thinking};
}

std::vector<ChatTemplate::Message> first_turn(const std::string& system, const std::string& user) {
  std::vector<ChatTemplate::Message> messages;
  if (!system.empty()) messages.push_back({"system", system});
  messages.push_back({"user", user});
  return messages;
}

Prompt chat_prompt(const Model& model, const std::string& message, const std::string& system) {
  return as_prompt(ChatTemplate(model.impl().get(), "").apply(first_turn(system, message), {}));
}

std::string json_schema_to_grammar(const std::string& schema) {
  try {
    return ::json_schema_to_grammar(common_json::parse(schema));
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_input, std::string("the JSON schema cannot be used: ") + e.what());
  }
}

}  // namespace zoomr
