#include "eval/redecode.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/replay.h"
#include "core/span_set.h"
#include "engine/run_settings.h"
#include "store/memory_store.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr SeqId kSeq = 0;
constexpr std::uint64_t kSession = 1;

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::failed, what); }

void decode(Kv& kv, const std::vector<BatchToken>& batch) {
  if (kv.decode(batch, {}) == DecodeStatus::ok) return;
  fail("the tokens from " + std::to_string(batch.front().pos) + " on could not be decoded again");
}

// Another sequence in the same Kv. It takes the lowest cells first and gives most of them back, so
// that later tokens lie below earlier ones; some of its tokens are decoded with every batch.
class Bystander {
 public:
  static constexpr Pos kTokens = 40;
  static constexpr Pos kStays = 8;   // of them, to the end
  static constexpr Pos kBeside = 3;  // tokens in each batch
  static constexpr int kCells = kTokens + kBeside;

  // `token`: any.
  Bystander(Kv& kv, Token token) : kv_(kv), token_(token) {
    std::vector<BatchToken> batch;
    for (Pos pos = 0; pos < kTokens; ++pos) batch.push_back(row(pos));
    zoomr::decode(kv_, batch);
  }
  [[nodiscard]] Pos n_beside() const { return kv_.can_rewind() ? kBeside : 0; }
  void join(std::vector<BatchToken>& batch) const {
    for (Pos pos = kTokens; pos < kTokens + n_beside(); ++pos) batch.push_back(row(pos));
  }
  void leave() {
    if (n_beside() > 0) kv_.drop(kSeq + 1, {kTokens, kTokens + n_beside()});
    if (!moved_) kv_.drop(kSeq + 1, {0, kTokens - kStays});
    moved_ = true;
  }

 private:
  [[nodiscard]] BatchToken row(Pos pos) const {
    return {.token = token_, .pos = pos, .seq = kSeq + 1, .logits = false};
  }
  Kv& kv_;
  Token token_;
  bool moved_ = false;
};

// The trace in one Kv. It is told what happens next, and how things stand before that.
class Player {
 public:
  Player(Kv& kv, bool beside_others) : kv_(kv), beside_others_(beside_others) {}

  void decode(const Replay& now, Span span) {
    const auto tokens = now.timeline().tokens();
    if (beside_others_ && !bystander_) bystander_.emplace(kv_, tokens[0]);
    const Pos n_beside = bystander_ ? bystander_->n_beside() : 0;
    Pos most = kv_.max_batch() - n_beside;
    if (beside_others_) most = std::min(most, (span.size() + 2) / 3);  // other pieces
    for (Pos begin = span.begin; begin < span.end; begin += most) {
      const Pos end = std::min(span.end, begin + most);
      std::vector<BatchToken> batch;
      for (Pos pos = begin; pos < end; ++pos) {
        batch.push_back({.token = tokens[static_cast<std::size_t>(pos)],
                         .pos = pos,
                         .seq = kSeq,
                         .logits = pos + 1 == now.size()});
      }
      if (bystander_) bystander_->join(batch);
      zoomr::decode(kv_, batch);
      if (end == now.size()) {
        const auto row = kv_.logits(end - begin - 1);
        logits_.assign(row.begin(), row.end());
        logits_of_ = end;
      }
      if (bystander_) bystander_->leave();
    }
  }

  void edit(const Replay& now, const EditEvent& edit) {
    const Span span = edit.span;
    switch (edit.kind) {
      case EditKind::out:
        if (!store_.contains({kSession, span})) keep(span);
        kv_.drop(kSeq, span);
        break;
      case EditKind::in:
        bring_back(span);
        break;
      case EditKind::drop:
        drop(now, span);
        break;
      case EditKind::compact: {
        const Blob blob = save(span);
        kv_.drop(kSeq, span);
        if (!kv_.restore(kSeq, span, blob.view())) fail(to_string(span) + " cannot be put back");
        break;
      }
      case EditKind::again:
        if (!kv_.can_rewind()) fail("this model's KV cannot be taken back to " + to_string(span));
        kv_.drop(kSeq, span);
        break;
    }
  }

  void turn(Pos at) { store_.erase_behind(kSession, at); }

  // [n_vocab] behind the token before `pos`, which was the newest when it was decoded.
  [[nodiscard]] std::span<const float> logits_at(Pos pos) const {
    if (logits_of_ != pos) fail("token " + std::to_string(pos) + " was sampled from nothing");
    return logits_;
  }

 private:
  [[nodiscard]] Blob save(Span span) {
    Blob blob = kv_.save(kSeq, span);
    if (blob.empty()) fail(to_string(span) + " cannot be saved");
    return blob;
  }
  void keep(Span span) {
    if (store_.put({kSession, span}, kv_.fingerprint(), save(span)) != ThoughtStore::Status::ok) {
      fail(to_string(span) + " cannot be stored");
    }
  }
  void bring_back(Span span) {
    const ThoughtStore::Found found = store_.get({kSession, span}, kv_.fingerprint());
    if (found.status != ThoughtStore::Status::ok || !kv_.restore(kSeq, span, found.blob)) {
      fail(to_string(span) + " comes in, but did not go out as one line");
    }
  }
  void drop(const Replay& now, Span span) {
    const SpanSet parts = now.residency().resident.intersection({span});
    if (span.end == now.decoded() && !parts.empty()) {
      kv_.drop(kSeq, span);  // a cut: all of it, gaps too
    } else {
      for (const Span part : parts.spans()) kv_.drop(kSeq, part);
    }
    for (const Line& line : now.lines()) {
      if (span.contains(line.span)) store_.erase({kSession, line.span});
    }
  }

  Kv& kv_;
  bool beside_others_;
  MemoryStore store_;
  std::optional<Bystander> bystander_;
  std::vector<float> logits_;  // [n_vocab]
  Pos logits_of_ = -1;         // of the token at this position
};

// What the two players say of a token that was sampled.
class Judge {
 public:
  explicit Judge(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  void begin(const nlohmann::ordered_json& settings) {
    judges_ = takes_largest(settings);
    const auto it = settings.find("ignore-eos");
    ignores_ends_ = it != settings.end() && it->is_boolean() && it->get<bool>();
  }
  [[nodiscard]] bool wants(const TokenEvent& token) const {
    return judges_ && !token.forced && token.kind != SegmentKind::prompt;
  }
  void judge(const TokenEvent& token, std::span<const float> logits, std::span<const float> other) {
    const auto at = static_cast<std::size_t>(token.id);
    if (token.id < 0 || at >= logits.size())
      fail("the model has no token " + std::to_string(token.id));
    float largest = logits[at];
    double noise = 0;
    for (std::size_t t = 0; t < logits.size(); ++t) {
      const double difference = std::fabs(double{logits[t]} - double{other[t]});
      if (!std::isfinite(difference)) fail("the model's logits are not finite");
      noise = std::max(noise, difference);
      if (logits[t] > largest && may_be_sampled(static_cast<Token>(t))) largest = logits[t];
    }
    const double gap = double{largest} - double{logits[at]};
    ++result.n_judged;
    if (gap > 0) ++result.n_not_largest;
    if (gap > result.largest_gap) {
      result.largest_gap = gap;
      result.worst = token.pos;
    }
    sum_ += gap;
    result.mean_gap = sum_ / result.n_judged;
    result.noise = std::max(result.noise, noise);
  }

  Redecoded result;

 private:
  [[nodiscard]] bool may_be_sampled(Token token) const {
    return !ignores_ends_ || !vocabulary_.is_eog(token);
  }

  const Vocabulary& vocabulary_;
  bool judges_ = false;
  bool ignores_ends_ = false;
  double sum_ = 0;  // of gaps
};

}  // namespace

RedecodeCells redecode_cells(std::span<const TraceEvent> trace) {
  Replay replay;
  Pos most = 1;
  for (const TraceEvent& event : trace) {
    replay.apply(event);
    most = std::max(most, replay.residency().resident.size());
  }
  return {.first = most, .second = most + Bystander::kCells};
}

Redecoded redecode(std::span<const TraceEvent> trace, const Vocabulary& vocabulary, Kv& first,
                   Kv& second) {
  Replay now;
  Player one(first, false);
  Player two(second, true);
  Judge judge(vocabulary);
  Redecoded& result = judge.result;
  for (const TraceEvent& event : trace) {
    if (const auto* run = std::get_if<RunEvent>(&event)) {
      judge.begin(run->options);
    } else if (const auto* token = std::get_if<TokenEvent>(&event)) {
      if (judge.wants(*token)) {
        judge.judge(*token, one.logits_at(token->pos), two.logits_at(token->pos));
      }
    } else if (const auto* decoded = std::get_if<DecodeEvent>(&event)) {
      one.decode(now, decoded->span);
      two.decode(now, decoded->span);
      result.n_decoded += decoded->span.size();
    } else if (const auto* edit = std::get_if<EditEvent>(&event); edit != nullptr && edit->ok) {
      one.edit(now, *edit);
      two.edit(now, *edit);
      ++result.n_moves;
    } else if (const auto* turn = std::get_if<TurnEvent>(&event)) {
      one.turn(turn->at);
      two.turn(turn->at);
      judge.begin(turn->options);
    }
    now.apply(event);
  }
  result.n_turns = now.n_turns();
  return result;
}

}  // namespace zoomr
