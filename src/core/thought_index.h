// The thought index: mean keys of lines and summaries, and the vote of query heads over them
// (ZoomR, arXiv 2604.10898).
//
// Per closed line the index holds, for every captured key head, the mean of the keys (as cached,
// after RoPE) of the line's tokens. A summary's or thought's key is the token-weighted mean of its
// lines' keys. Pure; one owner (the session).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/capture.h"
#include "core/timeline.h"
#include "zoomr/types.h"

namespace zoomr {

// What one vote is about: a candidate's key is the mean over `key`; when it wins, `details` come
// back.
struct Candidate {
  Span key;      // whole closed lines: the line itself, or the summary of a thought
  Span details;  // what is zoomed in: the line itself, or the thought
};

struct VoteRule {
  int k = 2;                          // votes of each query head
  int consensus = 2;                  // c: how many candidates win
  std::vector<Candidate> candidates;  // ascending by position
};

struct RankedCandidate {
  Candidate candidate;
  int votes = 0;
};

struct VoteResult {
  Pos at = 0;  // position of the token whose queries voted
  std::vector<RankedCandidate>
      ranked;  // with at least one vote; most votes first, ties: the more recent first
  int total_votes = 0;
  int consensus = 0;        // the first `consensus` of ranked won (fewer when fewer were voted for)
  double agreeability = 0;  // share of the votes that fell on the winners, 0..1
};

class ThoughtIndex {
 public:
  // The keys of the token at pos. REQUIRES: positions ascend over calls; `layout` is the same at
  // every call. keys: [layout.heads][d] packed as layout says.
  void add_key(Pos pos, const HeadLayout& layout, std::span<const float> keys);
  // Turns the summed keys of closed lines into means. Lines none of whose tokens had keys are not
  // indexed.
  void close_lines(const Timeline& timeline);

  // Forgets the keys from pos on. REQUIRES: pos is the end of a line of the timeline.
  void truncate(Pos pos, const Timeline& timeline);

  [[nodiscard]] bool indexed(Span lines) const;  // every closed line of the span has a mean key
  // Votes with the queries of one token, packed as `query_layout` says ([heads][d]). Grouped-query
  // attention: a query head reads the key head of its group in its own layer; a query head without
  // captured keys does not vote. Candidates that are not indexed are left out. No candidate: ranked
  // is empty.
  [[nodiscard]] VoteResult vote(Pos at, const VoteRule& rule, const HeadLayout& query_layout,
                                std::span<const float> queries) const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Entry {
    Span span;
    std::size_t offset = 0;  // into means_, in floats
  };
  [[nodiscard]] const Entry* entry_at(Pos begin) const;
  [[nodiscard]] const float* mean_of(Span lines, std::vector<float>& made) const;

  HeadLayout layout_;
  std::vector<float> means_;      // [entry][layout_.row_size]
  std::vector<Entry> entries_;    // ascending
  std::size_t n_lines_seen_ = 0;  // lines of the timeline already looked at
  // Keys of tokens whose line is not closed yet: sums cannot be kept, since where the line will end
  // is not known.
  Pos pending_begin_ = 0;
  std::vector<float> pending_;  // [token][layout_.row_size]
};

}  // namespace zoomr
