// LongRoPE: the proof that pinning the factors makes a small context the same model as one of the
// trained length. On a tiny phi3 (tests/models/make_tiny.py) with an original length of 512 tokens
// and a trained length of 4,096.
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "llama.h"
#include "llama/gguf_file.h"
#include "llama/self_test.h"
#include "llama/support.h"
#include "model/testing.h"
#include "model/tiny.h"

namespace zoomr {
namespace {

constexpr int kTokens = 200;

std::vector<Token> text(int n_vocab) {
  std::vector<Token> tokens = {1};
  while (static_cast<int>(tokens.size()) < kTokens) {
    tokens.push_back(259 + static_cast<Token>(tokens.size() * 31 % 70));
  }
  EXPECT_LT(tokens.back(), n_vocab);
  return tokens;
}

// The last token's logits in stock libllama: no override but those given, n_ctx as given.
std::vector<float> stock(const std::string& path, std::uint32_t n_ctx) {
  llama_model* model = llama_model_load_from_file(path.c_str(), llama_model_default_params());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = n_ctx;
  params.n_threads = params.n_threads_batch = 2;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  llama_context* context = llama_init_from_model(model, params);
  const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
  std::vector<Token> tokens = text(n_vocab);
  EXPECT_EQ(llama_decode(context, llama_batch_get_one(tokens.data(), kTokens)), 0);
  const float* logits = llama_get_logits_ith(context, -1);
  std::vector<float> result(logits, logits + n_vocab);
  llama_free(context);
  llama_model_free(model);
  return result;
}

std::vector<float> ours(const std::string& path, const std::vector<std::string>& overrides,
                        int n_cells, const ContextOptions& context) {
  ModelOptions options;
  options.path = path;
  options.kv_overrides = overrides;
  const LlamaModel model(options);
  LlamaKv kv(model, {.n_cells = n_cells, .context = context});
  const std::vector<Token> tokens = text(model.n_tokens());
  std::vector<BatchToken> batch;
  for (Pos pos = 0; pos < kTokens; ++pos) {
    batch.push_back({tokens[static_cast<std::size_t>(pos)], pos, 0, pos == kTokens - 1});
  }
  EXPECT_EQ(kv.decode(batch, {}), DecodeStatus::ok);
  const auto logits = kv.logits(kTokens - 1);
  return {logits.begin(), logits.end()};
}

std::vector<float> ours(const std::string& path, const std::vector<std::string>& overrides = {}) {
  return ours(path, overrides, 256, two_threads());
}

TEST(LongRope, ASmallContextIsAnotherModelInStockLibllama) {
  const std::string phi3 = tiny("phi3");
  EXPECT_NE(stock(phi3, 256), stock(phi3, 4096));
  EXPECT_EQ(stock(phi3, 256), stock(phi3, 512));
  EXPECT_EQ(stock(phi3, 768), stock(phi3, 4096));
}

TEST(LongRope, PinnedItIsTheFullSizeContextsModelBitForBit) {
  const std::string phi3 = tiny("phi3");
  EXPECT_EQ(ours(phi3), stock(phi3, 4096));
  EXPECT_EQ(ours(phi3, {}, 1024, two_threads()), stock(phi3, 4096));
}

TEST(LongRope, AModelTrainedNoLongerThanTheShortFactorsKeepsThem) {
  const std::string phi3 = tiny("phi3-short");
  EXPECT_EQ(ours(phi3), stock(phi3, 4096));
}

TEST(LongRope, TheUsersOwnOverrideDecides) {
  const std::string phi3 = tiny("phi3");
  const std::string key = "phi3.rope.scaling.original_context_length";
  EXPECT_EQ(ours(phi3, {key + "=int:4096"}), stock(phi3, 256));
  EXPECT_EQ(ours(phi3, {"phi3.context_length=int:512"}), stock(phi3, 256));
}

// The overridden number is YaRN's too: there the true one must arrive, long or short.
TEST(LongRope, YarnSeesTheTrueLength) {
  const std::string phi3 = tiny("phi3");
  ContextOptions yarn = two_threads();
  yarn.rope_scaling = "yarn";
  yarn.rope_freq_scale = 0.25F;
  ContextOptions told = yarn;
  told.yarn_orig_ctx = 512;
  ContextOptions wrong = yarn;
  wrong.yarn_orig_ctx = 4096;
  EXPECT_EQ(ours(phi3, {}, 256, yarn), ours(phi3, {}, 256, told));
  EXPECT_NE(ours(phi3, {}, 256, yarn), ours(phi3, {}, 256, wrong));
}

TEST(LongRope, TheSelfTestPasses) {
  ModelOptions options;
  options.path = tiny("phi3");
  const LlamaModel model(options);
  const SelfTest result = self_test(model, two_threads());
  EXPECT_TRUE(result.exact) << result.why;
}

TEST(LongRope, BlobsOfLongAndShortFactorsAreNotMixed) {
  ModelOptions options;
  options.path = tiny("phi3");
  const LlamaModel as_trained(options);
  options.kv_overrides = {"phi3.rope.scaling.original_context_length=int:4096"};
  const LlamaModel kept_short(options);
  const LlamaKv a(as_trained, {.n_cells = 256, .context = two_threads()});
  const LlamaKv b(kept_short, {.n_cells = 256, .context = two_threads()});
  EXPECT_NE(a.fingerprint(), b.fingerprint());
}

TEST(LongRope, OthersAreNotPinned) {
  EXPECT_FALSE(pin_rope(GgufFile(tiny("llama")), std::nullopt, std::nullopt).has_value());
}

}  // namespace
}  // namespace zoomr
