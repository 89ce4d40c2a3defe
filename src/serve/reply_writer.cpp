#include "serve/reply_writer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace zoomr {

void ReplyWriter::begin(std::shared_ptr<Reply> reply, std::vector<std::string> stops, int n_top) {
  reply_ = std::move(reply);
  text_.emplace(std::move(stops));
  n_top_ = n_top;
  tokens_.clear();
  n_bytes_ = 0;
  n_handed_ = 0;
  logits_.clear();
}

void ReplyWriter::on_logits(Pos /*next*/, std::span<const float> logits) {
  if (n_top_ >= 0) logits_.assign(logits.begin(), logits.end());
}

void ReplyWriter::write(const TraceEvent& event) {
  const auto* token = std::get_if<TokenEvent>(&event);
  if (token == nullptr || token->kind == SegmentKind::prompt || !text_) return;
  if (token->kind == SegmentKind::summary && hides_summaries_) return;
  if (!text_->stop_text().empty()) return;
  tokens_.push_back(
      {.pos = token->pos, .begin = n_bytes_, .token = with_chances(token->id, token->piece)});
  n_bytes_ += token->piece.size();
  text_->push(token->piece);
}

ReplyToken ReplyWriter::with_chances(Token token, const std::string& piece) const {
  ReplyToken result{.token = {.token = token, .text = piece}, .top = {}};
  if (logits_.empty()) return result;
  const float peak = *std::max_element(logits_.begin(), logits_.end());
  double sum = 0;
  for (const float logit : logits_) sum += std::exp(double{logit} - peak);
  const float norm = peak + static_cast<float>(std::log(sum));
  const auto logprob = [&](Token t) { return logits_[static_cast<std::size_t>(t)] - norm; };
  result.token.logprob = logprob(token);
  if (n_top_ == 0) return result;
  std::vector<Token> order(logits_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto n = std::min(static_cast<std::size_t>(n_top_), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    [&](Token a, Token b) { return logprob(a) > logprob(b); });
  order.resize(n);
  for (const Token t : order) {
    result.top.push_back({.token = t, .text = vocabulary_.piece(t), .logprob = logprob(t)});
  }
  return result;
}

void ReplyWriter::flush(bool over) {
  if (over) text_->finish();
  ReplyPart part{.text = text_->take(), .tokens = {}};
  const std::size_t n_shown = text_->n_taken();
  const bool all = over && text_->stop_text().empty();
  for (; n_handed_ < tokens_.size(); ++n_handed_) {
    Written& written = tokens_[n_handed_];
    // A token is shown with the last byte of its text; one that a stop text begins in, with what
    // stands before that.
    const bool last = n_handed_ + 1 == tokens_.size();
    const std::size_t end = last ? n_bytes_ : tokens_[n_handed_ + 1].begin;
    const bool cut = !text_->stop_text().empty() && written.begin < n_shown;
    if (!all && end > n_shown && !cut) break;
    part.tokens.push_back(std::move(written.token));
  }
  if (!part.text.empty() || !part.tokens.empty()) reply_->add(std::move(part));
}

std::optional<ReplyWriter::Cut> ReplyWriter::stop_cut() const {
  if (!text_ || text_->stop_text().empty()) return std::nullopt;
  const std::size_t end = text_->text().size();
  auto at = std::upper_bound(tokens_.begin(), tokens_.end(), end,
                             [](std::size_t byte, const Written& w) { return byte < w.begin; });
  --at;  // the first token begins at 0
  // Tokens without text in front of it belong to what is kept, unless they are the cut's own.
  return Cut{.pos = at->pos, .exact = at->begin == end};
}

}  // namespace zoomr
