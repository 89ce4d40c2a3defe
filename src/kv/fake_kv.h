// A Kv in memory, for tests: the same contract as libllama's, with checks on every precondition
// that libllama would answer with abort() or silently wrong results, and with failures on demand.
//
// A position's "KV" is a pattern of bytes that depends on its token, position and sequence, so a
// span that comes back wrong is seen. Logits, keys and queries are hashes of what is visible.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "kv/cells.h"
#include "kv/kv.h"

namespace zoomr {

class FakeKv final : public Kv {
 public:
  struct Options {
    int n_cells = 256;
    int max_batch = 64;
    int n_vocab = 32;
    bool can_rewind = true;
    std::vector<LayerShape> layers = {{.n_head = 4, .n_head_kv = 2, .d_head = 4},
                                      {.n_head = 4, .n_head_kv = 2, .d_head = 4}};
  };
  // Where a failure may be injected.
  enum class Site : std::uint8_t { decode, save, restore };
  // Asked at every call of a site; what it returns other than ok fails the call: `no_room` at
  // restore means "returned 0", at save "short". n_calls counts calls of that site from 0.
  using Failure = std::function<DecodeStatus(Site site, int n_calls)>;

  explicit FakeKv(const Options& options);

  void fail_when(Failure failure) { failure_ = std::move(failure); }
  // Overrides the keys or queries of one token of one sequence, to plant evidence.
  using Planted = std::function<void(Token token, Pos pos, const HeadLayout& layout, bool keys,
                                     std::span<float> row)>;
  void plant(Planted planted) { planted_ = std::move(planted); }

  [[nodiscard]] DecodeStatus decode(std::span<const BatchToken> batch,
                                    const Capture& capture) override;
  [[nodiscard]] std::span<const float> logits(int batch_row) override;
  [[nodiscard]] const Observation& observation() const override { return observation_; }
  [[nodiscard]] Blob save(SeqId seq, Span span) override;
  [[nodiscard]] bool restore(SeqId seq, Span span, std::span<const std::byte> blob) override;
  void drop(SeqId seq, Span span) override;
  void share(SeqId from, SeqId to, Span span) override;
  [[nodiscard]] bool can_rewind() const override { return options_.can_rewind; }
  [[nodiscard]] int max_batch() const override { return options_.max_batch; }
  [[nodiscard]] int n_cells() const override { return options_.n_cells; }
  [[nodiscard]] int n_used() const override { return cells_.size() - cells_.n_free(); }
  [[nodiscard]] int n_used_by(std::span<const SeqId> seqs) const override {
    return cells_.n_used_by(seqs);
  }
  [[nodiscard]] int used_width() const override { return cells_.width(); }
  [[nodiscard]] std::optional<Occupant> topmost() const override;
  [[nodiscard]] std::size_t allocated_bytes() const override;
  [[nodiscard]] std::uint64_t fingerprint() const override { return 0xfa4e; }

  // What a test compares with: the positions that are really there.
  [[nodiscard]] std::vector<Pos> resident(SeqId seq) const;
  // The bytes of one resident position, as they were computed or restored.
  [[nodiscard]] std::uint64_t content(SeqId seq, Pos pos) const;

 private:
  [[nodiscard]] DecodeStatus injected(Site site);
  [[nodiscard]] std::uint64_t visible_hash(SeqId seq) const;
  void observe(std::span<const BatchToken> batch, const Capture& capture);

  Options options_;
  Cells cells_;
  std::map<SeqId, std::map<Pos, std::uint64_t>> content_;
  std::vector<std::vector<float>> logits_;
  Observation observation_;
  Failure failure_;
  Planted planted_;
  std::map<Site, int> n_calls_;
};

}  // namespace zoomr
