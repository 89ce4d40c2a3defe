// A scheduler on the fake Kv, whose sessions say what a test's script tells.
#pragma once

#include <atomic>
#include <map>

#include "engine/run_settings.h"
#include "engine/testing.h"
#include "serve/scheduler.h"

namespace zoomr {

using namespace std::chrono_literals;

constexpr auto kSoon = 10000ms;  // nothing in these tests takes so long

// What a reader got of one reply.
struct Read {
  std::string text;
  std::vector<ReplyToken> tokens;
  ReplyEnd end;
};

inline Read read_all(ReplyStream& stream) {
  Read read;
  const auto until = std::chrono::steady_clock::now() + kSoon;
  while (stream.end() == nullptr && std::chrono::steady_clock::now() < until) {
    if (const auto part = stream.next(50ms)) {
      read.text += part->text;
      read.tokens.insert(read.tokens.end(), part->tokens.begin(), part->tokens.end());
    }
  }
  EXPECT_NE(stream.end(), nullptr) << "the reply does not end";
  if (stream.end() != nullptr) read.end = *stream.end();
  return read;
}

inline std::vector<Token> words(const std::vector<std::string>& texts) {
  std::vector<Token> tokens;
  for (const std::string& text : texts) tokens.push_back(Words::id(text));
  return tokens;
}

inline std::string text_of(const std::vector<Token>& tokens) {
  std::string text;
  for (const Token token : tokens) text += Words::all()[static_cast<std::size_t>(token)];
  return text;
}

// Takes the largest logit.
class GreedySampler final : public Sampler {
 public:
  explicit GreedySampler(bool ignores_end) : ignores_end_(ignores_end) {}
  [[nodiscard]] Token sample(std::span<const float> logits) override {
    const auto end = ignores_end_ ? logits.begin() + Words::kEnd : logits.end();
    return static_cast<Token>(std::max_element(logits.begin(), end) - logits.begin());
  }
  void accept(Token /*token*/, bool /*in_reply*/) override {}

 private:
  bool ignores_end_;
};

// A request names what its session draws by the seed; at temperature 0 it takes the largest logit.
class Server {
 public:
  struct Options {
    std::string policy = "zoomr";
    int n_parallel = 4;
    Pos budget = 96;
    int n_cells = 0;  // 0: all budgets
    int queue = 64;
    bool can_rewind = true;
    std::string select = "none";
    int max_batch = 64;
  };

  explicit Server(const Options& options) {
    const int n_cells = options.n_cells > 0 ? options.n_cells : options.n_parallel * options.budget;
    auto made =
        std::make_unique<FakeKv>(FakeKv::Options{.n_cells = n_cells,
                                                 .max_batch = options.max_batch,
                                                 .n_vocab = static_cast<int>(Words::all().size()),
                                                 .can_rewind = options.can_rewind});
    kv = made.get();
    auto made_store = std::make_unique<MemoryStore>();
    store = made_store.get();
    limits.run.policy = options.policy;
    limits.run.settings.select = options.select;
    limits.run.settings.heads = {{.layer = 0, .head = 1, .key_head = 0},
                                 {.layer = 1, .head = 3, .key_head = 1}};
    limits.run.settings.window = 16;
    limits.run.line_min = 3;
    limits.run.line_max = 12;
    limits.run.thought_max = 60;
    limits.run.loop_guard = false;
    limits.budget = options.budget;
    limits.max_positions = 4096;
    limits.n_parallel = options.n_parallel;
    limits.queue = options.queue;
    limits.events_behind = 1 << 24;  // fakes write faster than a test reads
    ServeParts parts{
        .kv = std::move(made),
        .store = std::move(made_store),
        .vocabulary = vocabulary,
        .make_sampler =
            [this](const SamplingOptions& o) {
              if (o.temp > 0) return draw(o.seed);
              return ServeParts::Drawn{std::make_unique<GreedySampler>(o.ignore_eos), o.seed};
            },
        .introduce =
            [this](Pos budget) {
              return RunEvent{.zoomr = "t",
                              .llama = "t",
                              .model = "fake",
                              .policy = limits.run.policy,
                              .budget = budget,
                              .unit = make_policy(limits.run.policy, limits.run.settings)->unit(),
                              .options = run_settings(limits.run)};
            }};
    prepare = [this, parts = std::make_shared<ServeParts>(std::move(parts))] {
      scheduler = std::make_unique<Scheduler>(std::move(*parts), limits);
    };
  }

  // The scheduler starts with the first request, so that a test can change the fakes before.
  Scheduler& get() {
    if (!scheduler) prepare();
    return *scheduler;
  }
  std::unique_ptr<ReplyStream> submit(ServeRequest request) {
    return get().submit(std::move(request));
  }
  Read answer(ServeRequest request) { return read_all(*submit(std::move(request))); }

  // What sessions of this seed say; others say random words.
  std::map<std::uint32_t, std::function<Token()>> scripts;

  Words vocabulary;
  FakeKv* kv = nullptr;
  MemoryStore* store = nullptr;
  ServeLimits limits;
  std::unique_ptr<Scheduler> scheduler;

 private:
  ServeParts::Drawn draw(std::uint32_t seed) {
    const auto it = scripts.find(seed);
    auto next = it != scripts.end() ? it->second : random_words(seed);
    return {std::make_unique<FunctionSampler>(std::move(next)), seed};
  }
  std::function<void()> prepare;
};

inline ServeRequest request(std::uint32_t seed, int n_predict = 30, std::size_t n_prompt = 12) {
  ServeRequest request;
  request.prompt.tokens.assign(n_prompt, Words::id(" the"));
  request.sampling.seed = seed;
  request.n_predict = n_predict;
  return request;
}

// A sampler that waits: the reply stands still after n tokens until opened.
struct Gate {
  std::atomic<bool> open{false};
  std::function<Token()> behind(int n_tokens) {
    auto left = std::make_shared<int>(n_tokens);
    return [this, left] {
      if (--*left < 0) {
        while (!open) std::this_thread::sleep_for(1ms);
      }
      return Words::id(" sea");
    };
  }
};

}  // namespace zoomr
