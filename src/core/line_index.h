// The index: how much of their attention chosen heads would give each line, were everything
// resident. What line_mass says of a KeyLog, for memories of any length.
//
// Keys are kept of every token for the key heads of one layout: in blocks of 32 tokens and 16 bits
// (KeyBlocks), the newest ones as floats. A short memory is looked through in full. Of a long one
// every token's product is had from half of the dimensions, those that tell keys apart most
// for this query (the idea of SparQ, arXiv 2312.04985); the blocks that get most of a head's
// attention by that, the first one and the newest tokens then get all dimensions. What the softmax
// divides by is the sum over all tokens: exact ones and estimates.
//
// Why not one mean key a line: docs/selection.md. Pure; one owner (the session). Heads of a long
// memory are looked through side by side; the result does not depend on how many threads do it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/attention_mass.h"
#include "core/capture.h"
#include "core/key_blocks.h"
#include "core/timeline.h"
#include "zoomr/types.h"

namespace zoomr {

struct LineIndexOptions {
  Pos exact_below = 4096;  // tokens; shorter memories are looked through in full
  float dims = 0.5F;       // share of a head's dimensions that the first stage reads
  int best = 32;           // blocks a head that the second stage reads in full
  int threads = 1;         // of a memory that is not short
};

class LineIndex {
 public:
  explicit LineIndex(const LineIndexOptions& options = {}) : options_(options) {}

  // REQUIRES: positions ascend by one from 0; the same layout at every call.
  void append(Pos pos, const HeadLayout& layout, std::span<const float> keys);
  // Forgets the keys from pos on: those tokens are decoded again. Cheap for the newest 64.
  void truncate(Pos pos);
  [[nodiscard]] Pos size() const { return blocks_end() + n_newest(); }  // tokens
  [[nodiscard]] const HeadLayout& layout() const { return layout_; }
  [[nodiscard]] std::size_t bytes() const;

  // The shares of these lines by the chosen query heads of one token, whose queries are packed as
  // `query_layout` says. The softmax goes over all tokens that the index holds. Lines beyond them
  // have none; heads whose keys are not here do not count.
  [[nodiscard]] LineShares shares(std::span<const Line> lines, const HeadLayout& query_layout,
                                  std::span<const float> queries, const HeadSelection& heads) const;

 private:
  [[nodiscard]] Pos blocks_end() const { return n_blocks_ * KeyBlocks::kTokens; }
  [[nodiscard]] Pos n_newest() const;
  [[nodiscard]] bool is_short() const { return size() < options_.exact_below; }
  void fill_block();
  void reopen_block();
  void weigh(const HeadLayout::Item& key, const float* query, const LayerShape& shape,
             std::vector<float>& weights) const;
  void weigh_best(const KeyBlocks& keys, const KeyBlocks::Query& query, const LayerShape& shape,
                  float peak, std::vector<float>& weights) const;

  LineIndexOptions options_;
  HeadLayout layout_;
  int n_blocks_ = 0;
  std::vector<KeyBlocks> heads_;  // [layout_.items]
  std::vector<float> newest_;     // [token][layout_.row_size] behind the blocks
};

}  // namespace zoomr
