// What a step must see of the model's attention, asked for and delivered as data.
//
// Needs come from the policies, a Capture is their union for one decode, an Observation is what the
// tap brought back. Queries and keys are as the attention uses them: after RoPE, and for a
// quantised cache both Hadamard-rotated, so that their dot product is the model's. Never mix them
// with keys read elsewhere. Pure value types.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

// A head of one layer: a query head among queries, a key-value head among keys.
struct Head {
  int layer = 0;
  int head = 0;
  auto operator<=>(const Head&) const = default;
};

struct HeadSelection {
  bool all = false;
  std::vector<Head> chosen;  // used when !all; sorted, unique

  [[nodiscard]] bool any() const { return all || !chosen.empty(); }
  [[nodiscard]] bool contains(Head head) const;
  bool operator==(const HeadSelection&) const = default;
};

// Widens `into` to hold `more` as well.
void merge(HeadSelection& into, const HeadSelection& more);

struct LayerShape {
  int n_head = 0;     // query heads; 0: the layer has no attention that the tap can see
  int n_head_kv = 0;  // key heads
  int d_head = 0;
  float scale = 1;    // of q.k before the softmax
  float softcap = 0;  // 0: none; else logits are softcap * tanh(q.k * scale / softcap)
  Pos window = 0;     // tokens that a sliding window leaves it, its own included; 0: it sees all

  // The first position that the token at `asking` sees there.
  [[nodiscard]] Pos first_seen(Pos asking) const {
    return window > 0 ? std::max(0, asking - window + 1) : 0;
  }
};

// How one token's rows are packed: heads in ascending (layer, head) order, `d` floats each.
struct HeadLayout {
  struct Item {
    Head head;
    int d = 0;
    std::size_t offset = 0;  // in floats from the row's begin
  };
  std::vector<Item> items;
  std::size_t row_size = 0;        // floats of one token
  std::vector<LayerShape> layers;  // [n_layer]

  [[nodiscard]] const Item* find(Head head) const;
  // The key head that a query head of this layout reads (grouped-query attention), in a layout of
  // keys; nullptr: not captured.
  [[nodiscard]] const Item* key_of(const Item& query, const HeadLayout& keys) const;
};

// The layout of a selection on layers of these shapes; `keys`: heads are key heads. Heads that do
// not exist are left out.
[[nodiscard]] HeadLayout make_layout(const HeadSelection& selection,
                                     std::span<const LayerShape> layers, bool keys);

// What to copy during one decode.
struct Capture {
  HeadSelection keys;           // of every row of the batch flagged in key_rows
  HeadSelection queries;        // of every row flagged in query_rows
  std::vector<int> key_rows;    // batch rows, ascending
  std::vector<int> query_rows;  // batch rows, ascending

  [[nodiscard]] bool any() const { return keys.any() || queries.any(); }
};

struct Observation {
  HeadLayout key_layout;
  HeadLayout query_layout;
  std::vector<float> keys;     // [key_rows][key_layout.row_size]
  std::vector<float> queries;  // [query_rows][query_layout.row_size]

  [[nodiscard]] std::span<const float> key_row(std::size_t i) const {
    return std::span(keys).subspan(i * key_layout.row_size, key_layout.row_size);
  }
  [[nodiscard]] std::span<const float> query_row(std::size_t i) const {
    return std::span(queries).subspan(i * query_layout.row_size, query_layout.row_size);
  }
};

}  // namespace zoomr
