// A policy that reads a text it is taught, token by token, and says what it would have predicted.
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

// Readers of one text go side by side: each keeps its newest predictions alone.
class Reader {
 public:
  // Throws Error(bad_input) when the text is longer than the model's trained length or -c.
  Reader(const Model& model, RunOptions options, const TaughtText& text);
  ~Reader();
  // Reads on until what comes to stand at `next` is predicted. REQUIRES: `next` ascends. Throws
  // Error(failed).
  void read_to(Pos next);
  void finish();
  // [n_vocab] of the token at `next`.
  [[nodiscard]] std::span<const double> log_probabilities() const;
  [[nodiscard]] RunResult result() const { return group_->result(0); }
  [[nodiscard]] Pos n_prompt() const { return group_->session(0).n_prompt(); }

 private:
  class LogitsProbe;
  std::unique_ptr<LogitsProbe> probe_;
  std::unique_ptr<SessionGroup> group_;
};

}  // namespace zoomr
