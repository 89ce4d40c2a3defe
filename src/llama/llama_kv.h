// Kv on stock libllama: the scratch-sequence mechanism.
//
//   save     seq_cp(seq -> scratch), state_seq_get_data(scratch), seq_rm(scratch)
//   restore  state_seq_set_data(scratch), seq_cp(scratch -> seq), seq_rm(scratch)
//   drop     seq_rm(seq, span)
//
// Everything that libllama would answer with abort() is checked before it is called. A context and
// its memory belong to one thread. docs: DESIGN.md, "The facts of libllama".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kv/cells.h"
#include "kv/kv.h"
#include "llama/tap.h"
#include "zoomr/options.h"

struct llama_context;

namespace zoomr {

class LlamaModel;

struct LlamaKvOptions {
  int n_cells = 0;       // tokens that fit; rounded up to 256, libllama's padding of n_ctx
  int n_sessions = 1;    // sequences 0 .. n_sessions - 1; one more is the scratch sequence
  bool swa_full = true;  // false only when nothing is ever zoomed
  ContextOptions context;
};

class LlamaKv final : public Kv {
 public:
  // Throws Error(failed) when the context cannot be made (memory), Error(unsupported) when flash
  // attention is not to be had. The model must outlive it.
  LlamaKv(const LlamaModel& model, const LlamaKvOptions& options);
  ~LlamaKv() override;
  LlamaKv(const LlamaKv&) = delete;
  LlamaKv& operator=(const LlamaKv&) = delete;

  [[nodiscard]] DecodeStatus decode(std::span<const BatchToken> batch,
                                    const Capture& capture) override;
  [[nodiscard]] std::span<const float> logits(int batch_row) override;
  [[nodiscard]] const Observation& observation() const override { return tap_->observation(); }
  [[nodiscard]] Blob save(SeqId seq, Span span) override;
  [[nodiscard]] bool restore(SeqId seq, Span span, std::span<const std::byte> blob) override;
  void drop(SeqId seq, Span span) override;
  void share(SeqId from, SeqId to, Span span) override;
  [[nodiscard]] bool can_rewind() const override { return !hybrid_; }
  [[nodiscard]] int max_batch() const override;
  [[nodiscard]] int n_cells() const override { return cells_.size(); }
  [[nodiscard]] int n_used() const override { return cells_.size() - cells_.n_free(); }
  [[nodiscard]] int n_used_by(std::span<const SeqId> seqs) const override {
    return cells_.n_used_by(seqs);
  }
  [[nodiscard]] int used_width() const override { return cells_.width(); }
  [[nodiscard]] std::optional<Occupant> topmost() const override;
  [[nodiscard]] std::size_t allocated_bytes() const override { return tap_->cache_bytes(); }
  [[nodiscard]] std::uint64_t fingerprint() const override { return fingerprint_; }

  // A decode that is running stops at its next node (CPU) and returns `aborted`. Any thread, and
  // signal handlers.
  void interrupt() { interrupted_.store(true); }

  // Forgets every sequence.
  void clear();
  // The newest position of a sequence as libllama sees it; -1: empty. For tests and the self-test.
  [[nodiscard]] Pos newest_position(SeqId seq) const;
  [[nodiscard]] std::span<const LayerShape> layers() const { return tap_->layers(); }
  [[nodiscard]] const Tap& tap() const { return *tap_; }
  [[nodiscard]] llama_context* context() const { return context_.get(); }

 private:
  struct FreeContext {
    void operator()(llama_context* context) const;
  };
  void make_context(const LlamaKvOptions& options);
  void learn_shapes();
  void forget_batch(std::span<const BatchToken> batch);
  [[nodiscard]] SeqId scratch() const { return n_sessions_; }

  const LlamaModel& model_;
  int n_sessions_;
  std::unique_ptr<Tap> tap_;  // libllama keeps its address
  std::unique_ptr<llama_context, FreeContext> context_;
  Cells cells_;
  std::atomic<bool> interrupted_{false};
  bool hybrid_ = false;
  std::uint64_t fingerprint_ = 0;
  std::vector<std::byte> recurrent_;  // a hybrid's state around a restore
};

}  // namespace zoomr
