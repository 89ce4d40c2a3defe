#include "core/recall_probe.h"

#include <gtest/gtest.h>

#include <set>

namespace zoomr {
namespace {

TEST(RecallText, TellsEveryFactTwice) {
  const RecallText text = make_recall_text();
  EXPECT_EQ(text.facts.size(), 24U);
  std::set<std::string> values;
  for (const auto& fact : text.facts) {
    const std::string told = text.text.substr(fact.begin, fact.end - fact.begin);
    const std::string value = text.text.substr(fact.value_at, 2);
    EXPECT_NE(told.find(" costs " + value + " coins.\n"), std::string::npos) << told;
    EXPECT_GT(fact.value_at, fact.end);
    values.insert(value);
  }
  EXPECT_EQ(values.size(), 24U);  // a value tells whose it is
}

std::vector<std::string> in_pieces(const std::string& text, std::size_t n) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size(); at += n) pieces.push_back(text.substr(at, n));
  return pieces;
}

TEST(RecallText, ARecallIsAtTheTokenBeforeTheValue) {
  const RecallText text = make_recall_text();
  for (const std::size_t n : {1, 3, 5}) {
    const auto pieces = in_pieces(text.text, n);
    const auto recalls = find_recalls(text, pieces);
    ASSERT_EQ(recalls.size(), text.facts.size());
    for (std::size_t i = 0; i < recalls.size(); ++i) {
      EXPECT_EQ(static_cast<std::size_t>(recalls[i].at) + 1, text.facts[i].value_at / n);
      EXPECT_EQ(static_cast<std::size_t>(recalls[i].fact.begin), text.facts[i].begin / n);
    }
  }
}

TEST(RecallText, ALeadingSpaceOfTheTokenizerShiftsNothing) {
  const RecallText text = make_recall_text();
  const auto plain = find_recalls(text, in_pieces(text.text, 1));
  auto pieces = in_pieces(text.text, 1);
  pieces.insert(pieces.begin(), {"", " "});  // BOS and the space
  const auto shifted = find_recalls(text, pieces);
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(shifted[i].at, plain[i].at + 2);
}

// One head looks at the fact, one nowhere, and they are told apart.
TEST(HeadScores, AreTheAttentionOnTheRightFact) {
  const std::vector<LayerShape> layers = {{.n_head = 2, .n_head_kv = 1, .d_head = 4}};
  const HeadLayout key_layout = make_layout({.all = true}, layers, true);
  const HeadLayout query_layout = make_layout({.all = true}, layers, false);
  KeyLog keys;
  for (Pos pos = 0; pos < 8; ++pos) {
    std::vector<float> key(4, 0);
    key[static_cast<std::size_t>(pos / 2)] = 1;
    keys.append(pos, key_layout, key);
  }
  const std::vector<Recall> recalls = {{.fact = {2, 4}, .at = 7}, {.fact = {0, 2}, .at = 5}};
  const std::vector<std::vector<float>> queries = {{0, 50, 0, 0, 0, 0, 0, 0},
                                                   {50, 0, 0, 0, 0, 0, 0, 0}};
  const auto scores = score_heads(keys, recalls, query_layout, queries);
  ASSERT_EQ(scores.size(), 2U);
  EXPECT_EQ(scores[0].head, (Head{0, 0}));
  EXPECT_NEAR(scores[0].score, 1, 1e-5);
  // Everywhere alike: 2 of the 8, and 2 of the 6 that are visible.
  EXPECT_NEAR(scores[1].score, (2.0 / 8 + 2.0 / 6) / 2, 1e-5);
}

}  // namespace
}  // namespace zoomr
