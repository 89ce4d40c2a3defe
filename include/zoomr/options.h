// The options of a model, a context and a sampler, by llama.cpp's names and with its defaults.
// Plain values; no llama.cpp type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

struct LoraOptions {
  std::string path;
  float scale = 1;
};

struct ModelOptions {
  std::string path;  // GGUF file, or a name that `zoomr models` knows
  std::vector<LoraOptions> loras;
  std::vector<std::string> kv_overrides;  // KEY=TYPE:VALUE; types int, float, bool, str
  int n_gpu_layers = -1;                  // -1: all
  std::vector<std::string> devices;       // names; empty: all; "none": the CPU
  std::string split_mode = "layer";       // none, layer or row
  std::vector<float> tensor_split;        // share of each device
  int main_gpu = 0;                       // with split_mode none
  std::vector<std::string> rpc_servers;   // HOST:PORT
  std::string load_mode = "auto";         // auto, none, mmap, mlock, mmap+mlock or dio
  bool check_tensors = false;
};

struct ContextOptions {
  int threads = 0;                  // 0: all cores
  int threads_batch = 0;            // 0: as threads
  int n_batch = 2048;               // most tokens of one decode
  int n_ubatch = 512;               // most tokens of one computation
  std::string flash_attn = "auto";  // on or auto; off is refused: queries are read from its node
  std::string type_k = "f16";
  std::string type_v = "f16";
  std::string rope_scaling;     // "": the model's; none, linear or yarn
  float rope_freq_base = 0;     // 0: the model's
  float rope_freq_scale = 0;    // 0: the model's
  int yarn_orig_ctx = 0;        // tokens; 0: the model's
  float yarn_ext_factor = -1;   // < 0: the model's
  float yarn_attn_factor = -1;  // < 0: the model's
  float yarn_beta_fast = -1;    // < 0: the model's
  float yarn_beta_slow = -1;    // < 0: the model's
  bool swa_full = false;        // policy full only: the others always need it
  bool offload_kqv = true;
  bool op_offload = true;
};

struct LogitBias {
  Token token = 0;
  float bias = 0;
};

struct SamplingOptions {
  // In llama.cpp's order; a sampler that is not named is off. Spellings as llama.cpp's: top_k,
  // top-k, topk.
  std::string samplers = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";
  std::uint32_t seed = 0xFFFFFFFF;  // 0xFFFFFFFF (-1): random
  int min_keep = 0;                 // 0: off; fewest candidates that samplers leave
  float temp = 0.8F;                // <= 0: greedy
  float dynatemp_range = 0;         // 0: off
  float dynatemp_exponent = 1;
  int top_k = 40;             // <= 0: off
  float top_p = 0.95F;        // 1: off
  float min_p = 0.05F;        // 0: off
  float typical_p = 1;        // 1: off
  float top_n_sigma = -1;     // < 0: off
  float xtc_probability = 0;  // 0: off
  float xtc_threshold = 0.1F;
  int repeat_last_n = 64;       // tokens; 0: off
  float repeat_penalty = 1;     // 1: off
  float presence_penalty = 0;   // 0: off
  float frequency_penalty = 0;  // 0: off
  float dry_multiplier = 0;     // 0: off
  float dry_base = 1.75F;
  int dry_allowed_length = 2;   // tokens
  int dry_penalty_last_n = 64;  // tokens; 0: off
  std::vector<std::string> dry_breakers = {"\n", ":", "\"", "*"};
  int mirostat = 0;  // 0: off, 1, 2
  float mirostat_tau = 5;
  float mirostat_eta = 0.1F;
  bool ignore_eos = false;
  std::vector<LogitBias> logit_bias;
  std::string grammar;  // GBNF; "": off
  // What the grammar has read already: the part of the prompt that begins the reply.
  std::string grammar_prefill;
  // The grammar holds from the first of these on; both empty: from the beginning.
  std::vector<std::string> grammar_trigger_words;
  std::vector<std::string> grammar_trigger_patterns;  // regular expressions on the text so far
};

}  // namespace zoomr
