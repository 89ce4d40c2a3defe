// Which models can be zoomed, from their metadata alone. What libllama would answer with abort(),
// or with silently wrong results, is refused here; the self-test decides for the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace zoomr {

class GgufFile;

struct Support {
  bool ok = true;
  std::string why;  // one line, when !ok
};
[[nodiscard]] Support check_support(const GgufFile& file);

// LongRoPE (Phi-3.5 and the like): two sets of rotation factors, of which libllama picks one by
// comparing a context's n_ctx with hparams.n_ctx_orig_yarn (llama-model.cpp, get_rope_factors). Our
// n_ctx is the budget, so the choice is pinned: a metadata override of the number that n_ctx is
// compared with makes every context choose what one of the trained length would. That number is
// otherwise read for YaRN's correction only, which is told the true one through
// llama_context_params::yarn_orig_ctx.
struct RopePin {
  std::string key;          // to override, an integer
  std::int64_t value = 0;   // what n_ctx is compared with from now on
  int original_length = 0;  // tokens; the key's true value, for yarn_orig_ctx
  bool long_factors = false;
};
// `original_length` and `trained_length`: the user's own overrides of these, if any. nullopt: the
// model has no such factors.
[[nodiscard]] std::optional<RopePin> pin_rope(const GgufFile& file,
                                              std::optional<std::int64_t> original_length,
                                              std::optional<std::int64_t> trained_length);

// KV bytes of one token, all layers, for caches of these types ("f16", "q8_0", ...). Layers without
// attention count nothing, sliding-window layers like the others: a zoomed context keeps them
// whole. 0 when the metadata does not tell.
[[nodiscard]] double kv_bytes_per_token(const GgufFile& file, const std::string& type_k,
                                        const std::string& type_v);

}  // namespace zoomr
