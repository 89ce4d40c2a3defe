// A Kv that plays a recording back: what a decode would let the tap see is what the full-KV run
// saw, whatever is resident. It moves nothing; the engine's loop runs on it as it is. One sequence.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "eval/recording.h"
#include "kv/kv.h"

namespace zoomr {

class RecordedKv final : public Kv {
 public:
  // The recording outlives it.
  explicit RecordedKv(const Recording& recording) : recording_(recording) {}

  [[nodiscard]] DecodeStatus decode(std::span<const BatchToken> batch,
                                    const Capture& capture) override;
  // A recording holds none: every token is taught.
  [[nodiscard]] std::span<const float> logits(int /*batch_row*/) override { return {}; }
  [[nodiscard]] const Observation& observation() const override { return observation_; }
  [[nodiscard]] Blob save(SeqId /*seq*/, Span /*span*/) override { return Blob(1); }
  [[nodiscard]] bool restore(SeqId /*seq*/, Span /*span*/,
                             std::span<const std::byte> /*blob*/) override {
    return true;
  }
  void drop(SeqId /*seq*/, Span /*span*/) override {}
  [[nodiscard]] bool can_rewind() const override { return true; }
  [[nodiscard]] int max_batch() const override { return 512; }
  [[nodiscard]] int n_cells() const override { return recording_.n_decoded(); }
  void share(SeqId /*from*/, SeqId /*to*/, Span /*span*/) override {}
  [[nodiscard]] int n_used() const override { return 0; }
  [[nodiscard]] int n_used_by(std::span<const SeqId> /*seqs*/) const override { return 0; }
  [[nodiscard]] int used_width() const override { return 0; }
  [[nodiscard]] std::optional<Occupant> topmost() const override { return std::nullopt; }
  [[nodiscard]] std::size_t allocated_bytes() const override { return 0; }
  [[nodiscard]] std::uint64_t fingerprint() const override { return 0; }

 private:
  const Recording& recording_;
  Observation observation_;
};

}  // namespace zoomr
