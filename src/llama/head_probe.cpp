#include "llama/head_probe.h"

#include <algorithm>
#include <string>

#include "llama/llama_kv.h"
#include "llama/log.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr std::size_t kMostHeads = 6;
constexpr double kLeastScore = 0.1;

}  // namespace

std::vector<HeadScore> probe_heads(const LlamaModel& model, const ContextOptions& context) {
  const RecallText text = make_recall_text();
  const std::vector<Token> tokens = model.tokenize(text.text, true, false);
  std::vector<std::string> pieces;
  for (const Token token : tokens) pieces.push_back(model.is_text(token) ? model.piece(token) : "");
  const std::vector<Recall> recalls = find_recalls(text, pieces);
  LlamaKv kv(model, {.n_cells = static_cast<int>(tokens.size()),
                     .n_sessions = 1,
                     .swa_full = true,
                     .context = context});
  KeyLog keys;
  HeadLayout query_layout;
  std::vector<std::vector<float>> queries(recalls.size());
  for (std::size_t begin = 0; begin < tokens.size();) {
    const std::size_t end =
        std::min(tokens.size(), begin + static_cast<std::size_t>(kv.max_batch()));
    std::vector<BatchToken> batch;
    Capture capture{.keys = {.all = true}, .queries = {.all = true}};
    std::vector<std::size_t> asked;  // recalls, in the order of their query rows
    for (std::size_t i = begin; i < end; ++i) {
      capture.key_rows.push_back(static_cast<int>(i - begin));
      for (std::size_t r = 0; r < recalls.size(); ++r) {
        if (static_cast<std::size_t>(recalls[r].at) != i) continue;
        capture.query_rows.push_back(static_cast<int>(i - begin));
        asked.push_back(r);
      }
      batch.push_back({.token = tokens[i], .pos = static_cast<Pos>(i), .seq = 0, .logits = false});
    }
    if (kv.decode(batch, capture) != DecodeStatus::ok) {
      throw Error(ErrorCode::failed, "the recall probe could not decode: " + last_llama_error());
    }
    const Observation& seen = kv.observation();
    for (std::size_t i = begin; i < end; ++i)
      keys.append(static_cast<Pos>(i), seen.key_layout, seen.key_row(i - begin));
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto row = seen.query_row(i);
      queries[asked[i]].assign(row.begin(), row.end());
      query_layout = seen.query_layout;
    }
    begin = end;
  }
  return score_heads(keys, recalls, query_layout, queries);
}

std::vector<RetrievalHead> retrieval_heads(const std::vector<HeadScore>& scores) {
  std::vector<RetrievalHead> heads;
  for (const HeadScore& score : scores) {
    if (heads.size() == kMostHeads || score.score < kLeastScore) break;
    heads.push_back({score.head.layer, score.head.head, score.key_head});
  }
  if (heads.empty()) {
    throw Error(ErrorCode::unsupported,
                "--select retrieval: no head of this model looks facts up (--select paper)");
  }
  return heads;
}

}  // namespace zoomr
