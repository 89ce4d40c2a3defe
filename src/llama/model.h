// A loaded model: weights, vocabulary, adapters. Shareable by contexts; immutable once loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/vocabulary.h"
#include "zoomr/options.h"

struct llama_adapter_lora;
struct llama_context;
struct llama_model;
struct llama_vocab;

namespace zoomr {

class GgufFile;

class LlamaModel final : public Vocabulary {
 public:
  // Throws Error(bad_input): missing, not GGUF, truncated, an adapter that does not fit.
  // Throws Error(unsupported): a model whose thoughts cannot be moved (support.h says why).
  explicit LlamaModel(const ModelOptions& options);
  ~LlamaModel() override;
  LlamaModel(const LlamaModel&) = delete;
  LlamaModel& operator=(const LlamaModel&) = delete;

  [[nodiscard]] std::string piece(Token token) const override;
  [[nodiscard]] bool is_eog(Token token) const override;
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text, bool add_special,
                                            bool parse_special) const override;
  [[nodiscard]] int n_tokens() const override;
  [[nodiscard]] bool is_text(Token token) const;  // an ordinary token, neither control nor unused
  [[nodiscard]] Token any_token() const;          // one that can be decoded

  [[nodiscard]] std::string description() const;                 // "qwen2 1.5B Q4_K - Medium"
  [[nodiscard]] std::string backend() const;                     // "CPU", "CUDA0", ...
  [[nodiscard]] std::string meta(const std::string& key) const;  // "" when absent
  [[nodiscard]] int n_ctx_train() const;
  [[nodiscard]] std::uint64_t n_params() const;
  [[nodiscard]] std::uint64_t size_bytes() const;
  // For llama_context_params::yarn_orig_ctx: not 0 where metadata was overridden to pin LongRoPE's
  // factors (support.h), so that YaRN still sees the true length.
  [[nodiscard]] int yarn_orig_ctx() const { return yarn_orig_ctx_; }
  // The model learned a vector for each position up to n_ctx_train(): libllama would abort behind.
  [[nodiscard]] bool has_learned_positions() const { return has_learned_positions_; }
  // Everything about the weights that a blob's meaning depends on: file, overrides, adapters.
  [[nodiscard]] std::string identity() const;
  // As given, but the path is the file's.
  [[nodiscard]] const ModelOptions& options() const { return options_; }
  void apply_adapters(llama_context* context) const;

  [[nodiscard]] llama_model* get() const { return model_.get(); }
  [[nodiscard]] const llama_vocab* vocab() const;

 private:
  struct Free {
    void operator()(llama_model* model) const;
  };
  void load(const ModelOptions& options, const GgufFile& file);
  void load_adapters(const ModelOptions& options);

  std::string path_;
  ModelOptions options_;
  std::string identity_;
  int yarn_orig_ctx_ = 0;
  bool has_learned_positions_ = false;
  std::unique_ptr<llama_model, Free> model_;
  std::vector<llama_adapter_lora*> adapters_;  // the model owns them
  std::vector<float> scales_;
};

// The file behind a path or a known name. Throws Error(bad_input): no such file or name, or a known
// model that is not here yet.
[[nodiscard]] std::string find_model(const std::string& path_or_name);

struct KnownModel {
  std::string_view name;
  std::string_view file;
  std::uint64_t bytes = 0;
  std::string_view note;
};
[[nodiscard]] const std::vector<KnownModel>& known_models();  // script/models.tsv
[[nodiscard]] std::string models_folder();

}  // namespace zoomr
