#include "llama/head_probe.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "llama/llama_kv.h"
#include "llama/log.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr std::size_t kBatch = 256;  // tokens; bounds what is captured at a time

}  // namespace

RecallReading make_recall_reading(const LlamaModel& model) {
  for (int n_facts = kMostRecallFacts; n_facts >= 2; n_facts /= 2) {
    const RecallText text = make_recall_text(n_facts);
    RecallReading reading{.tokens = model.tokenize(text.text, true, false), .recalls = {}};
    if (static_cast<int>(reading.tokens.size()) > model.n_ctx_train()) continue;
    std::vector<std::string> pieces;
    for (const Token token : reading.tokens) {
      pieces.push_back(model.is_text(token) ? model.piece(token) : "");
    }
    reading.recalls = find_recalls(text, pieces);
    return reading;
  }
  throw Error(ErrorCode::unsupported,
              "the model's trained length, " + std::to_string(model.n_ctx_train()) +
                  " tokens, has no room for the recall probe's text (--heads, --select paper)");
}

namespace {

// Reads on from `begin`, at most one batch, and scores what was asked in it. Returns its end.
std::size_t read_batch(LlamaKv& kv, const RecallReading& reading, std::size_t begin, KeyLog& keys,
                       HeadScorer& scorer) {
  struct Asked {
    const Recall* recall;
    std::size_t row;  // of the captured queries
  };
  const std::size_t end = std::min(
      {reading.tokens.size(), begin + kBatch, begin + static_cast<std::size_t>(kv.max_batch())});
  std::vector<BatchToken> batch;
  std::vector<Asked> asked;
  Capture capture{
      .keys = {.all = true}, .queries = {.all = true}, .key_rows = {}, .query_rows = {}};
  for (std::size_t i = begin; i < end; ++i) {
    const Pos pos = static_cast<Pos>(i);
    batch.push_back({.token = reading.tokens[i], .pos = pos, .seq = 0, .logits = false});
    capture.key_rows.push_back(static_cast<int>(i - begin));
    const std::size_t n_before = asked.size();
    for (const Recall& recall : reading.recalls) {
      if (recall.wanted.end > pos) continue;  // a vocabulary that cannot spell the text
      if (recall.at == pos) asked.push_back({&recall, capture.query_rows.size()});
    }
    if (asked.size() > n_before) capture.query_rows.push_back(static_cast<int>(i - begin));
  }
  if (kv.decode(batch, capture) != DecodeStatus::ok) {
    throw Error(ErrorCode::failed, "the recall probe could not decode: " + last_llama_error());
  }
  const Observation& seen = kv.observation();
  for (std::size_t i = begin; i < end; ++i) {
    keys.append(static_cast<Pos>(i), seen.key_layout, seen.key_row(i - begin));
  }
  for (const Asked& a : asked) {
    scorer.add(*a.recall, keys, seen.query_layout, seen.query_row(a.row));
  }
  return end;
}

}  // namespace

HeadProbe probe_heads(const LlamaModel& model, const ContextOptions& context) {
  const auto start = std::chrono::steady_clock::now();
  const RecallReading reading = make_recall_reading(model);
  LlamaKv kv(model, {.n_cells = static_cast<int>(reading.tokens.size()),
                     .n_sessions = 1,
                     .swa_full = true,
                     .context = context});
  KeyLog keys;
  HeadScorer scorer;
  for (std::size_t at = 0; at < reading.tokens.size();) {
    at = read_batch(kv, reading, at, keys, scorer);
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  return {.scores = scorer.scores(),
          .n_tokens = static_cast<int>(reading.tokens.size()),
          .seconds = passed.count()};
}

std::vector<LayerShape> layer_shapes(const LlamaModel& model, const ContextOptions& context) {
  const LlamaKv kv(model, {.n_cells = 256, .n_sessions = 1, .swa_full = true, .context = context});
  return {kv.layers().begin(), kv.layers().end()};
}

}  // namespace zoomr
