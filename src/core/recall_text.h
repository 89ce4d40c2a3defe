// The text of the recall probe: facts told once, and told again in another order. It needs no data.
//
// Four kinds of facts: costs and ages (numbers), colours (words), code (`name = value`). The kinds
// are told one after the other and told again from the last kind to the first, so that code is near
// when it is asked for, some 100 tokens, and costs are far, some 800. Every value and every name is
// told of once. Pure; offsets are bytes, spans are tokens.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

struct RecallText {
  struct Fact {  // byte offsets in `text`
    std::size_t begin = 0;
    std::size_t end = 0;       // of its first telling
    std::size_t name_end = 0;  // behind the name in its second telling
    std::size_t value_at = 0;  // where the value begins in its second telling
    int kind = 0;              // 0 costs, 1 ages, 2 colours, 3 code
  };
  std::string text;
  std::vector<Fact> facts;
};

constexpr int kRecallKinds = 4;
constexpr int kMostRecallFacts = 16;  // of each kind
// REQUIRES: 1 <= n_facts <= kMostRecallFacts, of each kind.
[[nodiscard]] RecallText make_recall_text(int n_facts);

// What to look at, in tokens.
struct Recall {
  Span fact;         // of the first telling
  Pos name_at = 0;   // the last token of the name, told again
  Pos value_at = 0;  // the token before the value, told again
  int kind = 0;
};
// `pieces`: the text's tokens as text, in order.
[[nodiscard]] std::vector<Recall> find_recalls(const RecallText& text,
                                               std::span<const std::string> pieces);

}  // namespace zoomr
