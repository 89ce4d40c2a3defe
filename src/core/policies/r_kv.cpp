// r-kv: what is attended to and says nothing that another token says too.
//
//   Paper     R-KV, arXiv 2505.24133: importance minus redundancy. There every head keeps its own
//             tokens; libllama's cells are shared by all heads, so the heads' scores are summed and
//             one choice is made for all of them. The prompt is pinned and no candidate
//   Settings  none
//   Unit      token
//   Lost      what is evicted, for good
//
// Importance: the newest 8 tokens' attention over the older ones that the layer's window leaves
// them (the largest logit of a group's query heads, softmax, mean over the 8, the largest of 7
// neighbours). Redundancy: the softmax of
// the mean cosine between a token's key and the others', the latest of those that are more alike
// than 0.5 left out. Score: 0.1 importance - 0.9 redundancy. The paper lets a buffer fill beyond
// its budget; here the buffer, a quarter of the room and at most 128 tokens, is inside it.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/dot.h"
#include "core/policies/fill.h"
#include "core/policies/policies.h"

namespace zoomr {

namespace {

constexpr std::size_t kObserved = 8;  // newest tokens: their queries decide, and they stay
constexpr int kNeighbours = 7;        // width of the largest-of-neighbours filter
constexpr float kAlike = 0.5F;        // cosine above which two keys say the same
constexpr float kImportance = 0.1F;   // the paper's lambda
constexpr Pos kMostBuffer = 128;      // tokens

// [n] the largest of each value's neighbourhood.
std::vector<float> largest_nearby(const std::vector<float>& values) {
  std::vector<float> result(values.size());
  const auto n = static_cast<std::ptrdiff_t>(values.size());
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const auto begin = values.begin() + std::max<std::ptrdiff_t>(0, i - kNeighbours / 2);
    const auto end = values.begin() + std::min(n, i + kNeighbours / 2 + 1);
    result[static_cast<std::size_t>(i)] = *std::max_element(begin, end);
  }
  return result;
}

class RKv final : public Policy {
 public:
  [[nodiscard]] Unit unit() const override { return Unit::token; }
  [[nodiscard]] Needs needs(const View& /*view*/) const override { return {.recent = kObserved}; }

  [[nodiscard]] Plan plan(const View& view) const override {
    const SpanSet& now = view.residency.resident;
    if (now.size() <= view.room) return {now, {}};
    const SpanSet pinned = pinned_tokens(view);
    // Most are candidates; the newest ones always stay.
    std::vector<Pos> held;
    for (const Span span : now.minus(pinned).spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) held.push_back(pos);
    }
    const Pos room = std::max<Pos>(1, view.room - pinned.size());
    const Pos target = std::max<Pos>(1, room - std::min(kMostBuffer, room / 4));
    const std::size_t n_newest =
        std::min({kObserved, held.size(), static_cast<std::size_t>(target)});
    SpanSet keep = pinned;
    for (std::size_t i = held.size() - n_newest; i < held.size(); ++i)
      keep.insert({held[i], held[i] + 1});
    const std::size_t n_candidates = held.size() - n_newest;
    const std::size_t n_kept = std::min(n_candidates, static_cast<std::size_t>(target) - n_newest);
    const std::vector<float> scores = score(view.evidence, held, n_candidates);
    std::vector<std::size_t> order(n_candidates);
    for (std::size_t i = 0; i < n_candidates; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&scores](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    for (std::size_t i = 0; i < n_kept; ++i) keep.insert({held[order[i]], held[order[i]] + 1});
    return {keep.intersection(now), {}};
  }

 private:
  // [n_candidates] summed over the key heads. `held`: the candidates, then the newest tokens.
  static std::vector<float> score(const Evidence& evidence, const std::vector<Pos>& held,
                                  std::size_t n_candidates) {
    std::vector<float> scores(n_candidates, 0);
    if (n_candidates == 0 || evidence.queries.empty()) return scores;
    for (const HeadLayout::Item& key : evidence.keys.layout().items) {
      const std::vector<float> important = importance(evidence, key, held, n_candidates);
      const std::vector<float> redundant = redundancy(evidence.keys, key, held);
      for (std::size_t i = 0; i < n_candidates; ++i) {
        const float s = kImportance * important[i] - (1 - kImportance) * redundant[i];
        if (std::isfinite(s)) scores[i] += s;  // a NaN would break the order
      }
    }
    return scores;
  }

  static std::vector<float> importance(const Evidence& evidence, const HeadLayout::Item& key,
                                       const std::vector<Pos>& held, std::size_t n) {
    const LayerShape& shape =
        evidence.query_layout.layers[static_cast<std::size_t>(key.head.layer)];
    std::vector<float> mean(n, 0);
    std::vector<float> logits(n);
    for (const auto& [asking, queries] : evidence.queries) {
      std::fill(logits.begin(), logits.end(), -INFINITY);
      const auto seen = static_cast<std::size_t>(
          std::lower_bound(held.begin(), held.end(), shape.first_seen(asking)) - held.begin());
      if (seen >= n) continue;  // a sliding window hides all candidates
      for (const HeadLayout::Item& query : evidence.query_layout.items) {
        const auto* read = evidence.query_layout.key_of(query, evidence.keys.layout());
        if (read == nullptr || read->head != key.head) continue;
        for (std::size_t i = seen; i < n; ++i) {
          const float* row = evidence.keys.row(held[i]) + key.offset;
          const float product = dot(queries.data() + query.offset, row, key.d);
          logits[i] = std::max(logits[i], attention_logit(product, shape));
        }
      }
      softmax(logits);
      for (std::size_t i = 0; i < n; ++i) {
        mean[i] += logits[i] / static_cast<float>(evidence.queries.size());
      }
    }
    return largest_nearby(mean);
  }

  // [held] over all that is held: the candidates' part is used.
  static std::vector<float> redundancy(const KeyLog& keys, const HeadLayout::Item& key,
                                       const std::vector<Pos>& held) {
    const std::size_t n = held.size();
    std::vector<float> norms(n);
    for (std::size_t i = 0; i < n; ++i) {
      const float* row = keys.row(held[i]) + key.offset;
      norms[i] = std::sqrt(dot(row, row, key.d)) + 1e-8F;
    }
    std::vector<float> mean(n, 0);
    std::vector<float> cosines(n);
    for (std::size_t i = 0; i < n; ++i) {
      const float* row = keys.row(held[i]) + key.offset;
      std::size_t latest = 0;  // of those alike; the first token when there is none, as the authors
      for (std::size_t j = 0; j < n; ++j) {
        cosines[j] =
            i == j ? 0 : dot(row, keys.row(held[j]) + key.offset, key.d) / (norms[i] * norms[j]);
        if (cosines[j] > kAlike) latest = j;
      }
      cosines[latest] = 0;
      for (std::size_t j = 0; j < n; ++j) mean[j] += cosines[j] / static_cast<float>(n);
    }
    softmax(mean);
    return mean;
  }
};

}  // namespace

std::unique_ptr<Policy> make_r_kv() { return std::make_unique<RKv>(); }

}  // namespace zoomr
