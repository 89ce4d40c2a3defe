#include "llama/context_params.h"

#include <algorithm>
#include <array>

#include "engine/session_options.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

llama_rope_scaling_type parse_scaling(const std::string& name) {
  if (name.empty()) return LLAMA_ROPE_SCALING_TYPE_UNSPECIFIED;
  if (name == "none") return LLAMA_ROPE_SCALING_TYPE_NONE;
  if (name == "linear") return LLAMA_ROPE_SCALING_TYPE_LINEAR;
  if (name == "yarn") return LLAMA_ROPE_SCALING_TYPE_YARN;
  throw Error(ErrorCode::bad_input, "--rope-scaling is none, linear or yarn, not '" + name + "'");
}

}  // namespace

ggml_type parse_cache_type(const std::string& name) {
  constexpr std::array types = {GGML_TYPE_F32,    GGML_TYPE_F16,  GGML_TYPE_BF16,
                                GGML_TYPE_Q8_0,   GGML_TYPE_Q4_0, GGML_TYPE_Q4_1,
                                GGML_TYPE_IQ4_NL, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1};
  std::string list;
  for (const ggml_type type : types) {
    if (name == ggml_type_name(type)) return type;
    list += (list.empty() ? "" : ", ") + std::string(ggml_type_name(type));
  }
  throw Error(ErrorCode::bad_input, "unknown cache type '" + name + "': " + list);
}

llama_context_params make_context_params(const ContextOptions& o) {
  if (o.flash_attn == "off" || o.flash_attn == "0" || o.flash_attn == "false") {
    throw Error(ErrorCode::unsupported,
                "-fa off is not supported: queries are read from the flash attention's node");
  }
  if (o.n_batch < 1 || o.n_ubatch < 1) {
    throw Error(ErrorCode::bad_input, "-b and -ub must be at least 1");
  }
  llama_context_params params = llama_context_default_params();
  params.n_batch = static_cast<uint32_t>(o.n_batch);
  params.n_ubatch = static_cast<uint32_t>(o.n_ubatch);
  params.n_threads = n_threads(o);
  params.n_threads_batch = o.threads_batch > 0 ? o.threads_batch : params.n_threads;
  params.rope_scaling_type = parse_scaling(o.rope_scaling);
  params.rope_freq_base = o.rope_freq_base;
  params.rope_freq_scale = o.rope_freq_scale;
  params.yarn_orig_ctx = static_cast<uint32_t>(std::max(0, o.yarn_orig_ctx));
  params.yarn_ext_factor = o.yarn_ext_factor;
  params.yarn_attn_factor = o.yarn_attn_factor;
  params.yarn_beta_fast = o.yarn_beta_fast;
  params.yarn_beta_slow = o.yarn_beta_slow;
  params.type_k = parse_cache_type(o.type_k);
  params.type_v = parse_cache_type(o.type_v);
  params.offload_kqv = o.offload_kqv;
  params.op_offload = o.op_offload;
  return params;
}

}  // namespace zoomr
