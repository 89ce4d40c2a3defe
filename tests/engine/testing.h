// What the engine's tests share: a vocabulary of words, scripted and random samplers, a session on
// the fake Kv, and a sink that replays what it hears.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/replay.h"
#include "core/text_hash.h"
#include "engine/engine.h"
#include "kv/fake_kv.h"
#include "store/memory_store.h"

namespace zoomr {

// The name of a case that is told apart by these words: GoogleTest takes no hyphens.
inline std::string case_name(std::string words) {
  std::replace(words.begin(), words.end(), '-', '_');
  return words;
}

// Tokens are words; the last one ends the turn.
class Words final : public Vocabulary {
 public:
  static const std::vector<std::string>& all() {
    static const std::vector<std::string> words = {" a",   " bee", " sees", ".",    "\n",
                                                   "\n\n", " 3",   "<s>",   "</s>", " the",
                                                   " sea", "!",    "<end>"};
    return words;
  }
  static constexpr Token kEnd = 12;
  static Token id(const std::string& word) {
    for (std::size_t i = 0; i < all().size(); ++i) {
      if (all()[i] == word) return static_cast<Token>(i);
    }
    throw std::logic_error("no word " + word);
  }
  [[nodiscard]] std::string piece(Token token) const override {
    return all().at(static_cast<std::size_t>(token));
  }
  [[nodiscard]] bool is_eog(Token token) const override { return token == kEnd; }
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text, bool /*add_special*/,
                                            bool /*parse_special*/) const override {
    return {id(std::string(text))};
  }
  [[nodiscard]] int n_tokens() const override { return static_cast<int>(all().size()); }
};

// Draws what a function says, and remembers what it was told.
class FunctionSampler final : public Sampler {
 public:
  explicit FunctionSampler(std::function<Token()> next) : next_(std::move(next)) {}
  [[nodiscard]] Token sample(std::span<const float> /*logits*/) override { return next_(); }
  void accept(Token token, bool in_reply) override {
    if (in_reply) accepted.push_back(token);
  }
  std::vector<Token> accepted;

 private:
  std::function<Token()> next_;
};

inline std::function<Token()> script(std::vector<Token> tokens) {
  auto at = std::make_shared<std::size_t>(0);
  return [tokens = std::move(tokens), at] {
    return *at < tokens.size() ? tokens[(*at)++] : Words::kEnd;
  };
}

inline std::function<Token()> random_words(unsigned seed, Token below = Words::kEnd) {
  auto random = std::make_shared<std::mt19937>(seed);
  return [random, below] { return static_cast<Token>((*random)() % static_cast<unsigned>(below)); };
}

class Recorder final : public TraceSink {
 public:
  void write(const TraceEvent& event) override { events.push_back(event); }
  template <typename T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> result;
    for (const TraceEvent& event : events) {
      if (const auto* e = std::get_if<T>(&event)) result.push_back(*e);
    }
    return result;
  }
  std::vector<TraceEvent> events;
};

struct Scene {
  std::string policy = "zoomr";
  SeqId seq = 0;
  Pos budget = 96;
  int n_predict = 300;
  int n_prompt = 12;
  int forced_chunk = 1;
  bool pin_prompt = true;
  Pos keep = -1;
  bool loop_guard = false;
  std::string select = "paper";
  std::vector<RetrievalHead> heads = {};
  std::vector<RetrievalHead> name_heads = {};
  std::vector<RetrievalHead> order_heads = {};
  float second_look = 0.15F;
  float sure = 0.95F;
  float miss = 0;
  int zoom_max = PolicySettings{}.zoom_max;
  SummaryMode summaries = SummaryMode::none;
  std::function<Token()> next = random_words(1);
};

// A session with its recorder; begun.
struct Thinker {
  explicit Thinker(const Scene& scene) : options(scene) {
    const PolicySettings settings{.window = 16,
                                  .sink = 4,
                                  .select = scene.select,
                                  .heads = scene.heads,
                                  .name_heads = scene.name_heads,
                                  .order_heads = scene.order_heads,
                                  .zoom_max = scene.zoom_max,
                                  .second_look = scene.second_look,
                                  .sure = scene.sure,
                                  .miss = scene.miss,
                                  .summaries = scene.summaries != SummaryMode::none};
    auto policy = make_policy(scene.policy, settings);
    SessionOptions o{.seq = scene.seq,
                     .budget = policy->bounded() ? scene.budget : 100000,
                     .keep = scene.keep,
                     .max_positions = 100000,
                     .n_predict = scene.n_predict,
                     .forced_chunk = scene.forced_chunk,
                     .loop_guard = scene.loop_guard,
                     .seed = 5,
                     .summaries = scene.summaries,
                     .segmenter = {.line_min = 3,
                                   .line_max = 12,
                                   .thought_max = 60,
                                   .summary_max = 20,
                                   .pin_prompt = scene.pin_prompt,
                                   .delimiters = {.summary_begin = "<s>", .summary_end = "</s>"}}};
    recorder.write(RunEvent{.zoomr = "t",
                            .llama = "t",
                            .model = "fake",
                            .policy = scene.policy,
                            .budget = policy->bounded() ? scene.budget : 0,
                            .unit = policy->unit(),
                            .n_ctx = 0,
                            .options = {{"summaries", std::string(to_string(scene.summaries))}}});
    auto s = std::make_unique<FunctionSampler>(scene.next);
    sampler = s.get();
    session =
        std::make_unique<Session>(static_cast<std::uint64_t>(scene.seq) + 1, o, std::move(policy),
                                  std::move(s), words, std::vector<TraceSink*>{&recorder});
    session->begin(std::vector<Token>(static_cast<std::size_t>(scene.n_prompt), Words::id(" the")));
  }

  // The trace tells the truth: a replay of it ends in the session's own state.
  void expect_true_trace() {
    recorder.write(
        FinalEvent{{{"text_hash", text_hash(session->text())},
                    {"finish_reason", std::string(to_string(session->finish_reason()))}}});
    Replay replay;
    for (const TraceEvent& event : recorder.events)
      ASSERT_NO_THROW(replay.apply(from_json_line(to_json_line(event))));
    EXPECT_EQ(replay.residency(), session->residency());
    EXPECT_EQ(replay.decoded(), session->decoded());
  }

  Scene options;
  Words words;
  Recorder recorder;
  FunctionSampler* sampler = nullptr;
  std::unique_ptr<Session> session;
};

// What the fake holds is what the session believes.
inline void expect_same_residents(const FakeKv& kv, const Thinker& thinker) {
  SpanSet really;
  for (const Pos pos : kv.resident(thinker.options.seq)) really.insert({pos, pos + 1});
  EXPECT_EQ(really, thinker.session->residency().resident);
}

// Nothing that is neither resident nor stored, unless the policy says that it drops.
inline void expect_nothing_lost(const Thinker& thinker) {
  SpanSet held = thinker.session->residency().resident;
  held.insert(thinker.session->residency().stored);
  EXPECT_EQ(held, (SpanSet{{0, thinker.session->decoded()}}));
}

}  // namespace zoomr
