// The KV memory that the engine drives: decode, save, drop, restore. One implementation on libllama
// (src/llama/llama_kv), one in memory (fake_kv) in which the whole engine runs in tests.
//
// One thread at a time. Positions are kept: a span comes back at the positions it left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/capture.h"
#include "kv/blob.h"
#include "zoomr/types.h"

namespace zoomr {

struct BatchToken {
  Token token = 0;
  Pos pos = 0;
  SeqId seq = 0;
  bool logits = false;
};

enum class DecodeStatus : std::uint8_t {
  ok,
  no_room,  // no free cells; nothing changed
  aborted,  // interrupted; the batch's tokens were removed
  failed,   // the backend failed or refused; the batch's tokens were removed
};

class Kv {
 public:
  virtual ~Kv() = default;

  // Decodes all tokens as one batch. REQUIRES: at most max_batch() tokens; every sequence's first
  // position is its newest resident position + 1. On anything but ok no token of the batch is
  // resident.
  [[nodiscard]] virtual DecodeStatus decode(std::span<const BatchToken> batch,
                                            const Capture& capture) = 0;
  // [n_vocab] of the batch row, valid until the next decode. REQUIRES: that row asked for logits.
  [[nodiscard]] virtual std::span<const float> logits(int batch_row) = 0;
  // What the last successful decode captured; valid until the next decode.
  [[nodiscard]] virtual const Observation& observation() const = 0;

  // A copy of the span's KV; empty on failure. The span stays resident. REQUIRES: the whole span is
  // resident.
  [[nodiscard]] virtual Blob save(SeqId seq, Span span) = 0;
  // Puts a saved span back. false: no room or refused, nothing changed.
  [[nodiscard]] virtual bool restore(SeqId seq, Span span, std::span<const std::byte> blob) = 0;
  // Frees the cells of the span. REQUIRES: the sequence's newest position is not in it, unless its
  // last decode failed, the whole sequence goes, or it can rewind and the position before the span
  // is resident: the next decode then goes on at the span's begin.
  virtual void drop(SeqId seq, Span span) = 0;
  // What `from` holds at the span belongs to `to` as well; no cell is taken. REQUIRES:
  // can_rewind(); `from` holds the whole span, `to` nothing.
  virtual void share(SeqId from, SeqId to, Span span) = 0;
  // Can the newest positions be dropped and decoded again? A recurrent state cannot give them back.
  [[nodiscard]] virtual bool can_rewind() const = 0;

  [[nodiscard]] virtual int max_batch() const = 0;
  [[nodiscard]] virtual int n_cells() const = 0;
  [[nodiscard]] virtual int n_used() const = 0;  // cells; a shared one once
  // Cells that one of these sequences holds at least.
  [[nodiscard]] virtual int n_used_by(std::span<const SeqId> seqs) const = 0;
  // Highest used cell + 1: what attention costs follow.
  [[nodiscard]] virtual int used_width() const = 0;
  // Who sits in the highest used cell; nullopt when no cell is used or that one is shared. For
  // compaction.
  struct Occupant {
    SeqId seq = 0;
    Pos pos = 0;
  };
  [[nodiscard]] virtual std::optional<Occupant> topmost() const = 0;
  [[nodiscard]] virtual std::size_t allocated_bytes() const = 0;
  // Everything that a blob's meaning depends on, hashed: model, library version, KV types, rope,
  // LoRA.
  [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;
};

}  // namespace zoomr
