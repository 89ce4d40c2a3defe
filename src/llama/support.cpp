#include "llama/support.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "ggml.h"
#include "llama/context_params.h"
#include "llama/gguf_file.h"

namespace zoomr {

namespace {

bool has_long_factors(const GgufFile& file) {
  return file.has_tensor("rope_factors_long") || file.has_tensor("rope_factors_short");
}

// Hybrids with attention in every n-th layer only; 1: in all (or in those with KV heads).
int full_attention_interval(const GgufFile& file) {
  static const std::map<std::string, int> defaults = {
      {"minimax-01", 8}, {"qwen3next", 4}, {"qwen35", 4}, {"qwen35moe", 4}, {"qwen4exp", 4}};
  const std::string arch = file.architecture();
  const auto found = defaults.find(arch);
  if (found == defaults.end()) return 1;
  const auto told = file.number(arch + ".full_attention_interval");
  return std::max(1, static_cast<int>(told.value_or(found->second)));
}

bool is_one_of(const std::string& name, const std::set<std::string>& names) {
  return names.contains(name);
}

}  // namespace

Support check_support(const GgufFile& file) {
  const std::string arch = file.architecture();
  const auto no = [](std::string why) { return Support{false, std::move(why)}; };
  const std::string type = file.text("general.type");
  if (type == "adapter") return no("it is an adapter: give the model with -m and this with --lora");
  if (arch.empty()) return no("its metadata names no architecture");
  if (arch == "deepseek4") {
    return no("deepseek4 is not supported: libllama copies only whole sequences of it");
  }
  if (is_one_of(arch, {"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})) {
    return no(arch + " is recurrent: it has no KV to move");
  }
  if (is_one_of(arch, {"t5", "t5encoder", "wavtokenizer-dec", "clip"}) ||
      file.number(arch + ".attention.causal").value_or(1) == 0) {
    return no(arch + " is an encoder: it does not think token by token");
  }
  if (is_one_of(arch, {"dream", "llada", "llada-moe", "rnd1"})) {
    return no(arch + " is a diffusion model: it does not think token by token");
  }
  // mistral3.cpp scales its attention by the number that would have to be overridden (pin_rope).
  if (arch == "mistral3" && has_long_factors(file)) {
    return no(
        arch +
        " chooses its rotation by the context's size (LongRoPE), which cannot be pinned here: "
        "a small context would be another model");
  }
  return {};
}

std::optional<RopePin> pin_rope(const GgufFile& file, std::optional<std::int64_t> original_length,
                                std::optional<std::int64_t> trained_length) {
  if (!has_long_factors(file)) return std::nullopt;
  const std::string arch = file.architecture();
  const auto number = [&file](const std::string& key, std::int64_t otherwise) {
    return static_cast<std::int64_t>(file.number(key).value_or(static_cast<double>(otherwise)));
  };
  RopePin pin;
  pin.key = arch + ".rope.scaling.original_context_length";
  const std::int64_t trained = trained_length.value_or(number(arch + ".context_length", 0));
  const std::int64_t original = original_length.value_or(number(pin.key, trained));
  pin.original_length = static_cast<int>(original);
  pin.long_factors = trained > original;
  pin.value = pin.long_factors ? 0 : std::numeric_limits<std::int32_t>::max();
  return pin;
}

double kv_bytes_per_token(const GgufFile& file, const std::string& type_k,
                          const std::string& type_v) {
  const std::string arch = file.architecture();
  const auto number = [&](const char* key, double otherwise) {
    return file.number(arch + key).value_or(otherwise);
  };
  const std::vector<double> n_head = file.numbers(arch + ".attention.head_count");
  std::vector<double> n_head_kv = file.numbers(arch + ".attention.head_count_kv");
  if (n_head_kv.empty()) n_head_kv = n_head;
  const double most_heads = n_head.empty() ? 0 : *std::max_element(n_head.begin(), n_head.end());
  if (most_heads < 1) return 0;
  const double d_default = number(".embedding_length", 0) / most_heads;
  const double d_k = number(".attention.key_length", d_default);
  const double d_v = number(".attention.value_length", d_default);
  const auto row_bytes = [](const std::string& type, double n) {
    const ggml_type t = parse_cache_type(type);
    return n * static_cast<double>(ggml_type_size(t)) / static_cast<double>(ggml_blck_size(t));
  };
  // MLA with absorbed matrices keeps one latent row a layer, and no values (llama-kv-cache.cpp).
  const bool latent = file.number(arch + ".attention.key_length_mla").has_value();
  const std::vector<double> recurrent = file.numbers(arch + ".attention.recurrent_layers");
  const int interval = full_attention_interval(file);
  // Prediction layers (MTP) have no cache in our contexts; the last layers of Gemma 3n and 4 use
  // those of earlier ones.
  double n_layer = number(".block_count", 0) - number(".nextn_predict_layers", 0) -
                   number(".attention.shared_kv_layers", 0);
  if (arch == "gemma3n") n_layer = std::min(n_layer, 20.0);  // src/models/gemma3n.cpp
  double bytes = 0;
  for (std::size_t layer = 0; static_cast<double>(layer) < n_layer; ++layer) {
    const bool has_attention = layer < recurrent.size()
                                   ? recurrent[layer] == 0
                                   : (static_cast<int>(layer) + 1) % interval == 0;
    if (!has_attention) continue;
    const double heads = n_head_kv[std::min(layer, n_head_kv.size() - 1)];
    bytes += row_bytes(type_k, heads * d_k) + (latent ? 0 : row_bytes(type_v, heads * d_v));
  }
  return bytes;
}

}  // namespace zoomr
