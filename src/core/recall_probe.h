// The recall probe: which heads look things up? A text of facts ("The lamp costs 37 coins."), then
// the same facts in another order; a head is scored by the share of its attention that falls on the
// right fact's sentence at the token before each repeated value. It needs no data, and one reading
// of some 500 tokens. Pure: the text, and the scores from captured rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/attention_mass.h"
#include "core/capture.h"

namespace zoomr {

struct RecallText {
  struct Fact {  // byte offsets in `text`
    std::size_t begin = 0;
    std::size_t end = 0;       // of its first telling
    std::size_t value_at = 0;  // where the value begins in its second telling
  };
  std::string text;
  std::vector<Fact> facts;
};
[[nodiscard]] RecallText make_recall_text();

// What to look at, in tokens.
struct Recall {
  Span fact;   // tokens of the first telling
  Pos at = 0;  // the token before the value
};
// `pieces`: the text's tokens as text, in order.
[[nodiscard]] std::vector<Recall> find_recalls(const RecallText& text,
                                               std::span<const std::string> pieces);

struct HeadScore {
  Head head;
  int key_head = 0;
  double score = 0;  // 0..1
};
// Every captured query head, the best first. queries: one row a recall, packed as the layout says.
[[nodiscard]] std::vector<HeadScore> score_heads(const KeyLog& keys,
                                                 std::span<const Recall> recalls,
                                                 const HeadLayout& query_layout,
                                                 std::span<const std::vector<float>> queries);

}  // namespace zoomr
