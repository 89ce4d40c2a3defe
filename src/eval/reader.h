// A policy that reads a text it is taught, token by token, and says what it would have predicted;
// at several budgets in one batch, if asked.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/session_group.h"

namespace zoomr {

// A text and the prompt that it stands behind.
struct TaughtText {
  std::string name;
  Prompt prompt;  // with the text's tokens as `taught`
};

struct ReaderOptions {
  std::vector<Pos> budgets;           // tokens; one session each. Empty: one, as the options say
  std::vector<RetrievalHead> follow;  // heads that attention() is of; full KV only
  TraceSink* watcher = nullptr;       // of the first session; outlives the reader
};

// Readers of one text go side by side: each keeps its newest predictions alone.
class Reader {
 public:
  // Throws Error(bad_input) when the text is longer than the model's trained length or -c.
  Reader(const Model& model, RunOptions options, const TaughtText& text,
         const ReaderOptions& more = {});
  ~Reader();
  // Reads on until what comes to stand at `next` is predicted. REQUIRES: `next` ascends. Throws
  // Error(failed).
  void read_to(Pos next);
  void finish();
  // [n_vocab] of the token at `next`; session by session.
  [[nodiscard]] std::span<const double> log_probabilities(std::size_t i = 0) const;
  [[nodiscard]] RunResult result(std::size_t i = 0) const { return group_->result(i); }
  [[nodiscard]] Pos n_prompt() const { return group_->session(0).n_prompt(); }

  // Of the newest decoded token, at its last decode: missed mass as the session measures it (-1:
  // it does not), and the positions that were not resident.
  [[nodiscard]] double missed(std::size_t i) const;
  [[nodiscard]] const SpanSet& hidden(std::size_t i) const;
  // The share of the newest decoded token's attention that falls on these positions: the mean over
  // the heads that are followed. REQUIRES: they were named, and full KV.
  [[nodiscard]] double attention(const SpanSet& positions) const;

 private:
  class Watch;
  std::vector<std::unique_ptr<Watch>> watches_;  // [sessions]
  std::unique_ptr<SessionGroup> group_;
};

}  // namespace zoomr
