#include "llama/self_test.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "core/check.h"
#include "llama.h"
#include "llama/llama_kv.h"
#include "llama/log.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr Pos kFirst = 32;      // tokens before the test
constexpr Span kHidden{6, 22};  // what is hidden and shown
constexpr Pos kAfter = 4;       // tokens decoded while hidden, and again after
constexpr int kPermutations = 3;
constexpr SeqId kTested = 0;
constexpr SeqId kReference = 1;
constexpr SeqId kKeeper = 2;  // holds the hidden span's cells for the reference
constexpr int kSequences = 3;

using Logits = std::vector<std::vector<float>>;

double largest_difference(const Logits& a, const Logits& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i].size(); ++j) {
      const double difference = std::fabs(double{a[i][j]} - double{b[i][j]});
      // A NaN compares false with everything: it must not pass for a small difference.
      if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
    }
  }
  return largest;
}

double largest_magnitude(const Logits& rows) {
  double largest = 0;
  for (const auto& row : rows) {
    for (const float value : row) largest = std::max(largest, std::fabs(double{value}));
  }
  return largest;
}

class Harness {
 public:
  Harness(const LlamaModel& model, const ContextOptions& context)
      : kv_(model,
            {.n_cells = 256, .n_sessions = kSequences, .swa_full = true, .context = context}) {
    std::mt19937 random(7);
    std::uniform_int_distribution<Token> any(0, model.n_tokens() - 1);
    // Text where the vocabulary has it: a control token may make the model say the same always.
    bool any_text = false;
    for (Token t = 0; t < model.n_tokens() && !any_text; ++t) any_text = model.is_text(t);
    while (static_cast<Pos>(tokens_.size()) < kFirst + 2 * kAfter) {
      const Token token = any(random);
      if (!any_text || model.is_text(token)) tokens_.push_back(token);
    }
  }

  // Decodes [begin, end) of the text on each sequence; logits of every row, by sequence.
  std::vector<Logits> decode(Span span, std::initializer_list<SeqId> sequences) {
    std::vector<Logits> result(sequences.size());
    for (Pos pos = span.begin; pos < span.end; ++pos) {
      std::vector<BatchToken> batch;
      for (const SeqId seq : sequences) batch.push_back({token(pos), pos, seq, true});
      run(batch);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto row = kv_.logits(static_cast<int>(i));
        result[i].emplace_back(row.begin(), row.end());
      }
    }
    return result;
  }

  // Decodes a span as one batch, without logits.
  void read(Span span, SeqId seq) {
    std::vector<BatchToken> batch;
    for (Pos pos = span.begin; pos < span.end; ++pos)
      batch.push_back({token(pos), pos, seq, false});
    run(batch);
  }

  LlamaKv& kv() { return kv_; }

 private:
  [[nodiscard]] Token token(Pos pos) const { return tokens_[static_cast<std::size_t>(pos)]; }
  void run(const std::vector<BatchToken>& batch) {
    if (kv_.decode(batch, {}) != DecodeStatus::ok) {
      throw Error(ErrorCode::failed, "the self-test could not decode: " + last_llama_error());
    }
  }

  LlamaKv kv_;
  std::vector<Token> tokens_;
};

// The rounding of permuted cells in stock libllama: the same tokens, with a part of them in the
// cells that another sequence has left.
double measure_noise(Harness& harness) {
  Logits plain;
  double noise = 0;
  for (int i = 0; i <= kPermutations; ++i) {
    harness.kv().clear();
    const Pos n_foreign = static_cast<Pos>(i) * 5;
    if (n_foreign > 0) harness.read({0, n_foreign}, kKeeper);
    harness.read({0, kFirst / 2}, kTested);
    if (n_foreign > 0) harness.kv().drop(kKeeper, {0, n_foreign});
    harness.read({kFirst / 2, kFirst}, kTested);
    const Logits logits = harness.decode({kFirst, kFirst + kAfter}, {kTested}).front();
    if (i == 0) {
      plain = logits;
    } else {
      noise = std::max(noise, largest_difference(plain, logits));
    }
  }
  return noise;
}

// A hybrid's seq_cp copies the whole recurrent state whatever the span: put the current one back.
void share_keeping_state(LlamaKv& kv, bool hybrid, SeqId from, SeqId to, Span span) {
  std::vector<uint8_t> state;
  if (hybrid) {
    state.resize(
        llama_state_seq_get_size_ext(kv.context(), to, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY));
    llama_state_seq_get_data_ext(kv.context(), state.data(), state.size(), to,
                                 LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
  }
  kv.share(from, to, span);
  if (hybrid) {
    llama_state_seq_set_data_ext(kv.context(), state.data(), state.size(), to,
                                 LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
  }
}

}  // namespace

SelfTest self_test(const LlamaModel& model, const ContextOptions& context) {
  const auto start = std::chrono::steady_clock::now();
  Harness harness(model, context);
  LlamaKv& kv = harness.kv();
  const bool hybrid = llama_model_is_hybrid(model.get());
  SelfTest result;
  result.noise = measure_noise(harness);

  kv.clear();
  harness.read({0, kFirst}, kTested);
  kv.share(kTested, kReference, {0, kFirst});
  kv.share(kTested, kKeeper, {0, kFirst});
  const Blob blob = kv.save(kTested, kHidden);
  kv.drop(kTested, kHidden);
  kv.drop(kReference, kHidden);
  const auto hidden = harness.decode({kFirst, kFirst + kAfter}, {kTested, kReference});
  const bool restored = !blob.empty() && kv.restore(kTested, kHidden, blob.view());
  share_keeping_state(kv, hybrid, kKeeper, kReference, kHidden);
  const bool same_newest = kv.newest_position(kTested) == kv.newest_position(kReference) &&
                           kv.newest_position(kTested) == kFirst + kAfter - 1;
  if (!restored) {
    result.why = "a saved span could not be restored";
  } else if (!same_newest) {
    result.why = "the newest position moved to " + std::to_string(kv.newest_position(kTested));
  } else {
    const auto shown =
        harness.decode({kFirst + kAfter, kFirst + 2 * kAfter}, {kTested, kReference});
    result.difference =
        std::max(largest_difference(hidden[0], hidden[1]), largest_difference(shown[0], shown[1]));
    // Models whose permuted cells round alike would leave no room at all: 1e-4 of the logits' size.
    result.bound = std::max(2 * result.noise, 1e-4 * largest_magnitude(shown[1]));
    result.exact = result.difference <= result.bound;
    if (!result.exact) {
      result.why = "logits differ by " + std::to_string(result.difference) + ", the noise allows " +
                   std::to_string(result.bound);
    }
  }
  result.ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace zoomr
