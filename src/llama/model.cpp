#include "llama/model.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "core/check.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"
#include "llama/gguf_file.h"
#include "llama/log.h"
#include "llama/support.h"
#include "zoomr/error.h"
#include "zoomr/zoomr.h"
#include "zoomr_known_models.h"

namespace zoomr {

namespace {

[[noreturn]] void bad(const std::string& message) { throw Error(ErrorCode::bad_input, message); }

llama_model_kv_override parse_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.find(':', equals == std::string::npos ? 0 : equals);
  llama_model_kv_override result{};
  if (equals == std::string::npos || colon == std::string::npos || equals >= sizeof result.key) {
    bad("--override-kv is KEY=TYPE:VALUE, not '" + text + "'");
  }
  std::strncpy(result.key, text.substr(0, equals).c_str(), sizeof result.key - 1);
  const std::string type = text.substr(equals + 1, colon - equals - 1);
  const std::string value = text.substr(colon + 1);
  try {
    if (type == "int") {
      result.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
      result.val_i64 = std::stoll(value);
    } else if (type == "float") {
      result.tag = LLAMA_KV_OVERRIDE_TYPE_FLOAT;
      result.val_f64 = std::stod(value);
    } else if (type == "bool" && (value == "true" || value == "false")) {
      result.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
      result.val_bool = value == "true";
    } else if (type == "str" && value.size() < sizeof result.val_str) {
      result.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
      std::strncpy(result.val_str, value.c_str(), sizeof result.val_str - 1);
    } else {
      throw std::invalid_argument(type);
    }
  } catch (const std::exception&) {
    bad("--override-kv: '" + text + "' has no value of type int, float, bool or str");
  }
  return result;
}

llama_model_kv_override make_override(const std::string& key, std::int64_t value) {
  llama_model_kv_override result{};
  result.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
  std::strncpy(result.key, key.c_str(), sizeof result.key - 1);
  result.val_i64 = value;
  return result;
}

// The factors' choice, with what the user overrides taken into account.
std::optional<RopePin> rope_pin_of(const GgufFile& file,
                                   const std::vector<llama_model_kv_override>& overrides) {
  const auto overridden = [&](const std::string& name) -> std::optional<std::int64_t> {
    for (const llama_model_kv_override& o : overrides) {
      if (file.architecture() + name == o.key && o.tag == LLAMA_KV_OVERRIDE_TYPE_INT) {
        return o.val_i64;
      }
    }
    return std::nullopt;
  };
  return pin_rope(file, overridden(".rope.scaling.original_context_length"),
                  overridden(".context_length"));
}

llama_split_mode parse_split_mode(const std::string& name) {
  if (name == "none") return LLAMA_SPLIT_MODE_NONE;
  if (name == "layer") return LLAMA_SPLIT_MODE_LAYER;
  if (name == "row") return LLAMA_SPLIT_MODE_ROW;
  bad("--split-mode is none, layer or row, not '" + name + "'");
}

llama_load_mode parse_load_mode(const std::string& name) {
  if (name == "auto") return LLAMA_LOAD_MODE_AUTO;
  if (name == "none") return LLAMA_LOAD_MODE_NONE;
  if (name == "mmap") return LLAMA_LOAD_MODE_MMAP;
  if (name == "mlock") return LLAMA_LOAD_MODE_MLOCK;
  if (name == "mmap+mlock") return LLAMA_LOAD_MODE_MMAP_MLOCK;
  if (name == "dio") return LLAMA_LOAD_MODE_DIRECT_IO;
  bad("--load-mode is auto, none, mmap, mlock, mmap+mlock or dio, not '" + name + "'");
}

// Their devices join the list of all devices, as llama.cpp's --rpc does (common/arg.cpp).
void add_rpc_servers(const std::vector<std::string>& servers) {
  using AddServer = ggml_backend_reg_t (*)(const char*);
  ggml_backend_reg_t rpc = ggml_backend_reg_by_name("RPC");
  if (rpc == nullptr) bad("this build has no RPC: build llama.cpp with script/llama -DGGML_RPC=ON");
  void* found = ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server");
  if (found == nullptr) bad("this build's RPC cannot add servers");
  const auto add = reinterpret_cast<AddServer>(found);
  for (const std::string& server : servers) {
    ggml_backend_reg_t devices = add(server.c_str());
    if (devices == nullptr) bad("there is no RPC server at " + server);
    ggml_backend_register(devices);
  }
}

// NULL-terminated, as libllama wants it; empty: all devices.
std::vector<ggml_backend_dev_t> pick_devices(const ModelOptions& options) {
  std::vector<ggml_backend_dev_t> devices;
  if (!options.rpc_servers.empty()) add_rpc_servers(options.rpc_servers);
  for (const std::string& name : options.devices) {
    if (name == "none") continue;
    ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
    if (device == nullptr) bad("there is no device '" + name + "'");
    devices.push_back(device);
  }
  if (!options.devices.empty()) devices.push_back(nullptr);
  return devices;
}

[[noreturn]] void unfit(const std::string& path, const std::string& why) {
  bad("the adapter " + path + " does not fit: " + why);
}

// One pair of matrices against the weights they change; as llama_adapter_lora_init_impl does.
void check_pair(const std::string& path, const GgufFile& adapter, const GgufFile& model,
                const std::string& target) {
  const ggml_tensor* weight = model.tensor(target);
  const ggml_tensor* a = adapter.tensor(target + ".lora_a");
  const ggml_tensor* b = adapter.tensor(target + ".lora_b");
  if (weight == nullptr) unfit(path, "the model has no " + target);
  if (a == nullptr || b == nullptr) unfit(path, target + " has one half of its pair only");
  // The token embeddings' pair is applied to rows, not to a product: A and B change places.
  const bool fits = target.ends_with("token_embd.weight")
                        ? weight->ne[0] == b->ne[1] && weight->ne[1] == a->ne[1]
                        : weight->ne[0] == a->ne[0] && weight->ne[1] == b->ne[1];
  if (!fits) unfit(path, "the shape of " + target + " is another");
  if (a->ne[target.ends_with("token_embd.weight") ? 0 : 1] != b->ne[0]) {
    unfit(path, "the ranks of " + target + "'s pair differ");
  }
}

// What llama_adapter_lora_init would assert on, or refuse without saying why.
void check_adapter(const std::string& path, const GgufFile& adapter, const GgufFile& model) {
  if (adapter.text("general.type") != "adapter") unfit(path, "it is not an adapter");
  if (adapter.text("adapter.type") != "lora") unfit(path, "it is not a LoRA");
  if (adapter.architecture() != model.architecture()) {
    unfit(path, "it is for " + adapter.architecture() + ", the model is " + model.architecture());
  }
  if (!adapter.is_f32("adapter.lora.alpha")) unfit(path, "its alpha is not a 32-bit float");
  for (const std::string& name : adapter.tensor_names()) {
    if (name.ends_with("_norm.weight")) continue;  // libllama leaves them out
    if (!name.ends_with(".lora_a") && !name.ends_with(".lora_b")) {
      unfit(path, "it has an unknown tensor " + name);
    }
    check_pair(path, adapter, model, name.substr(0, name.size() - std::strlen(".lora_a")));
  }
}

}  // namespace

std::string_view llama_version() { return ::llama_version(); }

void LlamaModel::Free::operator()(llama_model* model) const { llama_model_free(model); }

LlamaModel::LlamaModel(const ModelOptions& options)
    : path_(find_model(options.path)), options_(options) {
  options_.path = path_;
  static const bool ready = [] {
    llama_backend_init();
    return true;
  }();
  (void)ready;
  const GgufFile file(path_);
  if (const Support support = check_support(file); !support.ok) {
    throw Error(ErrorCode::unsupported, path_ + ": " + support.why);
  }
  for (const LoraOptions& lora : options.loras) {
    check_adapter(lora.path, GgufFile(lora.path), file);
  }
  load(options, file);
  load_adapters(options);
  has_learned_positions_ = file.tensor("position_embd.weight") != nullptr;
}

LlamaModel::~LlamaModel() = default;

void LlamaModel::load(const ModelOptions& options, const GgufFile& file) {
  std::vector<llama_model_kv_override> overrides;
  for (const std::string& text : options.kv_overrides) overrides.push_back(parse_override(text));
  if (const auto pin = rope_pin_of(file, overrides)) {
    std::erase_if(overrides, [&pin](const auto& o) { return pin->key == o.key; });
    overrides.push_back(make_override(pin->key, pin->value));
    yarn_orig_ctx_ = pin->original_length;
    identity_ = pin->long_factors ? "|long" : "|short";
  }
  overrides.push_back({});  // an empty key ends the list
  std::vector<ggml_backend_dev_t> devices = pick_devices(options);
  std::vector<float> split = options.tensor_split;
  split.resize(std::max(split.size(), llama_max_devices()), 0.0F);

  llama_model_params params = llama_model_default_params();
  params.devices = devices.empty() ? nullptr : devices.data();
  params.n_gpu_layers = options.n_gpu_layers;
  params.split_mode = parse_split_mode(options.split_mode);
  params.main_gpu = options.main_gpu;
  params.tensor_split = options.tensor_split.empty() ? nullptr : split.data();
  params.kv_overrides = overrides.data();
  params.load_mode = parse_load_mode(options.load_mode);
  params.check_tensors = options.check_tensors;
  forget_llama_error();
  model_.reset(llama_model_load_from_file(path_.c_str(), params));
  if (!model_) bad(path_ + " cannot be loaded: " + last_llama_error());
  if (llama_model_is_recurrent(get()) || llama_model_has_encoder(get()) ||
      !llama_model_has_decoder(get()) || llama_model_is_diffusion(get())) {
    throw Error(ErrorCode::unsupported, path_ + ": " + meta("general.architecture") +
                                            " does not think token by token in a KV memory");
  }
  const auto changed = std::filesystem::last_write_time(path_).time_since_epoch().count();
  identity_ += '|' + path_ + '|' + std::to_string(std::filesystem::file_size(path_)) + '|' +
               std::to_string(changed);
  for (const std::string& text : options.kv_overrides) identity_ += '|' + text;
}

void LlamaModel::load_adapters(const ModelOptions& options) {
  for (const LoraOptions& lora : options.loras) {
    forget_llama_error();
    llama_adapter_lora* adapter = llama_adapter_lora_init(get(), lora.path.c_str());
    if (adapter == nullptr)
      bad("the adapter " + lora.path + " cannot be loaded: " + last_llama_error());
    adapters_.push_back(adapter);
    scales_.push_back(lora.scale);
    identity_ += '|' + lora.path + '*' + std::to_string(lora.scale);
  }
}

void LlamaModel::apply_adapters(llama_context* context) const {
  if (adapters_.empty()) return;
  std::vector<llama_adapter_lora*> adapters = adapters_;
  std::vector<float> scales = scales_;
  if (llama_set_adapters_lora(context, adapters.data(), adapters.size(), scales.data()) != 0) {
    throw Error(ErrorCode::failed, "the adapters cannot be applied: " + last_llama_error());
  }
}

const llama_vocab* LlamaModel::vocab() const { return llama_model_get_vocab(get()); }

std::string LlamaModel::piece(Token token) const {
  std::string text(16, '\0');
  int32_t n =
      llama_token_to_piece(vocab(), token, text.data(), static_cast<int32_t>(text.size()), 0, true);
  if (n < 0) {
    text.resize(static_cast<std::size_t>(-n));
    n = llama_token_to_piece(vocab(), token, text.data(), static_cast<int32_t>(text.size()), 0,
                             true);
  }
  text.resize(static_cast<std::size_t>(std::max(n, 0)));
  return text;
}

bool LlamaModel::is_eog(Token token) const { return llama_vocab_is_eog(vocab(), token); }

std::vector<Token> LlamaModel::tokenize(std::string_view text, bool add_special,
                                        bool parse_special) const {
  std::vector<Token> tokens(text.size() + 2);
  const auto size = static_cast<int32_t>(text.size());
  int32_t n = llama_tokenize(vocab(), text.data(), size, tokens.data(),
                             static_cast<int32_t>(tokens.size()), add_special, parse_special);
  if (n < 0) {
    tokens.resize(static_cast<std::size_t>(-n));
    n = llama_tokenize(vocab(), text.data(), size, tokens.data(),
                       static_cast<int32_t>(tokens.size()), add_special, parse_special);
  }
  check(n >= 0, "a text is tokenised");
  tokens.resize(static_cast<std::size_t>(n));
  return tokens;
}

int LlamaModel::n_tokens() const { return llama_vocab_n_tokens(vocab()); }

bool LlamaModel::is_text(Token token) const {
  constexpr int kNotText = LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_UNUSED |
                           LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_BYTE;
  return (llama_vocab_get_attr(vocab(), token) & kNotText) == 0;
}

Token LlamaModel::any_token() const {
  const Token bos = llama_vocab_bos(vocab());
  return bos >= 0 ? bos : 0;
}

std::string LlamaModel::description() const {
  char text[256] = {};
  llama_model_desc(get(), text, sizeof text);
  return text;
}

std::string LlamaModel::backend() const {
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU) {
      return ggml_backend_dev_name(device);
    }
  }
  return "CPU";
}

std::string LlamaModel::meta(const std::string& key) const {
  char text[512] = {};
  return llama_model_meta_val_str(get(), key.c_str(), text, sizeof text) < 0 ? "" : text;
}

int LlamaModel::n_ctx_train() const { return llama_model_n_ctx_train(get()); }
std::uint64_t LlamaModel::n_params() const { return llama_model_n_params(get()); }
std::uint64_t LlamaModel::size_bytes() const { return llama_model_size(get()); }
std::string LlamaModel::identity() const { return identity_; }

std::string models_folder() {
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  if (std::string folder = env("ZOOMR_MODELS"); !folder.empty()) return folder;
  const std::string data = env("XDG_DATA_HOME");
  return (data.empty() ? env("HOME") + "/.local/share" : data) + "/zoomr/models";
}

const std::vector<KnownModel>& known_models() {
  static const std::vector<KnownModel> models(std::begin(kKnownModels), std::end(kKnownModels));
  return models;
}

std::string find_model(const std::string& path_or_name) {
  if (path_or_name.empty()) bad("no model: give -m FILE.gguf or -m NAME (zoomr models)");
  std::error_code ignored;
  if (std::filesystem::exists(path_or_name, ignored)) return path_or_name;
  std::string names;
  for (const KnownModel& model : known_models()) {
    names += (names.empty() ? "" : ", ") + std::string(model.name);
    if (model.name != path_or_name) continue;
    std::string path = models_folder() + "/" + std::string(model.file);
    if (std::filesystem::exists(path, ignored)) return path;
    bad("the model " + path_or_name + " is not here yet: script/models " + path_or_name);
  }
  bad("no such file: " + path_or_name + " (known names: " + names + ")");
}

}  // namespace zoomr
