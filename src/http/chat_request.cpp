#include "http/chat_request.h"

#include <memory>

#include "http/chat_messages.h"
#include "http/chat_reply.h"
#include "http/common_fields.h"

namespace zoomr {

namespace {

// The schema of response_format, else json_schema; "": none.
std::string read_schema(const Fields& fields) {
  static const json any = json::object();
  const json* schema = fields.find("json_schema");
  const json* format = fields.object("response_format");
  if (format == nullptr) return schema_text(schema);
  const Fields f(*format, "response_format.");
  const std::string type = f.text("type");
  if (type == "json_object") {
    if (const json* given = f.object("schema")) return schema_text(given);
    return schema_text(schema == nullptr ? &any : schema);
  }
  if (type == "json_schema") {
    const json* wrapper = f.object("json_schema");
    const json* given = wrapper == nullptr
                            ? nullptr
                            : Fields(*wrapper, "response_format.json_schema.").object("schema");
    if (given == nullptr) f.refuse("json_schema", "must hold a \"schema\"");
    return schema_text(given);
  }
  if (!type.empty() && type != "text") {
    f.refuse("type", "must be text, json_object or json_schema, not '" + type + "'");
  }
  return schema_text(schema);
}

void read_thinking(const Fields& fields, ChatTemplate::Options& options) {
  if (const json* kwargs = fields.object("chat_template_kwargs")) {
    for (const auto& [key, value] : kwargs->items()) options.kwargs[key] = value.dump();
    options.enable_thinking =
        Fields(*kwargs, "chat_template_kwargs.").flag("enable_thinking", options.enable_thinking);
  }
  const auto thinking = options.kwargs.find("enable_thinking");
  if (thinking != options.kwargs.end()) options.enable_thinking = thinking->second != "false";
  const std::string effort = fields.text("reasoning_effort");
  if (effort == "none") {
    options.enable_thinking = false;
    options.kwargs.erase("reasoning_effort");
  } else if (!effort.empty()) {
    options.kwargs["reasoning_effort"] = json(effort).dump();
  }
  options.reasoning_format = fields.text("reasoning_format", options.reasoning_format);
  const std::string& format = options.reasoning_format;
  if (format != "none" && format != "auto" && format != "deepseek" && format != "deepseek-legacy") {
    fields.refuse("reasoning_format", "must be none, auto or deepseek, not '" + format + "'");
  }
}

void add_to_system(std::vector<ChatTemplate::Message>& messages, const std::string& suffix) {
  if (suffix.empty()) return;
  if (messages.front().role != "system") {
    messages.insert(messages.begin(), {.role = "system", .content = suffix});
  } else if (messages.front().parts.empty()) {
    messages.front().content += "\n" + suffix;
  } else {
    messages.front().parts.push_back(suffix);
  }
}

int read_top_logprobs(const Fields& fields) {
  const bool wanted = fields.flag("logprobs", false);
  if (!wanted && fields.has("top_logprobs")) {
    fields.refuse("top_logprobs", "needs \"logprobs\": true");
  }
  return wanted ? fields.integer("top_logprobs", 0, 0, kMaxTop) : -1;
}

// Grammar and prefill of a schema or of tools; a schema alone, on a model that does not think, is
// the whole reply.
void constrain(const ChatCall& call, SamplingOptions& sampling) {
  const ChatTemplate::Rendered& rendered = call.rendered;
  if (rendered.parse_tool_calls && !sampling.grammar.empty()) {
    throw Error(ErrorCode::bad_input, "\"grammar\" and \"tools\" exclude each other");
  }
  if (!call.options.json_schema.empty() && !rendered.parse_tool_calls &&
      rendered.think_begin.empty()) {
    sampling.grammar = json_schema_to_grammar(call.options.json_schema);
    return;
  }
  if (rendered.grammar.empty()) return;
  sampling.grammar = rendered.grammar;
  if (rendered.grammar_lazy) {
    sampling.grammar_trigger_words = rendered.trigger_words;
    sampling.grammar_trigger_patterns = rendered.trigger_patterns;
  } else {
    sampling.grammar_prefill = rendered.generation_prompt;
  }
}

}  // namespace

ChatCall read_chat(const Fields& fields, const ServerContext& context) {
  ChatCall call;
  call.messages = read_messages(fields);
  add_to_system(call.messages, context.system_suffix);
  call.options.reasoning_format = context.reasoning_format;
  call.options.kwargs = context.template_kwargs;
  read_tools(fields, call.options);
  read_thinking(fields, call.options);
  call.options.json_schema = read_schema(fields);
  call.options.add_generation_prompt = fields.flag("add_generation_prompt", true);
  if (call.messages.back().role == "assistant") {
    if (!call.messages.back().tool_calls.empty()) {
      throw Error(ErrorCode::bad_input, "a last message with tool calls cannot be continued");
    }
    call.options.continue_last = true;
  }
  call.rendered = context.chat->apply(call.messages, call.options);
  if (call.options.tool_choice == "required" && call.rendered.grammar.empty()) {
    fields.refuse("tool_choice", "requires a call, but the model's chat template knows no tools");
  }
  return call;
}

ReplyPlan plan_chat(const json& body, const ServerContext& context) {
  const Fields fields(body);
  ServeRequest request = read_common(fields, context);
  const auto call = std::make_shared<ChatCall>(read_chat(fields, context));
  request.prompt = as_prompt(call->rendered);
  check_length(request.prompt, context);
  constrain(*call, request.sampling);
  request.n_top = read_top_logprobs(fields);
  for (const std::string& stop : call->rendered.stops) request.stops.push_back(stop);
  if (!call->options.continue_last) {
    request.messages = canonical(call->messages, call->options);
    request.continuation = [call, chat = context.chat](std::size_t n) -> std::optional<Prompt> {
      const auto rendered = chat->continuation(call->messages, call->options, n);
      if (!rendered) return std::nullopt;
      return as_prompt(*rendered);
    };
    request.as_message = [call](const std::string& text) {
      return canonical(ChatTemplate::parse(text, call->rendered));
    };
  }
  ReplyPlan plan = read_plan(fields, context);
  const int n = read_n(fields);
  plan.format =
      std::make_unique<ChatReply>(context, call->rendered,
                                  ChatReply::Options{.n = static_cast<std::size_t>(n),
                                                     .stream = plan.stream,
                                                     .include_usage = read_include_usage(fields),
                                                     .logprobs = request.n_top >= 0});
  plan.requests = copies(request, n);
  return plan;
}

}  // namespace zoomr
