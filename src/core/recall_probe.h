// The recall probe: which heads look things up? While a model reads facts again and counts the
// items of lists (recall_text.h), three things are measured of every query head, as the share of
// its attention, 0 to 1, that falls on the right place:
//
//   value score   at the token before a value, on the line that told the fact first: the head knows
//                 which line is needed now
//   name score    at the last token of a name, on the same line: which line is needed soon
//   order score   at the token before an item's number, on the label of the item before: the head
//                 knows where in a list the text is
//
// A score is the least of the means over the kinds of facts or lists, near and far, numbers and
// words: a head is as good as where it is worst. Heads of layers with a sliding window are not
// scored, they cannot see what is far. Pure.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "core/attention_mass.h"
#include "core/capture.h"
#include "core/recall_text.h"
#include "zoomr/policy_settings.h"

namespace zoomr {

struct HeadScore {
  Head head;
  int key_head = 0;
  double value = 0;
  double name = 0;
  double order = 0;
  bool windowed = false;
};
[[nodiscard]] inline double score_of(const HeadScore& score, HeadKind kind) {
  if (kind == HeadKind::order) return score.order;
  return kind == HeadKind::value ? score.value : score.name;
}

// Changes when the text, the scores or the rule do: what an older probe found is not used.
constexpr int kProbeVersion = 4;

struct HeadProbe {
  std::vector<HeadScore> scores;  // every query head, by layer and head
  int n_tokens = 0;               // read
  double seconds = 0;
};

// Collects what every captured head gives to the right places.
class HeadScorer {
 public:
  // queries: the row of the token recall.at, packed as the layout says, the same one at every call;
  // `keys` reaches up to that token.
  void add(const Recall& recall, const KeyLog& keys, const HeadLayout& query_layout,
           std::span<const float> queries);
  // Every query head whose keys were logged, by layer and head; to four digits, so that what is
  // printed and kept is what is chosen from.
  [[nodiscard]] std::vector<HeadScore> scores() const;

 private:
  struct Sums {
    HeadScore score;  // its numbers are not used
    std::array<std::array<double, kRecallKinds>, kHeadKinds> mass{};
  };
  std::vector<Sums> heads_;
  std::array<std::array<int, kRecallKinds>, kHeadKinds> n_{};
};

// The best first, by this kind's score; ties in their order.
[[nodiscard]] std::vector<HeadScore> ranked(std::vector<HeadScore> scores, HeadKind kind);

// The best heads of a kind, the best first: at most 6 (order heads: 2), with at least 0.1 and at
// least half of the best one's score. Six, since each costs its keys for all tokens, and the
// seventh of a model that has so many says what six say. Below a tenth a head looks nowhere in
// particular. Where fewer than six value heads stand out so, the next best are followed too, down
// to 0.03 and up to ten: text asks for more than facts, and many weak heads know of it what few
// strong ones don't (docs/selection.md).
[[nodiscard]] std::vector<RetrievalHead> choose_heads(const std::vector<HeadScore>& scores,
                                                      HeadKind kind);

[[nodiscard]] double best_score(const std::vector<HeadScore>& scores, HeadKind kind);

constexpr double kClearScore = 0.3;  // a best value head below does not stand out

}  // namespace zoomr
