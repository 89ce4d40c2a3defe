// The mechanism on real models, against plain libllama: what is hidden and shown is exactly what it
// was, and the mirror of the cells is true.
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "llama.h"
#include "llama/self_test.h"
#include "model/testing.h"
#include "store/memory_store.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

struct Case {
  const char* model;
  const char* type;
};

class Exactness : public ::testing::TestWithParam<Case> {
 protected:
  Exactness() : tokens(impl().tokenize(kText, true, false)) { tokens.resize(96); }
  [[nodiscard]] static const LlamaModel& impl() { return model(GetParam().model).impl(); }
  [[nodiscard]] static LlamaKvOptions options(int n_sessions = 1) {
    return {.n_cells = 512,
            .n_sessions = n_sessions,
            .swa_full = true,
            .context = two_threads(GetParam().type)};
  }
  void read(LlamaKv& kv, Span span, SeqId seq = 0) const {
    std::vector<BatchToken> batch;
    for (Pos pos = span.begin; pos < span.end; ++pos)
      batch.push_back({tokens[static_cast<std::size_t>(pos)], pos, seq, false});
    ASSERT_EQ(kv.decode(batch, {}), DecodeStatus::ok);
  }
  [[nodiscard]] std::vector<float> next(LlamaKv& kv, Pos pos, SeqId seq = 0) const {
    const BatchToken token{tokens[static_cast<std::size_t>(pos)], pos, seq, true};
    EXPECT_EQ(kv.decode({&token, 1}, {}), DecodeStatus::ok);
    const auto row = kv.logits(0);
    return {row.begin(), row.end()};
  }
  [[nodiscard]] static double difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      largest = std::max(largest, std::fabs(double{a[i]} - double{b[i]}));
    return largest;
  }
  std::vector<Token> tokens;
};

// Out and back at once, into the same cells: not one bit of the logits moves.
TEST_P(Exactness, HideAndShowAtOnceChangesNothing) {
  LlamaKv plain(impl(), options());
  read(plain, {0, 80});
  const auto expected = next(plain, 80);
  LlamaKv kv(impl(), options());
  read(kv, {0, 80});
  const Blob blob = kv.save(0, {20, 50});
  ASSERT_FALSE(blob.empty());
  kv.drop(0, {20, 50});
  ASSERT_TRUE(kv.restore(0, {20, 50}, blob.view()));
  EXPECT_EQ(difference(expected, next(kv, 80)), 0.0);
}

// Shown in other cells: no more than twice what permuting cells does in stock libllama, where the
// cells are permuted by foreign tokens that came and went.
TEST_P(Exactness, ShownInOtherCellsIsWithinTheNoiseOfPermutedCells) {
  const auto permuted = [&](const std::vector<Pos>& order) {
    LlamaKv kv(impl(), options(2));
    // Foreign tokens take cells one by one between ours; dropping them leaves holes that ours fill.
    read(kv, {0, 40}, 1);
    read(kv, {0, 20});
    for (const Pos pos : order) {
      if (pos < 39) kv.drop(1, {pos, pos + 1});
    }
    read(kv, {20, 80});
    return next(kv, 80);
  };
  LlamaKv plain(impl(), options(2));
  read(plain, {0, 20});
  read(plain, {20, 80});
  const auto expected = next(plain, 80);
  double noise = 0;
  std::mt19937 random(11);
  std::vector<Pos> order(39);
  for (int i = 0; i < 20; ++i) {
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    order.resize(10 + static_cast<std::size_t>(i));
    noise = std::max(noise, difference(expected, permuted(order)));
    order.resize(39);
  }
  LlamaKv kv(impl(), options(2));
  read(kv, {0, 20});
  read(kv, {20, 80});
  const Blob blob = kv.save(0, {20, 50});
  kv.drop(0, {20, 50});
  read(kv, {0, 30}, 1);  // foreign tokens take the freed cells
  ASSERT_TRUE(kv.restore(0, {20, 50}, blob.view()));
  const double shown = difference(expected, next(kv, 80));
  EXPECT_LE(shown, 2 * noise);
  if (std::string(GetParam().type) == "f16") {  // values are added up in halves: order matters
    EXPECT_GT(noise, 0);
    EXPECT_GT(shown, 0);
  }
}

// A token that is decoded again when a span has come back is as if the span had been there all the
// time: not one bit of its logits or of its KV differs.
TEST_P(Exactness, ASecondLookLeavesWhatAPlainDecodeLeaves) {
  const auto hidden = [&](LlamaKv& kv) {
    read(kv, {0, 80});
    Blob blob = kv.save(0, {20, 50});
    kv.drop(0, {20, 50});
    return blob;
  };
  LlamaKv kv(impl(), options(2));
  const Blob blob = hidden(kv);
  const auto blind = next(kv, 80);
  ASSERT_TRUE(kv.restore(0, {20, 50}, blob.view()));
  kv.drop(0, {80, 81});
  const auto seen = next(kv, 80);

  LlamaKv plain(impl(), options(2));
  const Blob same = hidden(plain);
  read(plain, {0, 1}, 1);  // a foreign token takes the blind one's cell, so that all lie alike
  ASSERT_TRUE(plain.restore(0, {20, 50}, same.view()));
  plain.drop(1, {0, 1});
  EXPECT_EQ(difference(next(plain, 80), seen), 0.0);
  EXPECT_GT(difference(blind, seen), 0.0);
  const Blob a = kv.save(0, {80, 81});
  const Blob b = plain.save(0, {80, 81});
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.view().data(), b.view().data(), a.size()), 0);
}

// Random moves between decodes: the mirror knows libllama's widest cell at every step.
TEST_P(Exactness, TheMirrorOfTheCellsIsTrue) {
  LlamaKv kv(impl(), options());
  Capture all;
  all.queries.all = true;
  all.query_rows = {0};
  MemoryStore store;
  std::mt19937 random(5);
  read(kv, {0, 40});
  std::vector<Span> out;
  for (Pos pos = 40; pos < 90; ++pos) {
    const BatchToken token{tokens[static_cast<std::size_t>(pos)], pos, 0, true};
    ASSERT_EQ(kv.decode({&token, 1}, all), DecodeStatus::ok);
    const int padded = (kv.used_width() + 255) / 256 * 256;
    ASSERT_EQ(kv.tap().attention_width(), padded);
    if (random() % 2 == 0 && !out.empty()) {
      const Span span = out.back();
      out.pop_back();
      ASSERT_TRUE(kv.restore(0, span, store.get({0, span}, 1).blob));
    } else {
      const Pos begin = static_cast<Pos>(random() % 7) * 5;
      const Span span{begin, begin + 5};
      if (std::find(out.begin(), out.end(), span) != out.end()) continue;
      ASSERT_EQ(store.put({0, span}, 1, kv.save(0, span)), ThoughtStore::Status::ok);
      kv.drop(0, span);
      out.push_back(span);
    }
    ASSERT_EQ(kv.newest_position(0), pos);
  }
}

TEST_P(Exactness, TheSelfTestPasses) {
  const SelfTest test = self_test(impl(), two_threads(GetParam().type));
  EXPECT_TRUE(test.exact) << test.why;
  EXPECT_LE(test.difference, test.bound);
}

// The tap sees what the model computes, and does not change it.
TEST_P(Exactness, TheTapChangesNoLogit) {
  LlamaKv plain(impl(), options());
  read(plain, {0, 60});
  const auto expected = next(plain, 60);
  LlamaKv kv(impl(), options());
  read(kv, {0, 60});
  Capture all{.keys = {.all = true}, .queries = {.all = true}, .key_rows = {0}, .query_rows = {0}};
  const BatchToken token{tokens[60], 60, 0, true};
  ASSERT_EQ(kv.decode({&token, 1}, all), DecodeStatus::ok);
  const auto row = kv.logits(0);
  EXPECT_EQ(difference(expected, {row.begin(), row.end()}), 0.0);
  const Observation& seen = kv.observation();
  EXPECT_EQ(seen.keys.size(), seen.key_layout.row_size);
  EXPECT_EQ(seen.queries.size(), seen.query_layout.row_size);
  float norm = 0;
  for (const float value : seen.queries) norm += value * value;
  EXPECT_GT(norm, 0);
}

// Keys read token by token are the ones read from a batch: each row from its own cell.
TEST_P(Exactness, KeysOfABatchAreThoseOfItsTokens) {
  const auto keys_of = [&](LlamaKv& kv, Span span) {
    std::vector<BatchToken> batch;
    Capture capture;
    capture.keys.all = true;
    for (Pos pos = span.begin; pos < span.end; ++pos) {
      capture.key_rows.push_back(static_cast<int>(batch.size()));
      batch.push_back({tokens[static_cast<std::size_t>(pos)], pos, 0, false});
    }
    batch.back().logits = true;
    EXPECT_EQ(kv.decode(batch, capture), DecodeStatus::ok);
    return kv.observation().keys;
  };
  LlamaKv at_once(impl(), options());
  const std::vector<float> together = keys_of(at_once, {0, 8});
  LlamaKv one_by_one(impl(), options());
  std::vector<float> apart;
  for (Pos pos = 0; pos < 8; ++pos) {
    const auto keys = keys_of(one_by_one, {pos, pos + 1});
    apart.insert(apart.end(), keys.begin(), keys.end());
  }
  ASSERT_EQ(together.size(), apart.size());
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < apart.size(); ++i) {
    error += std::pow(together[i] - apart[i], 2);
    size += std::pow(apart[i], 2);
  }
  EXPECT_LT(error / size, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Models, Exactness,
                         ::testing::Values(Case{kSmol, "f16"}, Case{kSmol, "q8_0"},
                                           Case{kGemma, "f16"}),
                         [](const auto& test) {
                           std::string name = std::string(test.param.model) + "_" + test.param.type;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(LlamaKv, ASpanThatDoesNotFitIsRefusedAndNothingChanges) {
  const LlamaModel& impl = model(kSmol).impl();
  LlamaKv kv(impl, {.n_cells = 256, .context = two_threads()});
  std::vector<BatchToken> batch;
  for (Pos pos = 0; pos < 200; ++pos) batch.push_back({impl.any_token(), pos, 0, pos == 199});
  ASSERT_EQ(kv.decode(batch, {}), DecodeStatus::ok);
  const Blob blob = kv.save(0, {10, 100});
  kv.drop(0, {10, 100});
  std::vector<BatchToken> more;
  for (Pos pos = 200; pos < 330; ++pos) more.push_back({impl.any_token(), pos, 0, pos == 329});
  ASSERT_EQ(kv.decode(more, {}), DecodeStatus::ok);
  EXPECT_FALSE(kv.restore(0, {10, 100}, blob.view()));
  EXPECT_EQ(kv.newest_position(0), 329);
  kv.drop(0, {100, 200});
  EXPECT_TRUE(kv.restore(0, {10, 100}, blob.view()));
}

TEST(LlamaKv, ABatchThatDoesNotFitSaysSo) {
  const LlamaModel& impl = model(kSmol).impl();
  LlamaKv kv(impl, {.n_cells = 256, .context = two_threads()});
  std::vector<BatchToken> batch;
  for (Pos pos = 0; pos < 200; ++pos) batch.push_back({impl.any_token(), pos, 0, pos == 199});
  ASSERT_EQ(kv.decode(batch, {}), DecodeStatus::ok);
  for (BatchToken& token : batch) token.pos += 200;
  EXPECT_EQ(kv.decode(batch, {}), DecodeStatus::no_room);
  EXPECT_EQ(kv.newest_position(0), 199);
}

TEST(LlamaKv, AnInterruptEndsADecode) {
  const LlamaModel& impl = model(kSmol).impl();
  LlamaKv kv(impl, {.n_cells = 256, .context = two_threads()});
  const BatchToken token{impl.any_token(), 0, 0, true};
  kv.interrupt();
  EXPECT_EQ(kv.decode({&token, 1}, {}), DecodeStatus::aborted);
  EXPECT_EQ(kv.decode({&token, 1}, {}), DecodeStatus::ok);
}

TEST(LlamaKv, AllocatesWhatItSays) {
  const LlamaModel& impl = model(kSmol).impl();
  const LlamaKv kv(impl, {.n_cells = 1000, .context = two_threads()});
  EXPECT_EQ(kv.n_cells(), 1024);
  EXPECT_EQ(kv.allocated_bytes(), 1024U * 30 * 2 * 192 * 2);  // 30 layers, K and V of 3 x 64 halves
  EXPECT_EQ(llama_n_ctx(kv.context()), 1024U);
}

TEST(LlamaKv, FingerprintsTellContextsApart) {
  const LlamaModel& impl = model(kSmol).impl();
  const LlamaKv a(impl, {.n_cells = 256, .context = two_threads()});
  const LlamaKv b(impl, {.n_cells = 512, .context = two_threads()});
  const LlamaKv c(impl, {.n_cells = 256, .context = two_threads("q8_0")});
  ContextOptions stretched = two_threads();
  stretched.rope_freq_base = 20000;
  const LlamaKv d(impl, {.n_cells = 256, .context = stretched});
  EXPECT_EQ(a.fingerprint(), b.fingerprint());
  EXPECT_NE(a.fingerprint(), c.fingerprint());
  EXPECT_NE(a.fingerprint(), d.fingerprint());
}

}  // namespace
}  // namespace zoomr
