#include "llama/sampler.h"

#include <cctype>
#include <cmath>
#include <random>
#include <sstream>
#include <string>

#include "core/check.h"
#include "llama.h"
#include "llama/log.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

void check_ranges(const SamplingOptions& o) {
  require(std::isfinite(o.repeat_penalty) && o.repeat_penalty > 0,
          "--repeat-penalty must be greater than 0");
  require(std::isfinite(o.presence_penalty) && std::isfinite(o.frequency_penalty),
          "penalties must be finite");
  require(std::isfinite(o.temp), "--temp must be finite");
  require(o.top_p >= 0 && o.top_p <= 1, "--top-p is between 0 and 1");
  require(o.min_p >= 0 && o.min_p <= 1, "--min-p is between 0 and 1");
  require(o.mirostat >= 0 && o.mirostat <= 2, "--mirostat is 0, 1 or 2");
  require(o.repeat_last_n >= 0, "--repeat-last-n must not be negative");
  require(o.dry_penalty_last_n >= 0, "--dry-penalty-last-n must not be negative");
  require(o.min_keep >= 0, "min_keep must not be negative");
}

// A name without case, '_' and '-': llama.cpp's aliases (common_sampler_types_from_names).
std::string plain_name(const std::string& name) {
  std::string plain;
  for (const char c : name) {
    if (c != '_' && c != '-') {
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return plain;
}

// A random seed must not be the number that asks for one: libllama would draw again, unseen.
std::uint32_t settled_seed(std::uint32_t seed) {
  std::random_device random;
  while (seed == LLAMA_DEFAULT_SEED) seed = random();
  return seed;
}

llama_sampler* make_dry(const SamplingOptions& o, const llama_vocab* vocab) {
  std::vector<const char*> breakers;
  for (const std::string& text : o.dry_breakers) breakers.push_back(text.c_str());
  return llama_sampler_init_dry(vocab, o.dry_multiplier, o.dry_base, o.dry_allowed_length,
                                o.dry_penalty_last_n, breakers.data(), breakers.size());
}

llama_sampler* make_named(const std::string& given, const SamplingOptions& o, std::uint32_t seed,
                          const llama_vocab* vocab) {
  const auto min_keep = static_cast<std::size_t>(o.min_keep);
  const std::string name = plain_name(given);
  if (name == "penalties") {
    return llama_sampler_init_penalties(llama_vocab_n_tokens(vocab), o.repeat_last_n,
                                        o.repeat_penalty, o.frequency_penalty, o.presence_penalty);
  }
  if (name == "dry") return make_dry(o, vocab);
  if (name == "topnsigma") return llama_sampler_init_top_n_sigma(o.top_n_sigma);
  if (name == "topk") return llama_sampler_init_top_k(o.top_k);
  if (name == "typp" || name == "typ" || name == "typicalp" || name == "typical")
    return llama_sampler_init_typical(o.typical_p, min_keep);
  if (name == "topp" || name == "nucleus") return llama_sampler_init_top_p(o.top_p, min_keep);
  if (name == "minp") return llama_sampler_init_min_p(o.min_p, min_keep);
  if (name == "xtc") {
    return llama_sampler_init_xtc(o.xtc_probability, o.xtc_threshold, min_keep, seed);
  }
  if (name == "temperature" || name == "temp") {
    return llama_sampler_init_temp_ext(o.temp, o.dynatemp_range, o.dynatemp_exponent);
  }
  throw Error(ErrorCode::bad_input,
              "unknown sampler '" + given +
                  "': penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc or temperature");
}

// The user's biases, what the model must never write, and the turn's ends under --ignore-eos.
std::vector<llama_logit_bias> biases(const SamplingOptions& o, const llama_vocab* vocab) {
  std::vector<llama_logit_bias> result;
  for (const LogitBias& bias : o.logit_bias) {
    require(bias.token >= 0 && bias.token < llama_vocab_n_tokens(vocab),
            "--logit-bias: the vocabulary has no token " + std::to_string(bias.token));
    result.push_back({bias.token, bias.bias});
  }
  int32_t n_suppress = 0;
  const llama_token* suppress = llama_vocab_get_suppress_tokens(vocab, &n_suppress);
  for (int32_t i = 0; i < n_suppress; ++i) result.push_back({suppress[i], -INFINITY});
  for (llama_token t = 0; o.ignore_eos && t < llama_vocab_n_tokens(vocab); ++t) {
    if (llama_vocab_is_eog(vocab, t)) result.push_back({t, -INFINITY});
  }
  return result;
}

void add_samplers(llama_sampler* chain, const SamplingOptions& o, std::uint32_t seed,
                  const llama_vocab* vocab) {
  const std::vector<llama_logit_bias> bias = biases(o, vocab);
  if (!bias.empty()) {
    llama_sampler_chain_add(
        chain, llama_sampler_init_logit_bias(llama_vocab_n_tokens(vocab),
                                             static_cast<int32_t>(bias.size()), bias.data()));
  }
  if (o.mirostat > 0) {
    llama_sampler_chain_add(chain, llama_sampler_init_temp(o.temp));
    llama_sampler_chain_add(
        chain, o.mirostat == 1
                   ? llama_sampler_init_mirostat(llama_vocab_n_tokens(vocab), seed, o.mirostat_tau,
                                                 o.mirostat_eta, 100)
                   : llama_sampler_init_mirostat_v2(seed, o.mirostat_tau, o.mirostat_eta));
    return;
  }
  std::istringstream names(o.samplers);
  for (std::string name; std::getline(names, name, ';');) {
    llama_sampler_chain_add(chain, make_named(name, o, seed, vocab));
  }
  llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
}

std::string escaped(const std::string& word) {
  std::string pattern;
  for (const char c : word) {
    if (std::string(".^$|()*+?[]{}\\").find(c) != std::string::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// llama.cpp reads a grammar by recursion, a bracket a call, and follows its rules from one to the
// next the same way: so many fill no thread's stack.
constexpr int kDeepest = 100;
constexpr int kMostRules = 10000;

// Brackets inside a text, a class of characters, a token's name or a comment do not nest.
void check_depth(const std::string& grammar) {
  int depth = 0;
  int n_rules = 0;
  std::string until;  // what ends the text, class, name or comment; "": none
  for (std::size_t i = 0; i < grammar.size(); ++i) {
    const char c = grammar[i];
    if (!until.empty()) {
      if (c == '\\' && (until == "\"" || until == "]")) {
        ++i;
      } else if (until.find(c) != std::string::npos) {
        until.clear();
      }
    } else if (c == '"') {
      until = "\"";
    } else if (c == '[') {
      until = "]";
    } else if (c == '<') {
      until = ">";
    } else if (c == '#') {
      until = "\r\n";
    } else if (c == '(') {
      require(++depth <= kDeepest, "the grammar nests deeper than " + std::to_string(kDeepest));
    } else if (c == ')') {
      --depth;
    } else if (c == '=' && i > 0 && grammar[i - 1] == ':') {
      require(++n_rules <= kMostRules,
              "the grammar has more than " + std::to_string(kMostRules) + " rules");
    }
  }
}

// A word that is one token triggers as that token, others by their text.
llama_sampler* make_grammar(const SamplingOptions& o, const LlamaModel& model) {
  check_depth(o.grammar);
  if (o.grammar_trigger_words.empty() && o.grammar_trigger_patterns.empty()) {
    return llama_sampler_init_grammar(model.vocab(), o.grammar.c_str(), "root");
  }
  std::vector<std::string> patterns = o.grammar_trigger_patterns;
  std::vector<llama_token> tokens;
  for (const std::string& word : o.grammar_trigger_words) {
    const std::vector<Token> ids = model.tokenize(word, false, true);
    if (ids.size() == 1) {
      tokens.push_back(ids[0]);
    } else {
      patterns.push_back(escaped(word));
    }
  }
  std::vector<const char*> texts;
  for (const std::string& pattern : patterns) texts.push_back(pattern.c_str());
  return llama_sampler_init_grammar_lazy_patterns(model.vocab(), o.grammar.c_str(), "root",
                                                  texts.data(), texts.size(), tokens.data(),
                                                  tokens.size());
}

}  // namespace

void LlamaSampler::Free::operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }

LlamaSampler::LlamaSampler(const SamplingOptions& options, const LlamaModel& model)
    : seed_(settled_seed(options.seed)) {
  check_ranges(options);
  llama_sampler_chain_params params = llama_sampler_chain_default_params();
  params.no_perf = true;
  chain_.reset(llama_sampler_chain_init(params));
  add_samplers(chain_.get(), options, seed_, model.vocab());
  if (!options.grammar.empty()) {
    grammar_.reset(make_grammar(options, model));
    require(grammar_ != nullptr, "the grammar does not parse: " + last_llama_error());
    prefill(options.grammar_prefill, model);
  }
  candidates_.resize(static_cast<std::size_t>(model.n_tokens()));
}

LlamaSampler::~LlamaSampler() = default;

void LlamaSampler::prefill(const std::string& text, const LlamaModel& model) {
  const std::vector<Token> tokens = model.tokenize(text, false, true);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    // Some tokenizers put a space before the first special token that the text does not have.
    if (i == 0 && model.piece(tokens[i]) == " " && !text.starts_with(' ')) continue;
    llama_sampler_accept(grammar_.get(), tokens[i]);
  }
}

void LlamaSampler::fill(std::span<const float> logits) {
  check(logits.size() == candidates_.size(), "logits cover the vocabulary");
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates_[i] = {static_cast<llama_token>(i), logits[i], 0};
  }
}

Token LlamaSampler::draw() {
  llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
  llama_sampler_apply(chain_.get(), &array);
  check(array.selected >= 0 && array.selected < static_cast<int64_t>(array.size),
        "a chain selects a token");
  return array.data[array.selected].id;
}

Token LlamaSampler::sample(std::span<const float> logits) {
  fill(logits);
  const Token token = draw();
  if (!grammar_) return token;
  llama_token_data one{token, 1, 0};
  llama_token_data_array single{&one, 1, -1, false};
  llama_sampler_apply(grammar_.get(), &single);
  if (one.logit != -INFINITY) return token;
  fill(logits);
  llama_token_data_array all{candidates_.data(), candidates_.size(), -1, false};
  llama_sampler_apply(grammar_.get(), &all);
  return draw();
}

void LlamaSampler::accept(Token token, bool in_reply) {
  llama_sampler_accept(chain_.get(), token);
  if (grammar_ && in_reply) llama_sampler_accept(grammar_.get(), token);
}

}  // namespace zoomr
