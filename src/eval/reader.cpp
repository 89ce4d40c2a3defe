#include "eval/reader.h"

#include "core/check.h"
#include "eval/agreement.h"
#include "zoomr/error.h"

namespace zoomr {

// Keeps the last logits that a session gave.
class Reader::LogitsProbe final : public Probe {
 public:
  [[nodiscard]] bool logits() const override { return true; }
  void on_logits(Pos next, std::span<const float> logits) override {
    next_ = next;
    log_softmax(logits, values_);
  }
  [[nodiscard]] Pos next() const { return next_; }
  [[nodiscard]] std::span<const double> log_probabilities() const { return values_; }

 private:
  Pos next_ = -1;
  std::vector<double> values_;  // [n_vocab]
};

Reader::Reader(const Model& model, RunOptions options, const TaughtText& text)
    : probe_(std::make_unique<LogitsProbe>()) {
  options.n_predict = static_cast<int>(text.prompt.taught.size());
  options.forced_chunk = 1;
  options.loop_guard = false;
  std::vector<SessionGroup::Member> members(1);
  members[0].prompt = text.prompt;
  members[0].probe = probe_.get();
  group_ = std::make_unique<SessionGroup>(model.impl(), options, std::move(members));
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
  while (probe_->next() < next) {
    if (!group_->step() && probe_->next() < next) {
      throw Error(ErrorCode::failed,
                  "the text could not be read to its end: " + group_->session(0).failure());
    }
  }
  check(probe_->next() == next, "readers go side by side");
}

void Reader::finish() {
  while (group_->step()) {
  }
}

std::span<const double> Reader::log_probabilities() const { return probe_->log_probabilities(); }

}  // namespace zoomr
