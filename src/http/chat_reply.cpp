#include "http/chat_reply.h"

#include <algorithm>
#include <utility>

namespace zoomr {

namespace {

constexpr std::chrono::milliseconds kMostRest{100};

json delta_json(const ReplyDelta& delta) {
  json result = json::object();
  if (!delta.reasoning.empty()) result["reasoning_content"] = delta.reasoning;
  if (!delta.content.empty()) result["content"] = delta.content;
  for (const ReplyDelta::CallDelta& call : delta.calls) {
    json entry = {{"index", call.index}};
    if (!call.id.empty()) {
      entry["id"] = call.id;
      entry["type"] = "function";
    }
    if (!call.name.empty()) entry["function"]["name"] = call.name;
    if (!call.name.empty() || !call.arguments.empty()) {
      entry["function"]["arguments"] = call.arguments;
    }
    result["tool_calls"].push_back(std::move(entry));
  }
  return result;
}

json message_json(const ChatTemplate::Reply& reply) {
  json message = {{"role", "assistant"}, {"content", reply.content}};
  if (!reply.reasoning.empty()) message["reasoning_content"] = reply.reasoning;
  if (reply.tool_calls.empty()) return message;
  if (reply.content.empty()) message["content"] = nullptr;
  for (const ChatTemplate::ToolCall& call : reply.tool_calls) {
    message["tool_calls"].push_back(
        {{"id", call.id},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return message;
}

}  // namespace

ChatReply::ChatReply(const ServerContext& context, const ChatTemplate::Rendered& rendered,
                     const Options& options)
    : head_(context, "chatcmpl-"), options_(options) {
  for (std::size_t i = 0; i < options.n; ++i) {
    choices_.emplace_back().parser =
        std::make_unique<ReplyParser>(rendered, [] { return make_id("call_"); });
  }
}

json ChatReply::chunk(json choices) const {
  return head_.object("chat.completion.chunk", std::move(choices));
}

std::vector<json> ChatReply::chunks(std::size_t index, const std::vector<ReplyDelta>& deltas) {
  Choice& choice = choices_[index];
  std::vector<json> result;
  if (deltas.empty()) return result;
  const auto add = [&](json delta) {
    result.push_back(
        chunk({{{"index", index}, {"delta", std::move(delta)}, {"finish_reason", nullptr}}}));
  };
  if (!choice.began) add({{"role", "assistant"}, {"content", nullptr}});
  choice.began = true;
  for (const ReplyDelta& delta : deltas) add(delta_json(delta));
  if (options_.logprobs && !choice.tokens.empty()) {
    result.back()["choices"][0]["logprobs"] = {{"content", logprobs_json(choice.tokens)}};
    choice.tokens.clear();
  }
  return result;
}

// The parser reads a reply from its beginning each time. So that a long one does not cost ever
// more, it rests a hundred times as long as its last reading took, up to kMostRest, and four times
// where that is longer; the tokens of that time come as one piece.
std::vector<json> ChatReply::part(std::size_t index, const ReplyPart& part) {
  Choice& choice = choices_[index];
  choice.unread += part.text;
  if (options_.logprobs) {
    choice.tokens.insert(choice.tokens.end(), part.tokens.begin(), part.tokens.end());
  }
  return idle(index, false);
}

std::vector<json> ChatReply::idle(std::size_t index, bool at_once) {
  Choice& choice = choices_[index];
  const auto now = std::chrono::steady_clock::now();
  if (!options_.stream || choice.unread.empty()) return {};
  if (!at_once && now < choice.read_again) return {};
  const std::vector<ReplyDelta> deltas = choice.parser->add(std::exchange(choice.unread, ""));
  const auto end = std::chrono::steady_clock::now();
  const std::chrono::nanoseconds took = end - now;
  if (!deltas.empty()) {
    choice.read_again =
        end + std::max(4 * took, std::min<std::chrono::nanoseconds>(100 * took, kMostRest));
  }
  return chunks(index, deltas);
}

std::string ChatReply::finish(const Choice& choice) const {
  const std::string reason = finish_reason(choice.end);
  return reason == "stop" && !choice.parser->reply().tool_calls.empty() ? "tool_calls" : reason;
}

std::vector<json> ChatReply::ended(std::size_t index, const ReplyEnd& end) {
  Choice& choice = choices_[index];
  choice.end = end;
  usage_.prompt_tokens = std::max(usage_.prompt_tokens, end.run.n_prompt);
  usage_.cached_tokens = std::max(usage_.cached_tokens, end.n_cached);
  usage_.completion_tokens += end.run.n_generated;
  std::vector<ReplyDelta> deltas;
  if (!choice.unread.empty()) deltas = choice.parser->add(std::exchange(choice.unread, ""));
  for (ReplyDelta& delta : choice.parser->finish()) deltas.push_back(std::move(delta));
  if (!options_.stream) return {};
  std::vector<json> result = chunks(index, deltas);
  json last = {{"index", index}, {"delta", json::object()}, {"finish_reason", finish(choice)}};
  if (options_.logprobs && !choice.tokens.empty()) {
    last["logprobs"] = {{"content", logprobs_json(choice.tokens)}};
  }
  result.push_back(chunk(json::array({std::move(last)})));
  add_figures(result.back(), end);
  return result;
}

std::vector<json> ChatReply::closing() {
  if (!options_.include_usage) return {};
  json last = chunk(json::array());
  last["usage"] = usage_json(usage_);
  add_figures(last, choices_.back().end);
  return {last};
}

json ChatReply::whole() {
  json choices = json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const Choice& choice = choices_[i];
    json entry = {{"index", i},
                  {"message", message_json(choice.parser->reply())},
                  {"finish_reason", finish(choice)}};
    if (options_.logprobs) entry["logprobs"] = {{"content", logprobs_json(choice.tokens)}};
    if (choices_.size() > 1) entry["zoomr"] = zoomr_json(choice.end);
    choices.push_back(std::move(entry));
  }
  json result = head_.object("chat.completion", std::move(choices));
  result["usage"] = usage_json(usage_);
  add_figures(result, choices_.front().end);
  return result;
}

}  // namespace zoomr
