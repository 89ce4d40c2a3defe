// The text of the recall probe: facts told once, and told again in another order, and then lists
// whose items are counted. It needs no data.
//
// Four kinds of facts: costs and ages (numbers), colours (words), code (`name = value`). The kinds
// are told one after the other and told again from the last kind to the first, so that code is near
// when it is asked for, some 100 tokens, and costs are far, some 800. Every value and every name is
// told of once. Two kinds of lists: `Step 3: ...` and `3. ...`, items of some 35 tokens. Pure;
// offsets are bytes, spans are tokens.
#pragma once

#include <cstddef>
#include <cstdint>
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
  struct Item {  // byte offsets in `text`
    std::size_t begin = 0;
    std::size_t end = 0;        // of its label, `Step 3:`
    std::size_t number_at = 0;  // where the number begins
    int kind = 0;               // 0 `Step 3:`, 1 `3.`
  };
  std::string text;
  std::vector<Fact> facts;
  std::vector<Item> items;
};

constexpr int kRecallKinds = 4;
constexpr int kMostRecallFacts = 16;  // of each kind
constexpr int kMostListItems = 7;     // of each list; no more than there are facts
// REQUIRES: 1 <= n_facts <= kMostRecallFacts, of each kind.
[[nodiscard]] RecallText make_recall_text(int n_facts);

// Who should look: a value head, at the token before a fact's value, or a name head, at its name,
// looks at the fact's first telling; an order head, at the token before an item's number, looks at
// the label of the item before it.
enum class HeadKind : std::uint8_t { value, name, order };
constexpr std::size_t kHeadKinds = 3;

// One thing to look at, in tokens.
struct Recall {
  HeadKind who = HeadKind::value;
  Span wanted;
  Pos at = 0;    // the token that should look there
  int kind = 0;  // of fact, or of list
};
// `pieces`: the text's tokens as text, in order.
[[nodiscard]] std::vector<Recall> find_recalls(const RecallText& text,
                                               std::span<const std::string> pieces);

}  // namespace zoomr
