#include "core/recall_probe.h"

#include <algorithm>
#include <array>
#include <random>

#include "core/check.h"

namespace zoomr {

namespace {

constexpr std::array kThings = {"lamp",   "kite",   "drum",   "rope",   "bell",   "coat",
                                "desk",   "pear",   "clock",  "boat",   "chair",  "ring",
                                "spoon",  "tent",   "flute",  "wagon",  "mirror", "ladder",
                                "basket", "hammer", "candle", "pillow", "bottle", "saddle"};

// Fisher and Yates with a generator whose numbers are the same everywhere.
template <typename T>
void shuffle(std::vector<T>& values, std::mt19937& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

}  // namespace

RecallText make_recall_text() {
  std::mt19937 random(24);
  std::vector<int> values;
  for (int value = 12; value < 98; ++value) values.push_back(value);
  shuffle(values, random);
  RecallText result;
  const auto tell = [&result](std::size_t thing, int value) {
    const std::size_t begin = result.text.size();
    result.text += std::string("The ") + kThings[thing] + " costs ";
    const std::size_t value_at = result.text.size();
    result.text += std::to_string(value) + " coins.\n";
    return std::pair(begin, value_at);
  };
  for (std::size_t i = 0; i < kThings.size(); ++i) {
    const auto [begin, value_at] = tell(i, values[i]);
    result.facts.push_back({.begin = begin, .end = result.text.size()});
  }
  std::vector<std::size_t> order(kThings.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  shuffle(order, random);
  for (const std::size_t i : order) result.facts[i].value_at = tell(i, values[i]).second;
  return result;
}

std::vector<Recall> find_recalls(const RecallText& text, std::span<const std::string> pieces) {
  std::vector<std::size_t> begins;  // of each token, in bytes
  std::size_t at = 0;
  for (const std::string& piece : pieces) {
    begins.push_back(at);
    at += piece.size();
  }
  // The token that holds the byte; a tokenizer may have put a space before the text.
  const std::size_t shift = at - std::min(at, text.text.size());
  const auto token_of = [&](std::size_t byte) {
    const auto next = std::upper_bound(begins.begin(), begins.end(), byte + shift);
    return static_cast<Pos>(next - begins.begin()) - 1;
  };
  std::vector<Recall> recalls;
  for (const RecallText::Fact& fact : text.facts) {
    recalls.push_back({.fact = {token_of(fact.begin), token_of(fact.end - 1) + 1},
                       .at = std::max<Pos>(0, token_of(fact.value_at) - 1)});
  }
  return recalls;
}

std::vector<HeadScore> score_heads(const KeyLog& keys, std::span<const Recall> recalls,
                                   const HeadLayout& query_layout,
                                   std::span<const std::vector<float>> queries) {
  check(recalls.size() == queries.size(), "a row of queries a recall");
  std::vector<HeadScore> scores;
  for (const HeadLayout::Item& item : query_layout.items) {
    const auto* key = query_layout.key_of(item, keys.layout());
    if (key == nullptr) continue;
    HeadScore score{.head = item.head, .key_head = key->head.head};
    for (std::size_t i = 0; i < recalls.size(); ++i) {
      // Later keys are not visible at the question.
      const std::vector<float> weights =
          head_weights(keys, {{0, recalls[i].at + 1}}, query_layout, queries[i], item);
      for (Pos pos = recalls[i].fact.begin; pos < recalls[i].fact.end; ++pos) {
        score.score += weights[static_cast<std::size_t>(pos)] / static_cast<double>(recalls.size());
      }
    }
    scores.push_back(score);
  }
  std::stable_sort(scores.begin(), scores.end(),
                   [](const HeadScore& a, const HeadScore& b) { return a.score > b.score; });
  return scores;
}

}  // namespace zoomr
