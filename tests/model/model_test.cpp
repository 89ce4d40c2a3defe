#include "llama/model.h"

#include <filesystem>
#include <set>

#include "chat/chat_template.h"
#include "llama/context_params.h"
#include "llama/gguf_file.h"
#include "llama/head_probe.h"
#include "llama/sampler.h"
#include "llama/support.h"
#include "model/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

TEST(Model, TokenisesAndBack) {
  const LlamaModel& impl = model(kSmol).impl();
  std::string text;
  for (const Token token : impl.tokenize(kText, false, false)) text += impl.piece(token);
  EXPECT_EQ(text, kText);
}

TEST(Model, SpecialTextBecomesSpecialTokens) {
  const LlamaModel& impl = model(kSmol).impl();
  const auto tokens = impl.tokenize("<|im_end|>", false, true);
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_TRUE(impl.is_eog(tokens[0]));
  EXPECT_FALSE(impl.is_text(tokens[0]));
  EXPECT_GT(impl.tokenize("<|im_end|>", false, false).size(), 1U);
}

TEST(Model, KnowsItself) {
  const LlamaModel& impl = model(kSmol).impl();
  EXPECT_EQ(impl.n_ctx_train(), 8192);
  EXPECT_EQ(impl.meta("general.architecture"), "llama");
  EXPECT_EQ(impl.meta("no.such.key"), "");
}

TEST(Model, KvBytesFromMetadataAreWhatIsAllocated) {
  for (const char* name : {kSmol, kGemma}) {
    const GgufFile file(find_model(name));
    for (const char* type : {"f16", "q8_0"}) {
      const LlamaKv kv(model(name).impl(), {.n_cells = 512, .context = two_threads(type)});
      EXPECT_EQ(static_cast<double>(kv.allocated_bytes()),
                512 * kv_bytes_per_token(file, type, type))
          << name << type;
    }
  }
}

TEST(Model, TheTestsModelsAreSupported) {
  for (const char* name : {kSmol, kGemma}) {
    const Support support = check_support(GgufFile(find_model(name)));
    EXPECT_TRUE(support.ok) << support.why;
  }
}

TEST(Chat, RendersTheModelsOwnTemplate) {
  const ChatTemplate chat(model(kSmol).impl().get(), "");
  const auto rendered = chat.apply({{"user", "Hi"}}, {});
  EXPECT_NE(rendered.prompt.find("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
            std::string::npos)
      << rendered.prompt;
  EXPECT_NE(rendered.prompt.find("SmolLM"), std::string::npos);  // its default system message
  EXPECT_EQ(rendered.think_begin, "");
}

constexpr const char* kThinking =
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.reasoning_content %}{{ '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' "
    "}}{%- endif %}"
    "{{ m.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}";

TEST(Chat, FindsTheThinkingDelimiters) {
  const ChatTemplate chat(model(kSmol).impl().get(), kThinking);
  const auto rendered = chat.apply({{"user", "Hi"}}, {.reasoning_format = "deepseek"});
  EXPECT_EQ(rendered.think_begin, "<think>");
  ASSERT_FALSE(rendered.think_ends.empty());
  EXPECT_EQ(rendered.think_ends[0], "</think>");
  EXPECT_TRUE(rendered.starts_thinking);
  const auto reply = ChatTemplate::parse("I add.\n</think>\n\nIt is 4.", rendered);
  EXPECT_TRUE(reply.reasoning.starts_with("I add."));
  EXPECT_EQ(reply.content, "It is 4.");
}

TEST(Chat, RefusesABrokenTemplate) {
  EXPECT_THROW(
      {
        const ChatTemplate chat(model(kSmol).impl().get(), "{% if %}");
        (void)chat.apply({{"user", "Hi"}}, {});
      },
      Error);
}

// Does the grammar let this reply through, token by token?
bool allows(const ChatTemplate::Rendered& rendered, const std::string& reply) {
  const LlamaModel& impl = model(kSmol).impl();
  SamplingOptions options;
  options.temp = 0;
  options.grammar = rendered.grammar;
  options.grammar_prefill = rendered.generation_prompt;
  LlamaSampler sampler(options, impl);
  std::vector<float> logits(static_cast<std::size_t>(impl.n_tokens()), 0.0F);
  for (const Token token : impl.tokenize(reply, false, true)) {
    logits[static_cast<std::size_t>(token)] = 50;
    if (sampler.sample(logits) != token) return false;
    sampler.accept(token, true);
    logits[static_cast<std::size_t>(token)] = 0;
  }
  return true;
}

constexpr const char* kSchema =
    R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],)"
    R"("additionalProperties":false})";

TEST(Chat, ASchemaBindsTheAnswerAndLeavesTheThinkingFree) {
  const ChatTemplate chat(model(kSmol).impl().get(), kThinking);
  const auto rendered =
      chat.apply({{"user", "Hi"}}, {.reasoning_format = "deepseek", .json_schema = kSchema});
  ASSERT_FALSE(rendered.grammar.empty());
  EXPECT_TRUE(allows(rendered, "I add two and two.\n</think>\n\n{\"a\": 4}"));
  EXPECT_FALSE(allows(rendered, "I add two and two.\n</think>\n\nIt is 4."));
}

TEST(Chat, ASchemaBindsAReplyWithoutThinking) {
  const ChatTemplate chat(model(kSmol).impl().get(), "");
  const auto rendered = chat.apply({{"user", "Hi"}}, {.json_schema = kSchema});
  ASSERT_FALSE(rendered.grammar.empty());
  EXPECT_TRUE(allows(rendered, "{\"a\": 4}"));
  EXPECT_FALSE(allows(rendered, "It is 4."));
}

TEST(Chat, MakesAGrammarOfASchema) {
  EXPECT_NE(json_schema_to_grammar(R"({"type":"integer"})").find("root"), std::string::npos);
  EXPECT_THROW((void)json_schema_to_grammar("{"), Error);
}

// The same two heads whatever the cache's type: what the probe measures is the model's.
TEST(HeadProbe, FindsTheHeadsThatLookFactsUp) {
  for (const char* type : {"f16", "q8_0"}) {
    const HeadProbe probe = probe_heads(model(kSmol).impl(), two_threads(type));
    ASSERT_EQ(probe.scores.size(), 30U * 9U);
    const auto heads = choose_heads(probe.scores, HeadKind::value);
    ASSERT_GE(heads.size(), 2U) << type;
    std::set<Head> best;
    for (std::size_t i = 0; i < 2; ++i) {
      best.insert({heads[i].layer, heads[i].head});
      EXPECT_EQ(heads[i].key_head, heads[i].head / 3);
    }
    EXPECT_EQ(best, (std::set<Head>{{18, 6}, {18, 7}})) << type;
    const auto order = choose_heads(probe.scores, HeadKind::order);
    ASSERT_EQ(order.size(), 2U) << type;
    EXPECT_EQ((Head{order[0].layer, order[0].head}), (Head{21, 2})) << type;
  }
}

// Of gemma-3's layers every 6th sees all, the others 512 tokens (gemma3.cpp).
TEST(HeadProbe, LeavesOutTheLayersThatDoNotSeeFar) {
  const HeadProbe probe = probe_heads(model(kGemma).impl(), two_threads());
  for (const HeadScore& s : probe.scores) {
    EXPECT_EQ(s.windowed, s.head.layer % 6 != 5) << s.head.layer;
    EXPECT_EQ(s.windowed ? s.value + s.name + s.order : 0, 0);
  }
  for (const HeadKind kind : {HeadKind::value, HeadKind::name, HeadKind::order}) {
    for (const RetrievalHead& head : choose_heads(probe.scores, kind)) {
      EXPECT_EQ(head.layer % 6, 5);
    }
  }
}

TEST(Options, CacheTypesAreNamed) {
  EXPECT_NO_THROW((void)parse_cache_type("q8_0"));
  try {
    (void)parse_cache_type("q3");
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("q4_0"), std::string::npos);
  }
}

TEST(Options, FlashAttentionCannotBeOff) {
  ContextOptions options;
  options.flash_attn = "off";
  try {
    (void)make_context_params(options);
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::unsupported);
  }
}

}  // namespace
}  // namespace zoomr
