// Replies of /v1/completions, and of llama.cpp's own /completion.
#pragma once

#include <string>
#include <vector>

#include "http/context.h"
#include "http/reply_json.h"

namespace zoomr {

struct CompletionOptions {
  std::size_t n_prompts = 1;
  std::size_t n = 1;  // replies to each prompt
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  bool tokens = false;  // native: the tokens' numbers too
};

class CompletionReply final : public ReplyFormat {
 public:
  CompletionReply(const ServerContext& context, const CompletionOptions& options);
  std::vector<json> part(std::size_t choice, const ReplyPart& part) override;
  std::vector<json> ended(std::size_t choice, const ReplyEnd& end) override;
  std::vector<json> closing() override;
  json whole() override;

 private:
  struct Choice {
    std::string text;
    std::vector<ReplyToken> tokens;
    std::size_t text_offset = 0;  // bytes before `tokens`
    ReplyEnd end;
  };
  [[nodiscard]] json object(json choices) const;
  [[nodiscard]] json choice_json(std::size_t index, const std::string& text, json reason);
  [[nodiscard]] Usage usage() const;

  ReplyHead head_;
  CompletionOptions options_;
  std::vector<Choice> choices_;
};

class NativeReply final : public ReplyFormat {
 public:
  NativeReply(const ServerContext& context, const CompletionOptions& options,
              const ServeRequest& request);
  std::vector<json> part(std::size_t choice, const ReplyPart& part) override;
  std::vector<json> ended(std::size_t choice, const ReplyEnd& end) override;
  std::vector<json> closing() override { return {}; }
  json whole() override;
  bool says_done() const override { return false; }

 private:
  struct Choice {
    std::string prompt;
    std::string text;
    std::vector<ReplyToken> tokens;
    ReplyEnd end;
  };
  [[nodiscard]] json last(std::size_t index, const std::string& text) const;

  std::string model_;
  CompletionOptions options_;
  json settings_;
  std::vector<Choice> choices_;
};

// Sampling as /props and the native completion tell it.
[[nodiscard]] json settings_json(const SamplingOptions& sampling, int n_predict);

}  // namespace zoomr
