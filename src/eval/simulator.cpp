#include "eval/simulator.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "core/check.h"
#include "engine/engine.h"
#include "eval/recorded_kv.h"
#include "store/memory_store.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr float kLookUp = 0.3F;
constexpr Pos kFar = 32;

class RecordedVocabulary final : public Vocabulary {
 public:
  explicit RecordedVocabulary(const Recording& recording) {
    for (std::size_t i = 0; i < recording.tokens.size(); ++i) {
      pieces_.emplace(recording.tokens[i], recording.pieces[i]);
    }
  }
  [[nodiscard]] std::string piece(Token token) const override { return pieces_.at(token); }
  [[nodiscard]] bool is_eog(Token /*token*/) const override { return false; }
  [[nodiscard]] std::vector<Token> tokenize(std::string_view /*text*/, bool /*add_special*/,
                                            bool /*parse_special*/) const override {
    return {};
  }
  [[nodiscard]] int n_tokens() const override { return static_cast<int>(pieces_.size()); }

 private:
  std::map<Token, std::string> pieces_;
};

class NoSampler final : public Sampler {
 public:
  [[nodiscard]] Token sample(std::span<const float> /*logits*/) override {
    check(false, "a recorded token is taught");
    return 0;
  }
  void accept(Token /*token*/, bool /*in_reply*/) override {}
};

// Sees each decode right after its needs are noted, before anything moves.
class LookUps final : public TraceSink {
 public:
  void watch(const Session& session) { session_ = &session; }
  void write(const TraceEvent& event) override {
    const auto* decode = std::get_if<DecodeEvent>(&event);
    if (decode == nullptr || decode->missed < 0) return;
    const Pos at = decode->span.end - 1;
    const std::vector<float>& now = session_->evidence().lines.now;
    const auto best = std::max_element(now.begin(), now.end());
    if (best == now.end() || *best < kLookUp) return;
    const Line& line = session_->timeline().lines()[static_cast<std::size_t>(best - now.begin())];
    if (line.span.end + kFar > at || session_->timeline().segment_of(line).pinned) return;
    const bool there = session_->residency().resident.covers(line.span);
    const auto [it, first] = seen.try_emplace(at, std::array<bool, 2>{there, there});
    if (!first) it->second[1] = there;  // the second look
  }
  std::map<Pos, std::array<bool, 2>> seen;  // by position: at the first and the last decode

 private:
  const Session* session_ = nullptr;
};

SessionOptions session_options(const Recording& recording, const RunOptions& options) {
  constexpr Pos kUnbounded = 1 << 28;
  const Pos budget =
      options.budget.tokens + (options.budget.beyond_prompt ? recording.n_prompt : 0);
  return {.budget = options.policy == "full" ? kUnbounded : budget,
          .max_positions = kUnbounded,
          .n_predict = recording.n_decoded() - recording.n_prompt,
          .loop_guard = false,
          .segmenter = {.line_min = options.line_min,
                        .line_max = options.line_max,
                        .clause_min = options.clause_min,
                        .thought_max = options.thought_max,
                        .pin_prompt = options.pin_prompt}};
}

}  // namespace

Simulated simulate(const Recording& recording, const RunOptions& options,
                   std::vector<TraceSink*> watchers) {
  const RecordedVocabulary vocabulary(recording);
  RecordedKv kv(recording);
  MemoryStore store;
  Engine engine(kv, store);
  LookUps look_ups;
  watchers.push_back(&look_ups);
  Session session(1, session_options(recording, options),
                  make_policy(options.policy, options.settings), std::make_unique<NoSampler>(),
                  vocabulary, std::move(watchers));
  look_ups.watch(session);
  const std::span<const Token> tokens(recording.tokens);
  const auto n_prompt = static_cast<std::size_t>(recording.n_prompt);
  const auto n_decoded = static_cast<std::size_t>(recording.n_decoded());
  session.begin(tokens.first(n_prompt));
  session.teach(tokens.subspan(n_prompt, n_decoded - n_prompt));
  std::array<Session*, 1> sessions{&session};
  while (session.decoded() < recording.n_decoded() && session.running()) engine.step(sessions);
  if (session.finish_reason() == Finish::error) {
    throw Error(session.failure_code(), "the simulation: " + session.failure());
  }
  const Stats& stats = session.stats();
  const double n = std::max(1, stats.n_generated);
  Simulated result{.n_tokens = stats.n_generated,
                   .missed_mean = stats.missed_mean(),
                   .missed_p95 = stats.missed_p95(),
                   .look_ups = static_cast<int>(look_ups.seen.size()),
                   .moves = (stats.zoom_ins + stats.zoom_outs) / n,
                   .second_looks = stats.second_looks / n,
                   .mean_resident = stats.mean_resident()};
  for (const auto& [pos, there] : look_ups.seen) {
    result.ahead += there[0] ? 1 : 0;
    result.found += there[1] ? 1 : 0;
  }
  return result;
}

}  // namespace zoomr
