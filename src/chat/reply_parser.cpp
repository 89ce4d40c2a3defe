#include "chat/reply_parser.h"

#include <algorithm>
#include <utility>

#include "chat/parser_params.h"

namespace zoomr {

common_chat_parser_params parser_params(const ChatTemplate::Rendered& rendered) {
  common_chat_parser_params params;
  params.format = static_cast<common_chat_format>(rendered.format);
  params.generation_prompt = rendered.generation_prompt;
  params.reasoning_format = common_reasoning_format_from_name(rendered.reasoning_format);
  params.parse_tool_calls = rendered.parse_tool_calls;
  params.is_continuation = rendered.continues;
  if (!rendered.parser.empty()) params.parser.load(rendered.parser);
  return params;
}

ChatTemplate::Reply as_reply(const common_chat_msg& message) {
  ChatTemplate::Reply reply{.content = message.content, .reasoning = message.reasoning_content};
  for (const common_chat_tool_call& call : message.tool_calls) {
    reply.tool_calls.push_back({call.name, call.arguments, call.id});
  }
  return reply;
}

struct ReplyParser::Impl {
  common_chat_parser_params params;
  std::function<std::string()> make_id;
  std::string text;
  common_chat_msg before;        // what the prompt held of the reply
  common_chat_msg message;       // that, and what was read since
  std::vector<std::string> ids;  // of the tool calls
  std::vector<std::string> think_ends;

  // Behind the last thought; where none was seen the whole text.
  [[nodiscard]] std::string answer() const {
    if (message.reasoning_content.empty()) return text;
    std::size_t begin = text.size();
    for (const std::string& end : think_ends) {
      const std::size_t at = text.rfind(end);
      if (at != std::string::npos) begin = std::min(begin, at + end.size());
    }
    return text.substr(begin);
  }
};

ReplyParser::ReplyParser(const ChatTemplate::Rendered& rendered,
                         std::function<std::string()> make_id)
    : impl_(std::make_unique<Impl>()) {
  impl_->params = parser_params(rendered);
  impl_->think_ends = rendered.think_ends;
  impl_->make_id = std::move(make_id);
  if (rendered.continues) {
    try {
      impl_->before = impl_->message = common_chat_parse("", true, impl_->params);
    } catch (const std::exception&) {
      impl_->message = {};  // then the reply is shown with its beginning
    }
  }
}

ReplyParser::~ReplyParser() = default;

std::vector<ReplyDelta> ReplyParser::add(const std::string& text) {
  impl_->text += text;
  return read(true);
}

std::vector<ReplyDelta> ReplyParser::finish() { return read(false); }

ChatTemplate::Reply ReplyParser::reply() const {
  ChatTemplate::Reply reply = as_reply(impl_->message);
  const auto cut = [](std::string& text, const std::string& head) {
    if (text.starts_with(head)) text.erase(0, head.size());
  };
  cut(reply.content, impl_->before.content);
  cut(reply.reasoning, impl_->before.reasoning_content);
  return reply;
}

std::vector<ReplyDelta> ReplyParser::read(bool partial) {
  common_chat_msg message;
  try {
    message = common_chat_parse(impl_->text, partial, impl_->params);
  } catch (const std::exception&) {
    if (partial) return {};
    // A reply that its own format cannot read is plain text: what was not shown yet is shown.
    message = impl_->message;
    message.role = "assistant";
    if (message.content.empty() && message.tool_calls.empty()) message.content = impl_->answer();
  }
  if (message.empty()) return {};
  message.set_tool_call_ids(impl_->ids, impl_->make_id);
  std::vector<common_chat_msg_diff> diffs;
  try {
    diffs = common_chat_msg_diff::compute_diffs(impl_->message, message);
  } catch (const std::exception&) {
    return {};  // what was shown stays; the next text may go on from it
  }
  impl_->message = std::move(message);
  std::vector<ReplyDelta> deltas;
  for (const common_chat_msg_diff& diff : diffs) {
    ReplyDelta delta{diff.reasoning_content_delta, diff.content_delta, {}};
    if (diff.tool_call_index != std::string::npos) {
      const common_chat_tool_call& call = diff.tool_call_delta;
      delta.calls.push_back({diff.tool_call_index, call.id, call.name, call.arguments});
    }
    deltas.push_back(std::move(delta));
  }
  return deltas;
}

}  // namespace zoomr
