// A service that answers from a script, at a pace that the test sets; and a vocabulary of bytes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/context.h"
#include "serve/service.h"

namespace zoomr {

// A token is a byte.
class Bytes final : public Vocabulary {
 public:
  [[nodiscard]] std::string piece(Token token) const override { return {static_cast<char>(token)}; }
  [[nodiscard]] bool is_eog(Token /*token*/) const override { return false; }
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text, bool /*add_special*/,
                                            bool /*parse_special*/) const override {
    std::vector<Token> tokens;
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  [[nodiscard]] int n_tokens() const override { return 256; }
};

// What every reply of the service does.
struct Script {
  std::vector<std::string> parts = {"Hello", " you"};
  std::string finish_reason = "stop";
  std::string stop_text;
  std::string failure;
  std::chrono::milliseconds pause{0};  // before each part
  int repeat = 1;                      // how often the parts come
  int silent_after = -1;               // >= 0: so many parts, then nothing until the end of time
  std::string refuse;                  // not "": submit throws unavailable
};

struct FakeCounts {
  std::atomic<int> submitted{0};
  std::atomic<int> cancelled{0};  // destroyed or cancelled before the end
  std::atomic<int> parts{0};
};

class FakeReply final : public ReplyStream {
 public:
  FakeReply(Script script, ServeRequest request, std::shared_ptr<FakeCounts> counts,
            std::shared_ptr<std::atomic<bool>> interrupted)
      : script_(std::move(script)),
        request_(std::move(request)),
        counts_(std::move(counts)),
        interrupted_(std::move(interrupted)) {}
  ~FakeReply() override {
    if (!end_) ++counts_->cancelled;
  }

  std::optional<ReplyPart> next(std::chrono::milliseconds wait) override {
    if (end_) return std::nullopt;
    if (*interrupted_) return finish("interrupted");
    const std::size_t all = script_.parts.size() * static_cast<std::size_t>(script_.repeat);
    const bool silent = static_cast<int>(at_) == script_.silent_after;
    if (silent || (at_ < all && script_.pause > wait)) {
      std::this_thread::sleep_for(wait);
      waited_ += wait;
      if (silent || waited_ < script_.pause) return std::nullopt;
    } else if (at_ < all) {
      std::this_thread::sleep_for(script_.pause);
    }
    waited_ = {};
    if (at_ == all) return finish(script_.finish_reason);
    ReplyPart part;
    part.text = script_.parts[at_++ % script_.parts.size()];
    ReplyToken token{
        .token = {.token = static_cast<Token>(at_), .text = part.text, .logprob = -0.5F}};
    for (int i = 0; i < request_.n_top; ++i) token.top.push_back({Token{i}, "x", -1.0F - i});
    part.tokens.push_back(token);
    ++counts_->parts;
    return part;
  }
  const ReplyEnd* end() const override { return end_ ? &*end_ : nullptr; }
  void cancel() override { end_ = ReplyEnd{}; }

 private:
  std::optional<ReplyPart> finish(const std::string& reason) {
    end_.emplace();
    end_->run.finish_reason = reason;
    end_->run.failure = script_.failure;
    end_->run.n_prompt = 10;
    end_->run.n_generated = static_cast<int>(at_);
    end_->run.peak_resident_tokens = 12;
    end_->run.missed_mass = 0.25;
    end_->run.seed = request_.sampling.seed;
    end_->n_cached = 4;
    end_->stop_text = script_.stop_text;
    end_->prompt_ms = 10;
    end_->predicted_ms = 20;
    return std::nullopt;
  }

  Script script_;
  ServeRequest request_;
  std::shared_ptr<FakeCounts> counts_;
  std::shared_ptr<std::atomic<bool>> interrupted_;
  std::size_t at_ = 0;
  std::chrono::milliseconds waited_{0};
  std::optional<ReplyEnd> end_;
};

class FakeEvents final : public EventStream {
 public:
  explicit FakeEvents(std::shared_ptr<std::atomic<bool>> closed) : closed_(std::move(closed)) {}
  std::optional<std::string> next(std::chrono::milliseconds wait) override {
    if (at_ < 2) return R"({"t":"decode","session":)" + std::to_string(at_++) + "}";
    std::this_thread::sleep_for(wait);
    return std::nullopt;
  }
  bool closed() const override { return *closed_; }

 private:
  std::shared_ptr<std::atomic<bool>> closed_;
  int at_ = 0;
};

class FakeService final : public Service {
 public:
  std::unique_ptr<ReplyStream> submit(ServeRequest request) override {
    const std::lock_guard lock(mutex_);
    if (!script.refuse.empty()) throw Error(ErrorCode::unavailable, script.refuse);
    if (draining_) throw Error(ErrorCode::unavailable, "the server shuts down");
    last = request;
    auto reply = std::make_unique<FakeReply>(script, std::move(request), counts, interrupted_);
    ++counts->submitted;  // from now on a test may change the script
    return reply;
  }
  ServiceState state() const override {
    ServiceState state;
    state.policy = "zoomr";
    state.n_cells = 2048;
    state.resident = 100;
    state.draining = draining_;
    state.slots = {{.id = 0, .use = SlotState::Use::generating, .resident = 60},
                   {.id = 1, .use = second_slot, .resident = 40}};
    state.totals.generated_tokens = 7;
    return state;
  }
  std::unique_ptr<EventStream> events() override {
    return std::make_unique<FakeEvents>(interrupted_);
  }
  void drain(std::chrono::milliseconds timeout) override {
    draining_ = true;
    std::this_thread::sleep_for(timeout);
    *interrupted_ = true;
  }

  Script script;
  ServeRequest last;
  SlotState::Use second_slot = SlotState::Use::kept;
  std::shared_ptr<FakeCounts> counts = std::make_shared<FakeCounts>();

 private:
  std::mutex mutex_;
  std::atomic<bool> draining_{false};
  std::shared_ptr<std::atomic<bool>> interrupted_ = std::make_shared<std::atomic<bool>>(false);
};

// A template of ChatML's kind that knows thinking and tools, written for these tests.
inline constexpr const char* kThinkTemplate = R"(
{%- if tools %}<|im_start|>system
Tools:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
Call one as <tool_call>{"name": ..., "arguments": ...}</tool_call>.<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' %}
{%- set content = message.content if message.content else '' %}
{%- set reasoning = message.reasoning_content if message.reasoning_content else '' %}
{%- if '</think>' in content %}
{%- set reasoning = content.split('</think>')[0].split('<think>')[-1] %}
{%- set content = content.split('</think>')[-1] %}
{%- endif %}
{{- '<|im_start|>assistant\n' }}
{%- if reasoning and loop.last %}{{- '<think>\n' + reasoning + '\n</think>\n\n' }}{% endif %}
{{- content.strip() }}
{%- for call in message.tool_calls or [] %}
{{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
{{- '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}{% endif %}
{%- endif %})";

// Plain ChatML.
inline constexpr const char* kPlainTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}{% endif %}";

struct Fixture {
  explicit Fixture(const char* text = kPlainTemplate) : chat(nullptr, text) {
    context.vocabulary = &vocabulary;
    context.chat = &chat;
    context.model = "fake";
    context.n_ctx = 1000;
    context.n_parallel = 2;
    context.budget = 512;
  }
  Bytes vocabulary;
  ChatTemplate chat;
  ServerContext context;
};

}  // namespace zoomr
