#include "llama/sampler.h"

#include "llama.h"
#include "model/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

// 40 tokens of our sampler, and of llama_sampler_sample with an equal chain, on a plain context.
std::vector<Token> ours(const SamplingOptions& options) {
  const LlamaModel& impl = model(kSmol).impl();
  LlamaKv kv(impl, {.n_cells = 256, .context = two_threads()});
  LlamaSampler sampler(options, impl);
  std::vector<Token> tokens = impl.tokenize(kText, true, false);
  tokens.resize(30);
  std::vector<BatchToken> batch;
  for (Pos pos = 0; pos < 30; ++pos) {
    batch.push_back({tokens[static_cast<std::size_t>(pos)], pos, 0, pos == 29});
    sampler.accept(tokens[static_cast<std::size_t>(pos)], false);
  }
  EXPECT_EQ(kv.decode(batch, {}), DecodeStatus::ok);
  std::vector<Token> drawn;
  for (Pos pos = 30; pos < 70; ++pos) {
    drawn.push_back(sampler.sample(kv.logits(pos == 30 ? 29 : 0)));
    sampler.accept(drawn.back(), true);
    const BatchToken token{drawn.back(), pos, 0, true};
    EXPECT_EQ(kv.decode({&token, 1}, {}), DecodeStatus::ok);
  }
  return drawn;
}

std::vector<Token> plain(llama_sampler* chain) {
  const LlamaModel& impl = model(kSmol).impl();
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 256;
  params.n_threads = params.n_threads_batch = 2;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  llama_context* context = llama_init_from_model(impl.get(), params);
  std::vector<Token> tokens = impl.tokenize(kText, true, false);
  tokens.resize(30);
  for (const Token token : tokens) llama_sampler_accept(chain, token);
  EXPECT_EQ(llama_decode(context, llama_batch_get_one(tokens.data(), 30)), 0);
  std::vector<Token> drawn;
  for (int i = 0; i < 40; ++i) {
    drawn.push_back(llama_sampler_sample(chain, context, -1));  // accepts too
    EXPECT_EQ(llama_decode(context, llama_batch_get_one(&drawn.back(), 1)), 0);
  }
  llama_sampler_free(chain);
  llama_free(context);
  return drawn;
}

llama_sampler* chain_of(std::initializer_list<llama_sampler*> samplers) {
  llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
  for (llama_sampler* s : samplers) llama_sampler_chain_add(chain, s);
  return chain;
}

TEST(Sampler, GreedyIsLlamaCppsGreedy) {
  SamplingOptions options;
  options.temp = 0;
  EXPECT_EQ(ours(options), plain(chain_of({llama_sampler_init_greedy()})));
}

TEST(Sampler, SeededIsLlamaCppsChain) {
  const LlamaModel& impl = model(kSmol).impl();
  SamplingOptions options;
  options.seed = 42;
  options.repeat_penalty = 1.1F;
  EXPECT_EQ(
      ours(options),
      plain(chain_of({llama_sampler_init_penalties(impl.n_tokens(), 64, 1.1F, 0, 0),
                      llama_sampler_init_top_k(40), llama_sampler_init_top_p(0.95F, 0),
                      llama_sampler_init_min_p(0.05F, 0), llama_sampler_init_temp_ext(0.8F, 0, 1),
                      llama_sampler_init_dist(42)})));
}

TEST(Sampler, AnotherSeedDrawsOthers) {
  SamplingOptions a;
  a.seed = 1;
  a.temp = 1.5F;
  SamplingOptions b = a;
  b.seed = 2;
  EXPECT_EQ(ours(a), ours(a));
  EXPECT_NE(ours(a), ours(b));
}

TEST(Sampler, ARandomSeedIsTold) {
  const LlamaSampler sampler(SamplingOptions{}, model(kSmol).impl());
  EXPECT_NE(sampler.seed(), 0xFFFFFFFFU);
}

TEST(Sampler, FollowsAGrammar) {
  const LlamaModel& impl = model(kSmol).impl();
  SamplingOptions options;
  options.temp = 0;
  options.grammar = "root ::= [0-9]+";
  std::string text;
  for (const Token token : ours(options)) {
    if (!impl.is_eog(token)) text += impl.piece(token);
  }
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << text;
}

TEST(Sampler, IgnoreEosNeverEnds) {
  const LlamaModel& impl = model(kSmol).impl();
  SamplingOptions options;
  options.temp = 0;
  options.ignore_eos = true;
  LlamaSampler sampler(options, impl);
  std::vector<float> logits(static_cast<std::size_t>(impl.n_tokens()), 0.0F);
  for (Token t = 0; t < impl.n_tokens(); ++t) {
    if (impl.is_eog(t)) logits[static_cast<std::size_t>(t)] = 50;
  }
  EXPECT_FALSE(impl.is_eog(sampler.sample(logits)));
}

TEST(Sampler, ABiasMovesAToken) {
  const LlamaModel& impl = model(kSmol).impl();
  SamplingOptions options;
  options.temp = 0;
  options.logit_bias = {{777, 100.0F}};
  LlamaSampler sampler(options, impl);
  EXPECT_EQ(sampler.sample(std::vector<float>(static_cast<std::size_t>(impl.n_tokens()), 0.0F)),
            777);
}

TEST(Sampler, BracketsInTextsClassesAndCommentsDoNotNest) {
  const std::string open(200, '(');
  SamplingOptions options;
  options.grammar = "# " + open + "\nroot ::= \"" + open + "\\\"\" | [" + open + "\\]]+";
  EXPECT_NO_THROW(LlamaSampler(options, model(kSmol).impl()));
}

TEST(Sampler, RefusesBadOptions) {
  const LlamaModel& impl = model(kSmol).impl();
  const auto refused = [&](auto change) {
    SamplingOptions options;
    change(options);
    EXPECT_THROW(LlamaSampler(options, impl), Error);
  };
  refused([](auto& o) { o.samplers = "top_k;magic"; });
  refused([](auto& o) { o.grammar = "root ::= ("; });
  refused([](auto& o) { o.grammar = "root ::= #\r" + std::string(4000000, '('); });
  refused([](auto& o) { o.grammar = "root ::= <\">" + std::string(4000000, '('); });
  refused([](auto& o) {
    o.grammar = "root ::= a0\n";
    for (int i = 0; i < 200000; ++i) {
      o.grammar += "a" + std::to_string(i) + " ::= a" + std::to_string(i + 1) + "\n";
    }
  });
  refused([](auto& o) {
    o.grammar = "root ::= " + std::string(4000000, '(') + "\"a\"" + std::string(4000000, ')');
  });
  refused([](auto& o) { o.repeat_penalty = 0; });
  refused([](auto& o) { o.top_p = 1.5F; });
  refused([](auto& o) { o.mirostat = 3; });
  refused([](auto& o) { o.logit_bias = {{-5, 1.0F}}; });
}

}  // namespace
}  // namespace zoomr
