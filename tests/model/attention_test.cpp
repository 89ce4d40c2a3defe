// What the tap's queries and keys say of attention is what ggml computes: the weights of every head
// against the softmax of stock libllama without flash attention, whose node holds them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "core/attention_mass.h"
#include "ggml-backend.h"
#include "llama.h"
#include "model/testing.h"
#include "model/tiny.h"

namespace zoomr {
namespace {

constexpr int kTokens = 90;

// [layer] of [head][kTokens]: the last token's softmax.
using Weights = std::map<int, std::vector<float>>;

// cb_eval of stock libllama; user: Weights.
bool keep_softmax(ggml_tensor* node, bool ask, void* user) {
  int layer = -1;
  if (std::sscanf(node->name, "kq_soft_max-%d", &layer) != 1) return !ask;
  if (ask) return true;
  const auto row = static_cast<std::size_t>(node->ne[0]);  // cells, padded
  std::vector<float> kept;
  for (std::int64_t head = 0; head < node->ne[2]; ++head) {
    const std::size_t offset = static_cast<std::size_t>(head) * node->nb[2] +
                               static_cast<std::size_t>(node->ne[1] - 1) * node->nb[1];
    std::vector<float> weights(row);
    ggml_backend_tensor_get(node, weights.data(), offset, row * sizeof(float));
    kept.insert(kept.end(), weights.begin(), weights.begin() + kTokens);
  }
  (*static_cast<Weights*>(user))[layer] = std::move(kept);
  return true;
}

struct Case {
  const char* name;
  bool is_tiny;
  const char* type_k;
  ggml_type stock_type_k;
};

class Attention : public ::testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] static const Model& loaded() {
    const Case& c = GetParam();
    return model(c.is_tiny ? tiny(c.name) : c.name);
  }
  [[nodiscard]] static std::vector<Token> text() {
    const LlamaModel& impl = loaded().impl();
    std::vector<Token> tokens = impl.tokenize(kText, true, false);
    while (static_cast<int>(tokens.size()) < kTokens) {
      tokens.push_back(259 + static_cast<Token>(tokens.size() * 31 % 70));
    }
    tokens.resize(kTokens);
    return tokens;
  }

  [[nodiscard]] static Weights ggmls() {
    Weights weights;
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = params.n_threads_batch = 2;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = GetParam().stock_type_k;
    params.swa_full = true;
    params.cb_eval = keep_softmax;
    params.cb_eval_user_data = &weights;
    llama_context* context =
        llama_init_from_model(const_cast<llama_model*>(loaded().impl().get()), params);
    std::vector<Token> tokens = text();
    EXPECT_EQ(llama_decode(context, llama_batch_get_one(tokens.data(), kTokens)), 0);
    llama_free(context);
    return weights;
  }

  // As the session takes it: keys of every token, the last one's queries.
  void look() {
    ContextOptions context = two_threads();
    context.type_k = GetParam().type_k;
    LlamaKv kv(loaded().impl(), {.n_cells = 256, .swa_full = true, .context = context});
    const std::vector<Token> tokens = text();
    std::vector<BatchToken> batch;
    Capture capture{.keys = {.all = true}, .queries = {.all = true}};
    for (Pos pos = 0; pos < kTokens; ++pos) {
      capture.key_rows.push_back(pos);
      batch.push_back({tokens[static_cast<std::size_t>(pos)], pos, 0, pos == kTokens - 1});
    }
    capture.query_rows.push_back(kTokens - 1);
    ASSERT_EQ(kv.decode(batch, capture), DecodeStatus::ok);
    seen = kv.observation();
    for (Pos pos = 0; pos < kTokens; ++pos) {
      log.append(pos, seen.key_layout, seen.key_row(static_cast<std::size_t>(pos)));
    }
  }

  // The share of weight that lies elsewhere: half of the sum of differences.
  [[nodiscard]] double apart(const HeadLayout::Item& ours, const std::vector<float>& layer,
                             int head) const {
    const std::vector<float> weights =
        head_weights(log, SpanSet{{0, kTokens}}, seen.query_layout, seen.query_row(0), ours);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      sum += std::fabs(weights[i] - layer[static_cast<std::size_t>(head * kTokens) + i]);
    }
    return sum / 2;
  }

  Observation seen;
  KeyLog log;
};

TEST_P(Attention, IsWhatGgmlComputes) {
  const Weights expected = ggmls();
  look();
  ASSERT_FALSE(seen.query_layout.items.empty());
  double mean = 0;
  double most = 0;
  double first_layer = 0;  // the most there: deeper ones see what flash attention rounds otherwise
  double other_head = 0;   // against the next head of the same layer: what a wrong one would give
  for (const HeadLayout::Item& item : seen.query_layout.items) {
    ASSERT_TRUE(expected.contains(item.head.layer)) << item.head.layer;
    const std::vector<float>& layer = expected.at(item.head.layer);
    const int n_heads = static_cast<int>(layer.size()) / kTokens;
    const double here = apart(item, layer, item.head.head);
    mean += here;
    most = std::max(most, here);
    if (item.head.layer == 0) first_layer = std::max(first_layer, here);
    other_head += apart(item, layer, (item.head.head + 1) % n_heads);
  }
  const auto n = static_cast<double>(seen.query_layout.items.size());
  // ggml multiplies quantised keys by queries of 8 bits.
  EXPECT_LT(first_layer, GetParam().stock_type_k == GGML_TYPE_F16 ? 0.001 : 0.005);
  EXPECT_LT(mean / n, 0.03);
  EXPECT_LT(most, 0.1);
  EXPECT_GT(other_head / n, 0.4);
}

INSTANTIATE_TEST_SUITE_P(Models, Attention,
                         ::testing::Values(Case{kSmol, false, "f16", GGML_TYPE_F16},
                                           Case{kSmol, false, "q8_0", GGML_TYPE_Q8_0},
                                           Case{kGemma, false, "f16", GGML_TYPE_F16},
                                           Case{kGemma, false, "q8_0", GGML_TYPE_Q8_0},
                                           Case{"phi3", true, "f16", GGML_TYPE_F16},
                                           Case{"gpt2", true, "f16", GGML_TYPE_F16}),
                         [](const auto& test) {
                           std::string name =
                               std::string(test.param.name) + "_" + test.param.type_k;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace zoomr
