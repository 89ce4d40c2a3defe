// llama.cpp's samplers in llama.cpp's order (common/sampling.cpp, common_sampler_init), through the
// public llama_sampler API, on logits that the engine hands over.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/sampler.h"
#include "zoomr/options.h"

struct llama_sampler;
struct llama_token_data;

namespace zoomr {

class LlamaModel;

class LlamaSampler final : public Sampler {
 public:
  // Throws Error(bad_input) for an unknown sampler, a value out of range or a grammar that does not
  // parse. The model outlives it.
  LlamaSampler(const SamplingOptions& options, const LlamaModel& model);
  ~LlamaSampler() override;

  // Samples freely first; only when the grammar refuses the token, again from what it allows.
  [[nodiscard]] Token sample(std::span<const float> logits) override;
  void accept(Token token, bool in_reply) override;
  // The number that the seed came to, if it was to be random.
  [[nodiscard]] std::uint32_t seed() const { return seed_; }

 private:
  struct Free {
    void operator()(llama_sampler* sampler) const;
  };
  using Ptr = std::unique_ptr<llama_sampler, Free>;
  // The grammar reads text that the prompt ends with.
  void prefill(const std::string& text, const LlamaModel& model);
  void fill(std::span<const float> logits);
  [[nodiscard]] Token draw();

  std::uint32_t seed_;
  Ptr chain_;
  Ptr grammar_;
  std::vector<llama_token_data> candidates_;  // [n_vocab]
};

}  // namespace zoomr
