// The recall probe: which heads look things up? While a model reads facts again (recall_text.h),
// two things are measured of every query head, both as the share of its attention, 0 to 1, that
// falls on the line where the right fact was told first:
//
//   value score   at the token before the value: the head knows which line is needed now
//   name score    at the last token of the name: the head knows which line is needed soon
//
// A score is the least of the means over the kinds of facts, near and far, numbers and words: a
// head is as good as where it is worst. Heads of layers with a sliding window are not scored, they
// cannot see what is far. Pure.
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
  bool windowed = false;
};
enum class HeadKind : std::uint8_t { value, name };
[[nodiscard]] inline double score_of(const HeadScore& score, HeadKind kind) {
  return kind == HeadKind::value ? score.value : score.name;
}

// Changes when the text, the scores or the rule do: what an older probe found is not used.
constexpr int kProbeVersion = 2;

struct HeadProbe {
  std::vector<HeadScore> scores;  // every query head, by layer and head
  int n_tokens = 0;               // read
  double seconds = 0;
};

// Collects what every captured head gives to the right facts.
class HeadScorer {
 public:
  // One recall at its token before the value or its name's last token. queries: that token's row,
  // packed as the layout says, the same one at every call; `keys` reaches up to that token.
  void add(HeadKind kind, const Recall& recall, const KeyLog& keys, const HeadLayout& query_layout,
           std::span<const float> queries);
  // Every query head whose keys were logged, by layer and head; to four digits, so that what is
  // printed and kept is what is chosen from.
  [[nodiscard]] std::vector<HeadScore> scores() const;

 private:
  struct Sums {
    HeadScore score;  // its two numbers are not used
    std::array<std::array<double, kRecallKinds>, 2> mass{};
  };
  std::vector<Sums> heads_;
  std::array<std::array<int, kRecallKinds>, 2> n_{};
};

// The best first, by this kind's score; ties in their order.
[[nodiscard]] std::vector<HeadScore> ranked(std::vector<HeadScore> scores, HeadKind kind);

// The best heads of a kind, the best first: at most 6, with at least 0.1 and at least half of the
// best one's score. Lines are ranked by the mean over the chosen heads, so one that looks at the
// right line far more rarely than the best adds noise: half keeps it out. Six, since each costs its
// keys for all tokens, and the seventh of a model that has so many says what six say. Below a tenth
// a head looks nowhere in particular.
[[nodiscard]] std::vector<RetrievalHead> choose_heads(const std::vector<HeadScore>& scores,
                                                      HeadKind kind);

[[nodiscard]] double best_score(const std::vector<HeadScore>& scores, HeadKind kind);

constexpr double kClearScore = 0.3;  // a best value head below does not stand out

}  // namespace zoomr
