// The keys of one key head, 32 tokens a block, in 16 bits, so that a product can be had from some
// of their dimensions alone.
//
// A block holds its mean key (the centre, floats) and what each token differs from it, as integers
// of 14 bits on one scale a block. Dimensions lie in pairs, column by column: a query that asks for
// half of them reads half of the memory. Of the dimensions it does not ask for, the centre's part
// is still in the product. Pure; one owner (the index).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zoomr {

class KeyBlocks {
 public:
  static constexpr int kTokens = 32;  // of one block

  explicit KeyBlocks(int d);

  // Takes kTokens keys of d floats, `stride` floats apart.
  void add(const float* keys, std::size_t stride);
  // The last block's keys as they are stored, [kTokens][d]; the block is gone.
  [[nodiscard]] std::vector<float> take_last();

  [[nodiscard]] int size() const { return static_cast<int>(scales_.size()); }  // blocks
  [[nodiscard]] int n_pairs() const { return n_pairs_; }
  [[nodiscard]] std::size_t bytes() const;

  // A query made ready for many blocks.
  struct Query {
    std::vector<float> values;           // [2 * n_pairs]
    std::vector<int> pairs;              // those that tell tokens of a block apart most come first
    std::vector<std::int16_t> integers;  // [n_pairs][2] in that order: value * unit / scale
    float scale = 0;
  };
  // `first`: how many of its pairs are to be the first ones.
  [[nodiscard]] Query prepare(const float* query, int first) const;
  // products[kTokens] = q.k of a block's tokens, by the query's first `n` pairs (as prepared, or
  // all); the others count with the block's centre. All pairs: exact but for the rounding.
  void products(const Query& query, int block, int n, float* products) const;

 private:
  [[nodiscard]] std::size_t block_size() const {
    return static_cast<std::size_t>(n_pairs_) * 2 * kTokens;
  }
  void learn_unit(const std::vector<float>& spread);
  [[nodiscard]] float scale_of(const std::vector<float>& values) const;

  int d_ = 0;
  int n_pairs_ = 0;                   // the last one is padded with zeros when d is odd
  std::vector<std::int16_t> values_;  // [block][n_pairs][kTokens][2]
  std::vector<float> centres_;        // [block][2 * n_pairs]
  std::vector<float> scales_;         // [block]; difference = integer * unit * scale
  std::vector<float> unit_;           // [2 * n_pairs] a dimension's usual difference, of block 0
  std::vector<float> spread_;         // [2 * n_pairs] mean differences, summed over the blocks
};

}  // namespace zoomr
