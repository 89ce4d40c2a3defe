#include "llama/llama_kv.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "core/check.h"
#include "ggml.h"
#include "llama.h"
#include "llama/context_params.h"
#include "llama/log.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// llama_batch with its arrays; libllama only reads them during the call.
struct Batch {
  explicit Batch(std::span<const BatchToken> rows) {
    for (const BatchToken& row : rows) {
      token.push_back(row.token);
      pos.push_back(row.pos);
      n_seq.push_back(1);
      seq.push_back(row.seq);
      logits.push_back(row.logits ? 1 : 0);
    }
    for (auto& id : seq) seq_ptr.push_back(&id);
  }
  llama_batch view() {
    return {static_cast<int32_t>(token.size()),
            token.data(),
            nullptr,
            pos.data(),
            n_seq.data(),
            seq_ptr.data(),
            logits.data()};
  }
  std::vector<llama_token> token;
  std::vector<llama_pos> pos;
  std::vector<int32_t> n_seq;
  std::vector<llama_seq_id> seq;
  std::vector<llama_seq_id*> seq_ptr;
  std::vector<int8_t> logits;
};

llama_memory_t memory_of(const llama_context* context) { return llama_get_memory(context); }

// Everything a blob's meaning depends on (libllama.h gives blobs no identity of their own).
std::uint64_t hash_identity(const LlamaModel& model, const LlamaKvOptions& options) {
  std::string text = std::string(llama_version()) + '|' + model.identity();
  const ContextOptions& c = options.context;
  const auto add = [&text](const auto& value) { text += '|' + std::to_string(value); };
  text += '|' + c.type_k + '|' + c.type_v + '|' + c.rope_scaling;
  add(c.rope_freq_base);
  add(c.rope_freq_scale);
  add(c.yarn_ext_factor);
  add(c.yarn_attn_factor);
  add(c.yarn_beta_fast);
  add(c.yarn_beta_slow);
  add(c.yarn_orig_ctx);
  // A quantised cache is rotated unless this is set (llama-kv-cache.cpp).
  const char* no_rotation = std::getenv("LLAMA_ATTN_ROT_DISABLE");
  text += std::string("|") + (no_rotation != nullptr ? no_rotation : "");
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace

void LlamaKv::FreeContext::operator()(llama_context* context) const { llama_free(context); }

LlamaKv::LlamaKv(const LlamaModel& model, const LlamaKvOptions& options)
    : model_(model),
      n_sessions_(options.n_sessions),
      tap_(std::make_unique<Tap>()),
      cells_(whole_steps(options.n_cells)),
      hybrid_(llama_model_is_hybrid(model.get())),
      fingerprint_(hash_identity(model, options)) {
  make_context(options);
  learn_shapes();
}

LlamaKv::~LlamaKv() = default;

void LlamaKv::make_context(const LlamaKvOptions& options) {
  check(options.n_cells > 0 && n_sessions_ > 0 &&
            n_sessions_ < static_cast<int>(llama_max_parallel_sequences()),
        "a context needs cells and sequence ids");
  llama_context_params params = make_context_params(options.context);
  if (params.yarn_orig_ctx == 0)
    params.yarn_orig_ctx = static_cast<uint32_t>(model_.yarn_orig_ctx());
  params.n_ctx = static_cast<uint32_t>(whole_steps(options.n_cells));
  params.n_batch = std::min(params.n_batch, params.n_ctx);
  params.n_ubatch = std::min(params.n_ubatch, params.n_batch);
  params.n_seq_max = static_cast<uint32_t>(n_sessions_ + 1);
  params.kv_unified = true;  // one stream: only then may a part of a sequence be copied
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.swa_full = options.swa_full;
  params.no_perf = true;
  params.cb_eval = &Tap::on_eval;
  params.cb_eval_user_data = tap_.get();
  params.abort_callback = [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load(); };
  params.abort_callback_data = &interrupted_;
  context_.reset(llama_init_from_model(model_.get(), params));
  if (!context_) {
    throw Error(ErrorCode::failed, "cannot create a context of " + std::to_string(params.n_ctx) +
                                       " cells: " + last_llama_error());
  }
  if (memory_of(context_.get()) == nullptr) {
    throw Error(ErrorCode::unsupported, "the model has no KV memory: nothing to zoom");
  }
  model_.apply_adapters(context_.get());
}

// One token, decoded and forgotten, shows every layer's heads and the cache's tensors. It also
// takes the back end's warm-up out of the first real step. Where some layers have a sliding window,
// two more tokens stand before it, one of them too far back for a window: the layers that do not
// see that one are the windowed ones.
void LlamaKv::learn_shapes() {
  const int window = llama_model_n_swa(model_.get());  // tokens; 0: none
  std::vector<BatchToken> tokens = {
      {.token = model_.any_token(), .pos = 0, .seq = 0, .logits = true}};
  if (window > 0) {
    tokens[0].seq = scratch();  // an empty sequence may begin anywhere
    tokens.push_back({.token = tokens[0].token, .pos = window + 1, .seq = 0, .logits = true});
    tokens.push_back({.token = tokens[0].token, .pos = window + 2, .seq = 0, .logits = true});
  }
  int status = 0;
  for (std::size_t i = 0; i < tokens.size() && status == 0; ++i) {
    if (i == 2) share(scratch(), 0, {0, 1});
    if (i + 1 == tokens.size()) tap_->learn(static_cast<int>(tokens.size()), window);
    Batch batch({&tokens[i], 1});
    status = llama_decode(context_.get(), batch.view());
    llama_synchronize(context_.get());
  }
  tap_->disarm();
  tap_->arm({});
  clear();
  if (status != 0) {
    throw Error(ErrorCode::failed, "the model cannot decode a token: " + last_llama_error());
  }
}

DecodeStatus LlamaKv::decode(std::span<const BatchToken> batch, const Capture& capture) {
  check(!batch.empty() && static_cast<int>(batch.size()) <= max_batch(), "a batch fits n_batch");
  for (const BatchToken& row : batch) {
    check(0 <= row.seq && row.seq < n_sessions_, "a batch's sequence is a session's");
  }
  if (interrupted_.exchange(false)) return DecodeStatus::aborted;
  tap_->arm(capture);
  Batch rows(batch);
  const int status = llama_decode(context_.get(), rows.view());
  if (status == 1) return DecodeStatus::no_room;  // placed all or nothing: nothing changed
  if (status == 0 && tap_->fault().empty()) {
    for (const BatchToken& row : batch) {
      check(cells_.place(row.seq, {row.pos, row.pos + 1}), "the mirror of the cells is true");
    }
    return DecodeStatus::ok;
  }
  // Earlier ubatches of a failed batch stay behind (llama-context.cpp, llama_context::decode).
  if (status != -1) forget_batch(batch);
  if (status == 0) throw Error(ErrorCode::failed, "cannot read the attention: " + tap_->fault());
  interrupted_.store(false);
  return status == 2 ? DecodeStatus::aborted : DecodeStatus::failed;
}

void LlamaKv::forget_batch(std::span<const BatchToken> batch) {
  for (const BatchToken& row : batch) {
    llama_memory_seq_rm(memory_of(context_.get()), row.seq, row.pos, row.pos + 1);
  }
}

std::span<const float> LlamaKv::logits(int batch_row) {
  const float* values = llama_get_logits_ith(context_.get(), batch_row);
  check(values != nullptr, "a row whose logits are read asked for them");
  return {values, static_cast<std::size_t>(model_.n_tokens())};
}

Blob LlamaKv::save(SeqId seq, Span span) {
  check(0 <= seq && seq < n_sessions_ && !span.empty(), "a span of a session is saved");
  llama_memory_t memory = memory_of(context_.get());
  llama_memory_seq_cp(memory, seq, scratch(), span.begin, span.end);
  Blob blob(llama_state_seq_get_size(context_.get(), scratch()));
  const std::size_t written =
      blob.empty()
          ? 0
          : llama_state_seq_get_data(context_.get(), reinterpret_cast<uint8_t*>(blob.data()),
                                     blob.size(), scratch());
  llama_memory_seq_rm(memory, scratch(), -1, -1);
  if (written != blob.size()) return {};
  return blob;
}

bool LlamaKv::restore(SeqId seq, Span span, std::span<const std::byte> blob) {
  check(0 <= seq && seq < n_sessions_ && !span.empty(), "a span of a session is restored");
  if (cells_.n_free() < span.size()) return false;
  llama_context* context = context_.get();
  llama_memory_t memory = memory_of(context);
  // A hybrid's blob carries the recurrent state of its time; the current one is put back after.
  if (hybrid_) {
    recurrent_.resize(
        llama_state_seq_get_size_ext(context, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY));
    if (llama_state_seq_get_data_ext(context, reinterpret_cast<uint8_t*>(recurrent_.data()),
                                     recurrent_.size(), seq,
                                     LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY) != recurrent_.size()) {
      return false;
    }
  }
  const std::size_t read = llama_state_seq_set_data(
      context, reinterpret_cast<const uint8_t*>(blob.data()), blob.size(), scratch());
  const bool ok = read == blob.size();
  if (ok) llama_memory_seq_cp(memory, scratch(), seq, span.begin, span.end);
  // After a refusal too: a cache of two parts may keep the first (llama-kv-cache-iswa.cpp).
  llama_memory_seq_rm(memory, scratch(), -1, -1);
  if (hybrid_ && ok) {
    const std::size_t put =
        llama_state_seq_set_data_ext(context, reinterpret_cast<const uint8_t*>(recurrent_.data()),
                                     recurrent_.size(), seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    if (put != recurrent_.size()) {
      throw Error(ErrorCode::failed, "the recurrent state could not be put back");
    }
  }
  if (ok) check(cells_.place(seq, span), "the mirror of the cells is true");
  return ok;
}

void LlamaKv::drop(SeqId seq, Span span) {
  llama_memory_seq_rm(memory_of(context_.get()), seq, span.begin, span.end);
  cells_.free(seq, span);
}

int LlamaKv::max_batch() const { return static_cast<int>(llama_n_batch(context_.get())); }

std::optional<Kv::Occupant> LlamaKv::topmost() const {
  const auto top = cells_.topmost();
  if (!top) return std::nullopt;
  return Occupant{top->first, top->second};
}

void LlamaKv::clear() {
  llama_memory_clear(memory_of(context_.get()), true);
  cells_ = Cells(cells_.size());
}

void LlamaKv::share(SeqId from, SeqId to, Span span) {
  llama_memory_seq_cp(memory_of(context_.get()), from, to, span.begin, span.end);
  cells_.share(from, to, span);
}

Pos LlamaKv::newest_position(SeqId seq) const {
  return llama_memory_seq_pos_max(memory_of(context_.get()), seq);
}

}  // namespace zoomr
