#include "chat/chat_template.h"

#include <algorithm>
#include <mutex>
#include <regex>

#include "chat/parser_params.h"
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

// Is this, which the prompt ends with, a thought that is to be continued?
bool is_thought(const ChatTemplate::Message& last) {
  return !last.reasoning.empty() && last.content.empty() && last.parts.empty() &&
         last.tool_calls.empty();
}

common_chat_msg as_common(const ChatTemplate::Message& message) {
  common_chat_msg m;
  m.role = message.role;
  m.content = message.content;
  for (const std::string& part : message.parts) m.content_parts.push_back({"text", part});
  m.reasoning_content = message.reasoning;
  for (const ChatTemplate::ToolCall& call : message.tool_calls) {
    m.tool_calls.push_back({call.name, call.arguments, call.id});
  }
  m.tool_name = message.tool_name;
  m.tool_call_id = message.tool_call_id;
  return m;
}

common_chat_templates_inputs as_common(const std::vector<ChatTemplate::Message>& messages,
                                       const ChatTemplate::Options& options,
                                       const common_chat_templates* templates) {
  common_chat_templates_inputs inputs;
  for (const ChatTemplate::Message& message : messages) {
    inputs.messages.push_back(as_common(message));
  }
  for (const ChatTemplate::Tool& tool : options.tools) {
    inputs.tools.push_back({tool.name, tool.description, tool.parameters});
  }
  inputs.tool_choice = common_chat_tool_choice_parse_oaicompat(options.tool_choice);
  inputs.parallel_tool_calls =
      options.parallel_tool_calls
          ? *options.parallel_tool_calls
          : common_chat_templates_get_caps(templates)["supports_parallel_tool_calls"];
  inputs.use_jinja = true;
  inputs.reasoning_format = common_reasoning_format_from_name(options.reasoning_format);
  inputs.enable_thinking = options.enable_thinking;
  inputs.chat_template_kwargs = options.kwargs;
  inputs.json_schema = options.json_schema;
  inputs.add_generation_prompt = options.add_generation_prompt && !options.continue_last;
  if (options.continue_last) inputs.continue_final_message = COMMON_CHAT_CONTINUATION_AUTO;
  return inputs;
}

void take_grammar(const common_chat_params& params, ChatTemplate::Rendered& rendered) {
  rendered.grammar = params.grammar;
  rendered.grammar_lazy = params.grammar_lazy;
  for (const common_grammar_trigger& trigger : params.grammar_triggers) {
    switch (trigger.type) {
      case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
        rendered.trigger_patterns.push_back(trigger.value);
        break;
      case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
        rendered.trigger_patterns.push_back("^(?:" + trigger.value + ")$");
        break;
      default:
        rendered.trigger_words.push_back(trigger.value);
    }
  }
}

// llama.cpp lets any text stand before a required call, and a small model may never come to its
// end. Thoughts may still come first.
void begin_with_call(std::string& grammar) {
  static const std::regex text_before(R"(until-\d+\? (?=tool-calls?\b))");
  grammar = std::regex_replace(grammar, text_before, "");
}

// Templates are made and rendered one at a time: each rendering asks std::localtime for the date
// (llama.cpp's common/chat.cpp:38, common/jinja/value.cpp:428), whose result all threads share.
std::mutex& rendering() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

struct ChatTemplate::Impl {
  common_chat_templates_ptr templates;
};

ChatTemplate::ChatTemplate(const llama_model* model, const std::string& text)
    : impl_(std::make_unique<Impl>()) {
  const std::lock_guard lock(rendering());
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
    const common_chat_templates_inputs inputs =
        as_common(messages, options, impl_->templates.get());
    const common_chat_params params = [&] {
      const std::lock_guard lock(rendering());
      return common_chat_templates_apply(impl_->templates.get(), inputs);
    }();
    Rendered rendered;
    rendered.prompt = params.prompt;
    rendered.think_begin = params.thinking_start_tag;
    rendered.think_ends = params.thinking_end_tags;
    rendered.starts_thinking = !params.thinking_start_tag.empty() &&
                               (ends_with_blank(params.prompt, params.thinking_start_tag) ||
                                (options.continue_last && is_thought(messages.back())));
    rendered.stops = params.additional_stops;
    take_grammar(params, rendered);
    if (options.tool_choice == "required") begin_with_call(rendered.grammar);
    rendered.parser = params.parser;
    rendered.generation_prompt = params.generation_prompt;
    rendered.reasoning_format = options.reasoning_format;
    rendered.format = static_cast<int>(params.format);
    rendered.parse_tool_calls = !options.tools.empty() && options.tool_choice != "none";
    rendered.continues = options.continue_last;
    return rendered;
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_input, std::string("the chat template refused: ") + e.what());
  }
}

std::optional<ChatTemplate::Rendered> ChatTemplate::continuation(std::vector<Message> messages,
                                                                 const Options& options,
                                                                 std::size_t n) const {
  static const std::string mark = "zoomr5cut7here";
  if (n < 1 || n >= messages.size() || messages[n - 1].role != "assistant") return std::nullopt;
  // A tool call stands behind the content, in a form that only the template knows. What follows the
  // mark is the end of the turn in both cases, so the calls are left out.
  messages[n - 1] = {.role = "assistant", .content = mark};
  try {
    Rendered rendered = apply(messages, options);
    const std::size_t at = rendered.prompt.find(mark);
    if (at == std::string::npos || rendered.prompt.find(mark, at + 1) != std::string::npos) {
      return std::nullopt;
    }
    rendered.prompt.erase(0, at + mark.size());
    rendered.add_special = false;
    return rendered;
  } catch (const Error&) {
    return std::nullopt;  // a template may refuse a tool's answer without its call
  }
}

std::map<std::string, bool> ChatTemplate::abilities() const {
  return common_chat_templates_get_caps(impl_->templates.get());
}

ChatTemplate::Reply ChatTemplate::parse(const std::string& text, const Rendered& rendered) {
  try {
    return as_reply(common_chat_parse(text, false, parser_params(rendered)));
  } catch (const std::exception&) {
    return {.content = text};  // a reply that its own format cannot read is plain text
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
  if (!system.empty()) messages.push_back({.role = "system", .content = system});
  messages.push_back({.role = "user", .content = user});
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
