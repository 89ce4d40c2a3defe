// Whole runs on real models.
#include <cstdio>
#include <fstream>

#include "core/replay.h"
#include "llama.h"
#include "model/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

Prompt prompt() {
  return {.text =
              "<|im_start|>user\nCount the boats in the harbour, one sentence a "
              "boat.<|im_end|>\n<|im_start|>assistant\n"};
}

RunOptions options(const std::string& policy = "zoomr") {
  RunOptions o;
  o.policy = policy;
  o.budget = {.tokens = 96, .beyond_prompt = true};
  o.n_predict = 250;
  o.sampling.temp = 0;
  o.sampling.ignore_eos = true;
  o.loop_guard = false;
  o.settings.window = 32;
  o.context = two_threads();
  o.self_test = false;
  return o;
}

RunResult run(const RunOptions& o, const std::string& name = kSmol) {
  Run run(model(name), o, prompt());
  while (run.step()) {
  }
  return run.result();
}

class FullRun : public ::testing::TestWithParam<const char*> {};

// Policy full is a plain libllama loop, token for token.
TEST_P(FullRun, EqualsAPlainLoop) {
  RunOptions o = options("full");
  o.n_predict = 120;
  const RunResult result = run(o, GetParam());

  const LlamaModel& impl = model(GetParam()).impl();
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 512;
  params.n_threads = params.n_threads_batch = 2;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  llama_context* context = llama_init_from_model(impl.get(), params);
  std::vector<Token> tokens = impl.tokenize(prompt().text, true, true);
  EXPECT_EQ(
      llama_decode(context, llama_batch_get_one(tokens.data(), static_cast<int>(tokens.size()))),
      0);
  std::string text;
  for (int i = 0; i < 120; ++i) {
    const float* logits = llama_get_logits_ith(context, -1);
    Token best = -1;
    for (Token t = 0; t < impl.n_tokens(); ++t) {
      if (!impl.is_eog(t) && (best < 0 || logits[t] > logits[best])) best = t;
    }
    text += impl.piece(best);
    EXPECT_EQ(llama_decode(context, llama_batch_get_one(&best, 1)), 0);
  }
  llama_free(context);
  EXPECT_EQ(result.text, text);
}

INSTANTIATE_TEST_SUITE_P(Models, FullRun, ::testing::Values(kSmol, kGemma),
                         [](const auto& test) { return std::string(test.param).substr(0, 5); });

struct Watch final : TraceSink {
  void write(const TraceEvent& event) override { replay.apply(event); }
  Replay replay;  // checks budget and invariants as it goes
};

class BoundedRun : public ::testing::TestWithParam<const char*> {};

TEST_P(BoundedRun, KeepsItsBudgetAtEveryStepAndItsTraceIsTrue) {
  for (const char* name : {kSmol, kGemma}) {
    RunOptions o = options(GetParam());
    if (o.policy == "summary-only") o.summaries = "injected";
    Watch watch;
    zoomr::Run r(model(name), o, prompt(), {&watch});
    while (r.step()) {
      ASSERT_LE(r.resident_tokens(), r.budget());
    }
    const RunResult result = r.result();
    EXPECT_LE(result.peak_resident_tokens, result.budget);
    EXPECT_EQ(result.n_ctx, 256);
    EXPECT_EQ(result.n_generated, 250);
    EXPECT_TRUE(watch.replay.complete());
    const bool nothing_lost = o.policy == "zoomr" || o.policy == "random";
    if (nothing_lost) {
      EXPECT_EQ(result.stored_tokens + r.resident_tokens(), watch.replay.decoded());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, BoundedRun,
                         ::testing::Values("streaming-llm", "h2o", "summary-only", "random",
                                           "zoomr"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Run, TheSameSeedGivesTheSameText) {
  RunOptions o = options();
  o.sampling.temp = 1;
  o.sampling.seed = 9;
  const RunResult a = run(o);
  EXPECT_EQ(a.text_hash, run(o).text_hash);
  EXPECT_EQ(a.seed, 9U);
  o.sampling.seed = 10;
  EXPECT_NE(a.text_hash, run(o).text_hash);
}

// With room for everything, looking (the tap) or not makes the same text.
TEST(Run, TheTapChangesNoText) {
  RunOptions looking = options();
  looking.budget = {.tokens = 400, .beyond_prompt = true};
  RunOptions blind = looking;
  blind.settings.select = "none";
  EXPECT_EQ(run(looking).text_hash, run(blind).text_hash);
}

TEST(Run, QuantisedKvIsSmaller) {
  RunOptions o = options();
  const RunResult f16 = run(o);
  o.context = two_threads("q8_0");
  const RunResult q8 = run(o);
  EXPECT_EQ(q8.finish_reason, "length");
  EXPECT_EQ(q8.peak_kv_bytes * 32, f16.peak_kv_bytes * 17);  // 34 bytes for 32 values against 64
  EXPECT_GT(q8.zoom_outs, 0);
}

TEST(Run, TheTrainedLengthEndsIt) {
  RunOptions o = options();
  o.n_ctx = 100;
  o.n_predict = -1;
  Watch watch;
  zoomr::Run r(model(kSmol), o, prompt(), {&watch});
  while (r.step()) {
  }
  EXPECT_EQ(r.result().finish_reason, "length");
  EXPECT_EQ(r.result().n_prompt + r.result().n_generated, 100);
  ASSERT_EQ(watch.replay.notes().size(), 1U);
  EXPECT_NE(watch.replay.notes()[0].find("100 positions"), std::string::npos);
}

TEST(Run, AnInterruptEndsItWithItsRecord) {
  RunOptions o = options();
  Watch watch;
  zoomr::Run r(model(kSmol), o, prompt(), {&watch});
  for (int i = 0; i < 20; ++i) r.step();
  r.interrupt();
  while (r.step()) {
  }
  EXPECT_EQ(r.result().finish_reason, "interrupted");
  EXPECT_TRUE(watch.replay.complete());
}

TEST(Run, TaughtTokensAreWrittenFirst) {
  RunOptions o = options();
  Prompt p = prompt();
  p.taught = model(kSmol).impl().tokenize("One boat is red.", false, false);
  zoomr::Run r(model(kSmol), o, p);
  while (r.step()) {
  }
  EXPECT_TRUE(r.result().text.starts_with("One boat is red."));
}

TEST(Run, RefusesOptionsThatDoNotFit) {
  const auto refused = [](auto change) {
    RunOptions o = options();
    change(o);
    EXPECT_THROW(zoomr::Run(model(kSmol), o, prompt()), Error);
  };
  refused([](auto& o) { o.policy = "lru"; });
  refused([](auto& o) { o.budget = {.tokens = 63, .beyond_prompt = true}; });
  refused([](auto& o) { o.line_min = 0; });
  refused([](auto& o) { o.line_max = 4; });
  refused([](auto& o) { o.clause_min = -1; });
  refused([](auto& o) { o.settings.window = 0; });
  refused([](auto& o) { o.summaries = "always"; });
  refused([](auto& o) {
    o.summaries = "native";
    o.summary_end = o.summary_begin;
  });
  refused([](auto& o) { o.context.type_k = "q9"; });
  refused([](auto& o) { o.trace = "/no/such/folder/trace"; });
  refused([](auto& o) { o.n_ctx = 5; });
}

}  // namespace
}  // namespace zoomr
