#include "eval/reader.h"

#include "core/attention_mass.h"
#include "core/check.h"
#include "eval/agreement.h"
#include "zoomr/error.h"

namespace zoomr {

// Keeps what a session gave for its newest token: logits, what it missed, what the followed heads
// saw.
class Reader::Watch final : public Probe, public TraceSink {
 public:
  explicit Watch(const std::vector<RetrievalHead>& follow) {
    for (const RetrievalHead& head : follow) {
      merge(queries_, {.chosen = {{head.layer, head.head}}});
      merge(keys_, {.chosen = {{head.layer, head.key_head}}});
    }
  }
  void of(const Session& session) { session_ = &session; }

  [[nodiscard]] HeadSelection keys() const override { return keys_; }
  [[nodiscard]] HeadSelection queries() const override { return queries_; }
  [[nodiscard]] bool logits() const override { return true; }
  void on_keys(Pos pos, const HeadLayout& layout, std::span<const float> row) override {
    if (keys_.any()) log_.append(pos, layout, row);
  }
  void on_queries(Pos /*pos*/, const HeadLayout& layout, std::span<const float> row) override {
    query_layout_ = layout;
    query_.assign(row.begin(), row.end());
  }
  void on_logits(Pos next, std::span<const float> logits) override {
    next_ = next;
    log_softmax(logits, values_);
  }
  // Comes right behind a decode, before anything moves.
  void write(const TraceEvent& event) override {
    const auto* decode = std::get_if<DecodeEvent>(&event);
    if (decode == nullptr) return;
    missed_ = decode->missed;
    hidden_ = SpanSet{{0, decode->span.end}}.minus(session_->residency().resident);
  }

  [[nodiscard]] Pos next() const { return next_; }
  [[nodiscard]] std::span<const double> log_probabilities() const { return values_; }
  [[nodiscard]] double missed() const { return missed_; }
  [[nodiscard]] const SpanSet& hidden() const { return hidden_; }
  [[nodiscard]] double attention(const SpanSet& positions) const {
    check(log_.size() == next_ && !query_.empty(), "heads of full KV are followed");
    std::vector<float> mass;
    add_attention_mass(log_, {{0, log_.size()}}, query_layout_, query_, queries_, mass);
    double sum = 0;
    for (const Span span : positions.spans()) {
      for (Pos pos = span.begin; pos < span.end; ++pos) sum += mass[static_cast<std::size_t>(pos)];
    }
    return sum / static_cast<double>(queries_.chosen.size());
  }

 private:
  const Session* session_ = nullptr;
  HeadSelection keys_;
  HeadSelection queries_;
  KeyLog log_;
  HeadLayout query_layout_;
  std::vector<float> query_;
  Pos next_ = -1;
  std::vector<double> values_;  // [n_vocab]
  double missed_ = -1;
  SpanSet hidden_;
};

Reader::Reader(const Model& model, RunOptions options, const TaughtText& text,
               const ReaderOptions& more) {
  options.n_predict = static_cast<int>(text.prompt.taught.size());
  options.forced_chunk = 1;
  options.loop_guard = false;
  std::vector<SessionGroup::Member> members(std::max<std::size_t>(1, more.budgets.size()));
  for (std::size_t i = 0; i < members.size(); ++i) {
    watches_.push_back(std::make_unique<Watch>(more.follow));
    members[i].prompt = text.prompt;
    members[i].probe = watches_[i].get();
    members[i].watchers = {watches_[i].get()};
    if (!more.budgets.empty()) {
      members[i].budget = Budget{.tokens = more.budgets[i], .beyond_prompt = false};
    }
  }
  if (more.watcher != nullptr) members.front().watchers.push_back(more.watcher);
  group_ = std::make_unique<SessionGroup>(model.impl(), options, std::move(members));
  for (std::size_t i = 0; i < watches_.size(); ++i) watches_[i]->of(group_->session(i));
  const Session& session = group_->session(0);
  if (session.n_prompt() + options.n_predict > session.options().max_positions) {
    throw Error(ErrorCode::bad_input,
                "the text " + text.name +
                    " is longer than the model's trained length or -c: read " + "less of it (-n " +
                    std::to_string(session.options().max_positions - session.n_prompt()) + ")");
  }
}

Reader::~Reader() = default;

void Reader::read_to(Pos next) {
  while (watches_[0]->next() < next) {
    const bool more = group_->step();
    for (std::size_t i = 0; i < watches_.size() && !more; ++i) {
      if (watches_[i]->next() >= next) continue;
      throw Error(ErrorCode::failed,
                  "the text could not be read to its end: " + group_->session(i).failure());
    }
  }
  for (const auto& watch : watches_) check(watch->next() == next, "readers go side by side");
}

void Reader::finish() {
  while (group_->step()) {
  }
}

std::span<const double> Reader::log_probabilities(std::size_t i) const {
  return watches_[i]->log_probabilities();
}

double Reader::missed(std::size_t i) const { return watches_[i]->missed(); }

const SpanSet& Reader::hidden(std::size_t i) const { return watches_[i]->hidden(); }

double Reader::attention(const SpanSet& positions) const {
  return watches_[0]->attention(positions);
}

}  // namespace zoomr
