#include "http/chat_messages.h"

#include "zoomr/error.h"

namespace zoomr {

namespace {

// The fields of an item of a list; `where` names it.
Fields fields_of(const json& value, const std::string& where) {
  if (value.is_object()) return Fields(value, where + ".");
  throw Error(ErrorCode::bad_input,
              "\"" + where + "\" must be an object, not " + std::string(kind_of(value)));
}

// The fields of "function" in a tool or a call: nothing else is known.
Fields function_of(const Fields& fields, const std::string& where) {
  if (fields.text("type", "function") != "function") fields.refuse("type", "must be 'function'");
  const json* function = fields.object("function");
  if (function == nullptr) fields.refuse("function", "is missing");
  return Fields(*function, where + ".function.");
}

void read_part(const json& part, const std::string& where, ChatTemplate::Message& message) {
  const Fields fields = fields_of(part, where);
  const std::string type = fields.text("type", "text");
  if (type != "text") {
    throw Error(ErrorCode::unsupported,
                "content of type '" + type + "' is not supported: text only");
  }
  if (!fields.has("text")) fields.refuse("text", "is missing");
  message.parts.push_back(fields.text("text"));
}

void read_content(const Fields& fields, const std::string& where, ChatTemplate::Message& message) {
  const json* content = fields.find("content");
  if (content == nullptr) return;
  if (content->is_string()) {
    message.content = content->get<std::string>();
    return;
  }
  if (!content->is_array()) {
    fields.refuse("content",
                  "must be a string or an array of parts, not " + std::string(kind_of(*content)));
  }
  for (std::size_t i = 0; i < content->size(); ++i) {
    read_part((*content)[i], where + "content[" + std::to_string(i) + "]", message);
  }
  // One part is what a plain string would be; templates know strings best.
  if (message.parts.size() == 1) {
    message.content = message.parts[0];
    message.parts.clear();
  }
}

ChatTemplate::ToolCall read_call(const json& value, const std::string& where) {
  const Fields fields = fields_of(value, where);
  const Fields f = function_of(fields, where);
  ChatTemplate::ToolCall call{.name = f.text("name"), .arguments = "{}", .id = fields.text("id")};
  if (call.name.empty()) f.refuse("name", "is missing");
  if (const json* arguments = f.find("arguments")) {
    call.arguments = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
  }
  return call;
}

ChatTemplate::Message read_message(const json& value, const std::string& where) {
  const Fields fields = fields_of(value, where);
  ChatTemplate::Message message;
  message.role = fields.text("role");
  if (message.role.empty()) fields.refuse("role", "is missing");
  read_content(fields, where + ".", message);
  message.reasoning = fields.text("reasoning_content");
  message.tool_name = fields.text("name");
  message.tool_call_id = fields.text("tool_call_id");
  if (const json* calls = fields.array("tool_calls")) {
    for (std::size_t i = 0; i < calls->size(); ++i) {
      message.tool_calls.push_back(
          read_call((*calls)[i], where + ".tool_calls[" + std::to_string(i) + "]"));
    }
  }
  if (!fields.has("content") && message.tool_calls.empty()) {
    fields.refuse("content", "is missing");
  }
  return message;
}

ChatTemplate::Tool read_tool(const json& value, const std::string& where) {
  const Fields fields = fields_of(value, where);
  const Fields f = function_of(fields, where);
  ChatTemplate::Tool tool{.name = f.text("name"), .description = f.text("description")};
  if (tool.name.empty()) f.refuse("name", "is missing");
  const json* parameters = f.object("parameters");
  tool.parameters = parameters == nullptr ? "{}" : parameters->dump();
  return tool;
}

// {"type": "function", "function": {"name": ...}}: that tool and no other.
void choose_one(const Fields& fields, const json& choice, ChatTemplate::Options& options) {
  const json* function = Fields(choice, "tool_choice.").object("function");
  const std::string name =
      function == nullptr ? "" : Fields(*function, "tool_choice.function.").text("name");
  std::erase_if(options.tools, [&](const ChatTemplate::Tool& tool) { return tool.name != name; });
  if (options.tools.empty()) fields.refuse("tool_choice", "names no tool of \"tools\"");
  options.tool_choice = "required";
}

json canonical_calls(const std::vector<ChatTemplate::ToolCall>& calls) {
  json result = json::array();
  for (const ChatTemplate::ToolCall& call : calls) {
    result.push_back({{"name", call.name}, {"arguments", call.arguments}});
  }
  return result;
}

// Clients trim what they show, and some send back what they show.
std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

json assistant_json(const std::string& content, const std::vector<ChatTemplate::ToolCall>& calls) {
  json result = {{"role", "assistant"}, {"content", trimmed(content)}};
  if (!calls.empty()) result["tool_calls"] = canonical_calls(calls);
  return result;
}

json message_json(const ChatTemplate::Message& message) {
  if (message.role == "assistant" && message.parts.empty()) {
    return assistant_json(message.content, message.tool_calls);
  }
  json result = {{"role", message.role}, {"content", message.content}};
  if (!message.parts.empty()) result["content"] = message.parts;
  if (!message.tool_calls.empty()) result["tool_calls"] = canonical_calls(message.tool_calls);
  if (!message.tool_name.empty()) result["name"] = message.tool_name;
  if (!message.tool_call_id.empty()) result["tool_call_id"] = message.tool_call_id;
  return result;
}

}  // namespace

std::vector<ChatTemplate::Message> read_messages(const Fields& fields) {
  const json* values = fields.array("messages");
  if (values == nullptr) fields.refuse("messages", "is missing");
  if (values->empty()) fields.refuse("messages", "is empty");
  std::vector<ChatTemplate::Message> messages;
  for (std::size_t i = 0; i < values->size(); ++i) {
    messages.push_back(read_message((*values)[i], "messages[" + std::to_string(i) + "]"));
  }
  return messages;
}

void read_tools(const Fields& fields, ChatTemplate::Options& options) {
  if (const json* tools = fields.array("tools")) {
    for (std::size_t i = 0; i < tools->size(); ++i) {
      options.tools.push_back(read_tool((*tools)[i], "tools[" + std::to_string(i) + "]"));
    }
  }
  if (fields.has("parallel_tool_calls")) {
    options.parallel_tool_calls = fields.flag("parallel_tool_calls", false);
  }
  const json* choice = fields.find("tool_choice");
  if (choice == nullptr) return;
  if (choice->is_object()) return choose_one(fields, *choice, options);
  options.tool_choice = fields.text("tool_choice");
  if (options.tool_choice != "auto" && options.tool_choice != "none" &&
      options.tool_choice != "required") {
    fields.refuse("tool_choice", "must be auto, none, required or a function");
  }
  if (options.tool_choice == "required" && options.tools.empty()) {
    fields.refuse("tool_choice", "is required, but there are no tools");
  }
}

std::vector<std::string> canonical(const std::vector<ChatTemplate::Message>& messages,
                                   const ChatTemplate::Options& options) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    json entry = message_json(messages[i]);
    if (i == 0) {
      for (const ChatTemplate::Tool& tool : options.tools) {
        entry["tools"].push_back({tool.name, tool.description, tool.parameters});
      }
      if (!options.kwargs.empty()) entry["kwargs"] = options.kwargs;
      if (!options.enable_thinking) entry["enable_thinking"] = false;
    }
    result.push_back(dump(entry));
  }
  return result;
}

std::string canonical(const ChatTemplate::Reply& reply) {
  return dump(assistant_json(reply.content, reply.tool_calls));
}

}  // namespace zoomr
