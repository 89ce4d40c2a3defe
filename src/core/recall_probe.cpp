#include "core/recall_probe.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace zoomr {

namespace {

constexpr std::size_t most_heads(HeadKind kind) { return kind == HeadKind::order ? 2 : 6; }

constexpr double kLeastScore = 0.1;
constexpr double kLeastShare = 0.5;  // of the best score

constexpr std::size_t kMostFilled = 10;  // value heads, where fewer than most_heads stand out
constexpr double kLeastFilled = 0.03;    // twice what evenly spread attention gives one of 64 facts

std::size_t index(HeadKind kind) { return static_cast<std::size_t>(kind); }

}  // namespace

void HeadScorer::add(const Recall& recall, const KeyLog& keys, const HeadLayout& query_layout,
                     std::span<const float> queries) {
  check(recall.at < keys.size() && recall.wanted.end <= recall.at,
        "the keys of what is asked for are logged");
  const auto fact_kind = static_cast<std::size_t>(recall.kind);
  ++n_[index(recall.who)][fact_kind];
  std::size_t n = 0;
  for (const HeadLayout::Item& item : query_layout.items) {
    const auto* key = query_layout.key_of(item, keys.layout());
    if (key == nullptr) continue;
    if (n == heads_.size()) {
      const LayerShape& shape = query_layout.layers[static_cast<std::size_t>(item.head.layer)];
      heads_.push_back(
          {.score = {.head = item.head, .key_head = key->head.head, .windowed = shape.window > 0}});
    }
    Sums& sums = heads_[n++];
    check(sums.score.head == item.head, "the same heads at every call");
    if (sums.score.windowed) continue;
    // Later keys are not visible at the question.
    const std::vector<float> weights =
        head_weights(keys, {{0, recall.at + 1}}, query_layout, queries, item);
    for (Pos pos = recall.wanted.begin; pos < recall.wanted.end; ++pos) {
      sums.mass[index(recall.who)][fact_kind] += weights[static_cast<std::size_t>(pos)];
    }
  }
}

std::vector<HeadScore> HeadScorer::scores() const {
  const auto least_mean = [this](const Sums& sums, std::size_t kind) {
    double least = 1;
    bool any = false;
    for (std::size_t k = 0; k < kRecallKinds; ++k) {
      if (n_[kind][k] == 0) continue;
      any = true;
      least = std::min(least, sums.mass[kind][k] / n_[kind][k]);
    }
    return any ? std::round(least * 1e4) / 1e4 : 0;
  };
  std::vector<HeadScore> scores;
  for (const Sums& sums : heads_) {
    scores.push_back(sums.score);
    scores.back().value = least_mean(sums, index(HeadKind::value));
    scores.back().name = least_mean(sums, index(HeadKind::name));
    scores.back().order = least_mean(sums, index(HeadKind::order));
  }
  return scores;
}

double best_score(const std::vector<HeadScore>& scores, HeadKind kind) {
  double best = 0;
  for (const HeadScore& s : scores) best = std::max(best, score_of(s, kind));
  return best;
}

std::vector<HeadScore> ranked(std::vector<HeadScore> scores, HeadKind kind) {
  std::stable_sort(scores.begin(), scores.end(), [kind](const HeadScore& a, const HeadScore& b) {
    return score_of(a, kind) > score_of(b, kind);
  });
  return scores;
}

std::vector<RetrievalHead> choose_heads(const std::vector<HeadScore>& scores, HeadKind kind) {
  const std::vector<HeadScore> by_score = ranked(scores, kind);
  const auto take = [&](std::size_t most, double least) {
    std::vector<RetrievalHead> heads;
    for (const HeadScore& s : by_score) {
      if (heads.size() == most || score_of(s, kind) < least) break;
      if (!s.windowed) heads.push_back({s.head.layer, s.head.head, s.key_head});
    }
    return heads;
  };
  const double outstanding = std::max(kLeastScore, kLeastShare * best_score(scores, kind));
  std::vector<RetrievalHead> heads = take(most_heads(kind), outstanding);
  const bool few = !heads.empty() && heads.size() < most_heads(kind);
  if (few && kind == HeadKind::value) heads = take(kMostFilled, kLeastFilled);
  return heads;
}

}  // namespace zoomr
