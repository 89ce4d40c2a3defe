// Replies of chat completions: thinking, answer and tool calls apart, whole or in chunks.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "chat/reply_parser.h"
#include "http/context.h"
#include "http/reply_json.h"

namespace zoomr {

class ChatReply final : public ReplyFormat {
 public:
  struct Options {
    std::size_t n = 1;  // choices
    bool stream = false;
    bool include_usage = false;
    bool logprobs = false;
  };
  ChatReply(const ServerContext& context, const ChatTemplate::Rendered& rendered,
            const Options& options);

  std::vector<json> part(std::size_t choice, const ReplyPart& part) override;
  std::vector<json> idle(std::size_t choice, bool at_once) override;
  std::vector<json> ended(std::size_t choice, const ReplyEnd& end) override;
  std::vector<json> closing() override;
  json whole() override;

 private:
  struct Choice {
    std::unique_ptr<ReplyParser> parser;
    std::string unread;                                // text that the parser has not seen yet
    std::vector<ReplyToken> tokens;                    // whose logprobs were not sent yet
    bool began = false;                                // the role was sent
    std::chrono::steady_clock::time_point read_again;  // not before
    ReplyEnd end;
  };
  [[nodiscard]] json chunk(json choices) const;
  [[nodiscard]] std::vector<json> chunks(std::size_t index, const std::vector<ReplyDelta>& deltas);
  [[nodiscard]] std::string finish(const Choice& choice) const;

  ReplyHead head_;
  Options options_;
  std::vector<Choice> choices_;
  Usage usage_;
};

}  // namespace zoomr
