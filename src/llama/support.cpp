#include "llama/support.h"

#include <algorithm>
#include <limits>
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
  const double n_layer = file.number(arch + ".block_count").value_or(0);
  const std::vector<double> n_head = file.numbers(arch + ".attention.head_count");
  std::vector<double> n_head_kv = file.numbers(arch + ".attention.head_count_kv");
  if (n_head_kv.empty()) n_head_kv = n_head;
  if (n_layer < 1 || n_head.empty()) return 0;
  const double d_default = file.number(arch + ".embedding_length").value_or(0) / n_head.front();
  const double d_k = file.number(arch + ".attention.key_length").value_or(d_default);
  const double d_v = file.number(arch + ".attention.value_length").value_or(d_default);
  const auto row_bytes = [](const std::string& type, double n) {
    const ggml_type t = parse_cache_type(type);
    return n * static_cast<double>(ggml_type_size(t)) / static_cast<double>(ggml_blck_size(t));
  };
  if (const auto rank = file.number(arch + ".attention.kv_lora_rank")) {
    const double d_rope = file.number(arch + ".rope.dimension_count").value_or(0);
    return n_layer * row_bytes(type_k, *rank + d_rope);
  }
  double bytes = 0;
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(n_layer); ++layer) {
    const double heads = n_head_kv[std::min(layer, n_head_kv.size() - 1)];
    bytes += row_bytes(type_k, heads * d_k) + row_bytes(type_v, heads * d_v);
  }
  return bytes;
}

}  // namespace zoomr
