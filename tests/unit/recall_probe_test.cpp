#include "core/recall_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace zoomr {
namespace {

std::vector<std::string> in_pieces(const std::string& text, std::size_t n) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size(); at += n) pieces.push_back(text.substr(at, n));
  return pieces;
}

std::vector<Recall> of(HeadKind who, const std::vector<Recall>& recalls) {
  std::vector<Recall> some;
  std::copy_if(recalls.begin(), recalls.end(), std::back_inserter(some),
               [who](const Recall& recall) { return recall.who == who; });
  return some;
}

TEST(RecallText, TellsEveryFactTwice) {
  const RecallText text = make_recall_text(kMostRecallFacts);
  ASSERT_EQ(text.facts.size(), 64U);
  std::set<std::string> values;
  for (const auto& fact : text.facts) {
    const std::string told = text.text.substr(fact.begin, fact.end - fact.begin);
    const std::size_t stop = text.text.find_first_of(" .\n", fact.value_at);
    const std::string value = text.text.substr(fact.value_at, stop - fact.value_at);
    EXPECT_NE(told.find(" " + value), std::string::npos) << told;
    const std::size_t line = text.text.rfind('\n', fact.name_end) + 1;
    std::string name = text.text.substr(line, fact.name_end - line);
    name = name.substr(name.rfind(' ') + 1);
    EXPECT_NE(told.find(name + " "), std::string::npos) << told;
    EXPECT_GT(fact.name_end, fact.end);
    EXPECT_GT(fact.value_at, fact.name_end);
    EXPECT_TRUE(values.insert(value).second) << value << " does not tell whose it is";
  }
}

TEST(RecallText, HasFactsNearAndFar) {
  const RecallText text = make_recall_text(kMostRecallFacts);
  std::map<int, std::size_t> nearest;
  for (const auto& fact : text.facts) {
    const std::size_t far = fact.value_at - fact.begin;
    const auto [it, is_new] = nearest.try_emplace(fact.kind, far);
    if (!is_new) it->second = std::min(it->second, far);
  }
  ASSERT_EQ(nearest.size(), 4U);
  EXPECT_LT(nearest[3], 400U);   // code, in bytes
  EXPECT_GT(nearest[0], 1800U);  // costs
}

TEST(RecallText, ARecallIsAtTheNamesLastTokenAndTheOneBeforeTheValue) {
  const RecallText text = make_recall_text(5);
  for (const std::size_t n : {1, 3, 5}) {
    const auto recalls = find_recalls(text, in_pieces(text.text, n));
    const auto values = of(HeadKind::value, recalls);
    const auto names = of(HeadKind::name, recalls);
    ASSERT_EQ(values.size(), 20U);
    ASSERT_EQ(names.size(), 20U);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(static_cast<std::size_t>(values[i].at) + 1, text.facts[i].value_at / n);
      EXPECT_EQ(static_cast<std::size_t>(names[i].at), (text.facts[i].name_end - 1) / n);
      EXPECT_EQ(static_cast<std::size_t>(values[i].wanted.begin), text.facts[i].begin / n);
      EXPECT_EQ(values[i].wanted, names[i].wanted);
      EXPECT_EQ(values[i].kind, static_cast<int>(i) / 5);
    }
  }
}

TEST(RecallText, CountsTwoListsWhoseItemsAreLong) {
  const RecallText text = make_recall_text(kMostRecallFacts);
  ASSERT_EQ(text.items.size(), 14U);
  for (std::size_t i = 0; i < text.items.size(); ++i) {
    const auto& item = text.items[i];
    const std::string number = std::to_string(i % 7 + 1);
    const std::string label = text.text.substr(item.begin, item.end - item.begin);
    EXPECT_EQ(label, item.kind == 0 ? "Step " + number + ":" : number + ".");
    EXPECT_EQ(text.text.substr(item.number_at, 1), number);
    if (i % 7 > 0) {
      EXPECT_GT(item.begin, text.items[i - 1].end + 80);
    }
    EXPECT_GT(item.begin, text.facts.front().value_at);
  }
}

TEST(RecallText, AtAnItemsNumberTheLabelBeforeItIsWanted) {
  const RecallText text = make_recall_text(4);
  const auto recalls = of(HeadKind::order, find_recalls(text, in_pieces(text.text, 1)));
  ASSERT_EQ(recalls.size(), 6U);  // the first item of each list has none before it
  for (const Recall& recall : recalls) {
    const auto at = static_cast<std::size_t>(recall.at);
    const int number = text.text[at + 1] - '0';
    const auto begin = static_cast<std::size_t>(recall.wanted.begin);
    const auto size = static_cast<std::size_t>(recall.wanted.size());
    const std::string label = text.text.substr(begin, size);
    const std::string last = std::to_string(number - 1);
    EXPECT_EQ(label, recall.kind == 0 ? "Step " + last + ":" : last + ".");
    EXPECT_EQ(text.text[at], recall.kind == 0 ? ' ' : '\n');
  }
}

TEST(RecallText, ALeadingSpaceOfTheTokenizerShiftsNothing) {
  const RecallText text = make_recall_text(3);
  const auto plain = find_recalls(text, in_pieces(text.text, 1));
  auto pieces = in_pieces(text.text, 1);
  pieces.insert(pieces.begin(), {"", " "});  // BOS and the space
  const auto shifted = find_recalls(text, pieces);
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(shifted[i].at, plain[i].at + 2);
}

// Two layers of two heads; keys of pairs of positions point the same way, so that a query of 50 in
// dimension i looks at positions 2i and 2i + 1, and one of zeros everywhere alike.
class Planted {
 public:
  explicit Planted(bool windowed = false) {
    std::vector<LayerShape> layers(2, {.n_head = 2, .n_head_kv = 1, .d_head = 4});
    layers[1].window = windowed ? 4 : 0;
    queries_ = make_layout({.all = true}, layers, false);
    const HeadLayout key_layout = make_layout({.all = true}, layers, true);
    for (Pos pos = 0; pos < 8; ++pos) {
      std::vector<float> key(8, 0);
      key[static_cast<std::size_t>(pos / 2)] = 1;
      key[4 + static_cast<std::size_t>(pos / 2)] = 1;
      keys_.append(pos, key_layout, key);
    }
  }
  // looks: where each of the 4 heads looks, -1: nowhere.
  void ask(const Recall& recall, const std::array<int, 4>& looks) {
    std::vector<float> row(16, 0);
    for (std::size_t i = 0; i < 4; ++i) {
      if (looks[i] >= 0) row[i * 4 + static_cast<std::size_t>(looks[i])] = 50;
    }
    scorer_.add(recall, keys_, queries_, row);
  }
  [[nodiscard]] std::vector<HeadScore> scores() const { return scorer_.scores(); }

 private:
  HeadLayout queries_;
  KeyLog keys_;
  HeadScorer scorer_;
};

constexpr Recall early(HeadKind who, Pos at = 7) { return {who, {2, 4}, at, 0}; }
constexpr Recall late(HeadKind who, Pos at = 5) { return {who, {0, 2}, at, 0}; }

TEST(HeadScores, AreTheAttentionOnTheRightFactAtItsOwnMoment) {
  Planted model;
  // Head 0.1 knows at the value, 1.0 at the name, 1.1 looks at the other fact, 0.0 nowhere.
  model.ask(early(HeadKind::value), {-1, 1, 0, 0});
  model.ask(late(HeadKind::value), {-1, 0, 1, 1});
  model.ask(early(HeadKind::name, 6), {-1, 0, 1, 0});
  model.ask(late(HeadKind::name, 4), {-1, 1, 0, 1});
  model.ask(late(HeadKind::order), {-1, 1, 1, 0});
  const auto scores = model.scores();
  ASSERT_EQ(scores.size(), 4U);
  EXPECT_EQ(scores[1].head, (Head{0, 1}));
  EXPECT_NEAR(scores[1].value, 1, 1e-4);
  EXPECT_NEAR(scores[1].name, 0, 1e-4);
  EXPECT_NEAR(scores[2].value, 0, 1e-4);
  EXPECT_NEAR(scores[2].name, 1, 1e-4);
  EXPECT_NEAR(scores[3].value + scores[3].name, 0, 1e-4);
  EXPECT_NEAR(scores[3].order, 1, 1e-4);
  EXPECT_NEAR(scores[1].order + scores[2].order, 0, 1e-4);
  // Everywhere alike: 2 of the 8, and 2 of the 6 that are visible; names one token earlier.
  EXPECT_NEAR(scores[0].value, (2.0 / 8 + 2.0 / 6) / 2, 1e-4);
  EXPECT_NEAR(scores[0].name, (2.0 / 7 + 2.0 / 5) / 2, 1e-4);
}

TEST(HeadScores, AHeadIsAsGoodAsWhereItIsWorst) {
  Planted model;
  Recall other = late(HeadKind::value);
  other.kind = 2;
  model.ask(early(HeadKind::value), {1, 1, 1, 1});
  model.ask(other, {0, 1, 0, 0});
  const auto scores = model.scores();
  EXPECT_NEAR(scores[0].value, 1, 1e-4);
  EXPECT_NEAR(scores[1].value, 0, 1e-4);
}

TEST(HeadScores, LayersWithAWindowHaveNone) {
  Planted model(true);
  model.ask(early(HeadKind::value), {1, 1, 1, 1});
  const auto scores = model.scores();
  EXPECT_FALSE(scores[1].windowed);
  EXPECT_NEAR(scores[1].value, 1, 1e-4);
  EXPECT_TRUE(scores[2].windowed);
  EXPECT_EQ(scores[2].value, 0);
}

// Heads with these scores of the kind; in the other kinds they rank the other way round.
std::vector<int> chosen(std::initializer_list<double> values, HeadKind kind = HeadKind::value) {
  std::vector<HeadScore> scores;
  for (const double value : values) {
    const double other = 0.5 - value / 2;
    scores.push_back({.head = {static_cast<int>(scores.size()), 0},
                      .value = kind == HeadKind::value ? value : other,
                      .name = kind == HeadKind::name ? value : other,
                      .order = kind == HeadKind::order ? value : other});
  }
  std::vector<int> layers;
  for (const auto& head : choose_heads(scores, kind)) layers.push_back(head.layer);
  return layers;
}

TEST(ChooseHeads, TakesTheBestWithinHalfOfTheFirst) {
  EXPECT_EQ(chosen({0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96}),
            (std::vector<int>{6, 5, 4, 3, 2, 1}));
  EXPECT_TRUE(chosen({0.09, 0.05}).empty());  // nothing that fills up either
  EXPECT_EQ(chosen({0.1, 0.9, 0.45, 0.4}, HeadKind::name), (std::vector<int>{1, 2}));
  EXPECT_EQ(chosen({0.7, 0.8, 0.9}, HeadKind::order), (std::vector<int>{2, 1}));  // two are enough
}

TEST(ChooseHeads, FillsUpWhereFewValueHeadsStandOut) {
  EXPECT_EQ(chosen({0.1, 0.68, 0.66, 0.3}), (std::vector<int>{1, 2, 3, 0}));
  EXPECT_EQ(chosen({0.15, 0.12, 0.09, 0.029}), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(chosen({0.9, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05}).size(), 10U);
  EXPECT_EQ(chosen({0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.44}).size(), 6U);  // six stand out
  EXPECT_EQ(chosen({0.9, 0.8, 0.7, 0.6, 0.5, 0.44, 0.43}).size(), 7U);  // five do
  EXPECT_EQ(chosen({0.2, 0.9, 0.8}, HeadKind::order), (std::vector<int>{1, 2}));
}

// The ten best of each kind on four models, as `zoomr heads` measured them.
TEST(ChooseHeads, OnRecordedScores) {
  const auto n = [](HeadKind kind, std::initializer_list<double> values) {
    return chosen(values, kind).size();
  };
  using enum HeadKind;
  // SmolLM2-135M: two heads look values up, three names
  EXPECT_EQ(n(value, {0.62, 0.48, 0.09, 0.09, 0.05, 0.04, 0.03, 0.03, 0.03, 0.03}), 10U);
  EXPECT_EQ(n(name, {0.71, 0.68, 0.41, 0.28, 0.23, 0.22, 0.21, 0.08, 0.05, 0.05}), 3U);
  EXPECT_EQ(n(order, {0.68, 0.63, 0.60, 0.41, 0.29, 0.28, 0.25, 0.24, 0.20, 0.18}), 2U);
  // Gemma-3-270M: the second has a third of the first
  EXPECT_EQ(n(value, {0.36, 0.11, 0.02, 0.01, 0.01, 0, 0, 0, 0, 0}), 2U);
  EXPECT_EQ(n(name, {0.67, 0.64, 0.09, 0.02, 0.01, 0.01, 0.01, 0, 0, 0}), 2U);
  EXPECT_EQ(n(order, {0.23, 0.11, 0.08, 0.05, 0.03, 0.03, 0.02, 0.01, 0.01, 0.01}), 1U);
  // Qwen2.5-Coder 0.5B and 1.5B: more than are followed
  EXPECT_EQ(n(value, {0.94, 0.81, 0.81, 0.80, 0.75, 0.63, 0.60, 0.53, 0.51, 0.46}), 6U);
  EXPECT_EQ(n(name, {0.96, 0.90, 0.88, 0.82, 0.81, 0.79, 0.62, 0.60, 0.56, 0.56}), 6U);
  EXPECT_EQ(n(order, {0.92, 0.84, 0.63, 0.56, 0.41, 0.39, 0.38, 0.37, 0.33, 0.32}), 2U);
  EXPECT_EQ(n(value, {0.97, 0.94, 0.86, 0.84, 0.81, 0.76, 0.73, 0.72, 0.70, 0.64}), 6U);
  EXPECT_EQ(n(name, {0.97, 0.95, 0.89, 0.83, 0.80, 0.80, 0.80, 0.71, 0.65, 0.58}), 6U);
  EXPECT_EQ(n(order, {0.78, 0.76, 0.63, 0.37, 0.36, 0.33, 0.26, 0.26, 0.25, 0.25}), 2U);
}

}  // namespace
}  // namespace zoomr
