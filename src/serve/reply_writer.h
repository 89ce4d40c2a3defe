// Writes the replies of one session, one after the other: hears its tokens and logits, holds text
// back that is not decided yet, hands the rest to the reader. Inference thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/trace.h"
#include "engine/probe.h"
#include "engine/vocabulary.h"
#include "serve/reply.h"
#include "serve/reply_text.h"

namespace zoomr {

class ReplyWriter final : public TraceSink, public Probe {
 public:
  // hides_summaries: as injected ones are.
  ReplyWriter(const Vocabulary& vocabulary, bool hides_summaries)
      : vocabulary_(vocabulary), hides_summaries_(hides_summaries) {}

  // A reply begins; nothing is heard before the first.
  void begin(std::shared_ptr<Reply> reply, std::vector<std::string> stops, int n_top);
  void write(const TraceEvent& event) override;
  void on_logits(Pos next, std::span<const float> logits) override;
  // Hands over what may be shown now; `over`: nothing follows, nothing is held back.
  void flush(bool over);

  [[nodiscard]] const std::string& stop_text() const { return text_->stop_text(); }
  // What the reader was shown when all is handed over.
  [[nodiscard]] const std::string& text() const { return text_->text(); }
  // The position of the token in which the text ends before a stop text, and whether it ends
  // exactly in front of that token; nullopt: no stop text.
  struct Cut {
    Pos pos = 0;
    bool exact = false;
  };
  [[nodiscard]] std::optional<Cut> stop_cut() const;
  [[nodiscard]] bool wrote() const { return !tokens_.empty(); }

 private:
  struct Written {
    Pos pos = 0;
    std::size_t begin = 0;  // in the reply's text, bytes
    ReplyToken token;       // moved away once handed over
  };
  [[nodiscard]] ReplyToken with_chances(Token token, const std::string& piece) const;

  const Vocabulary& vocabulary_;
  bool hides_summaries_;
  std::shared_ptr<Reply> reply_;
  std::optional<ReplyText> text_;
  int n_top_ = -1;
  std::vector<Written> tokens_;
  std::size_t n_bytes_ = 0;    // of tokens_
  std::size_t n_handed_ = 0;   // of tokens_
  std::vector<float> logits_;  // [n_vocab] of the token that is drawn now; empty: not wanted
};

}  // namespace zoomr
