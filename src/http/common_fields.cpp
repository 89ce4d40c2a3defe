#include "http/common_fields.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/session_options.h"
#include "http/errors.h"
#include "http/tokens.h"

namespace zoomr {

namespace {

constexpr std::uint32_t kRandomSeed = 0xFFFFFFFF;

std::uint32_t read_seed(const Fields& fields, std::uint32_t fallback) {
  if (!fields.has("seed")) return fallback;
  const std::int64_t seed =
      fields.wide_integer("seed", -1, -1, std::numeric_limits<std::int64_t>::max());
  // Clients draw seeds of 63 bits: the low ones are kept.
  return seed < 0 ? kRandomSeed : static_cast<std::uint32_t>(seed % kRandomSeed);
}

// A bias of false: never.
float read_bias(const json& value) {
  if (value.is_boolean() && !value.get<bool>()) return -std::numeric_limits<float>::infinity();
  if (!value.is_number()) {
    throw Error(ErrorCode::bad_input,
                "\"logit_bias\": a bias is a number or false, not " + std::string(kind_of(value)));
  }
  const auto bias = value.get<double>();
  if (std::abs(bias) > std::numeric_limits<float>::max()) {
    throw Error(ErrorCode::bad_input, "\"logit_bias\": " + value.dump() + " is too large");
  }
  return static_cast<float>(bias);
}

// A token by its number, or all tokens of a text.
std::vector<Token> biased_tokens(const json& which, const ServerContext& context) {
  if (which.is_number_integer()) {
    const auto token = find_token(which, *context.vocabulary);
    if (token) return {*token};
    throw Error(ErrorCode::bad_input,
                "\"logit_bias\": the vocabulary has no token " + which.dump());
  }
  if (!which.is_string()) {
    throw Error(ErrorCode::bad_input, "\"logit_bias\": a token is an integer or a text, not " +
                                          std::string(kind_of(which)));
  }
  return context.vocabulary->tokenize(which.get<std::string>(), false, true);
}

// {"15043": -1} as OpenAI has it, or [[15043, -1], ["text", false]].
void read_logit_bias(const Fields& fields, const ServerContext& context, SamplingOptions& o) {
  const json* value = fields.find("logit_bias");
  if (value == nullptr) return;
  const auto add = [&](const std::vector<Token>& tokens, float bias) {
    for (const Token token : tokens) o.logit_bias.push_back({token, bias});
  };
  if (value->is_object()) {
    for (const auto& [key, bias] : value->items()) {
      const bool is_number = !key.empty() && key.size() < 10 &&
                             key.find_first_not_of("0123456789") == std::string::npos;
      add(biased_tokens(is_number ? json(std::stoll(key)) : json(key), context), read_bias(bias));
    }
    return;
  }
  if (!value->is_array()) {
    fields.refuse("logit_bias",
                  "must be an object or an array of pairs, not " + std::string(kind_of(*value)));
  }
  for (const json& pair : *value) {
    if (!pair.is_array() || pair.size() != 2) {
      fields.refuse("logit_bias", "must hold pairs of a token and a bias");
    }
    add(biased_tokens(pair[0], context), read_bias(pair[1]));
  }
}

void read_samplers(const Fields& fields, SamplingOptions& o) {
  const json* value = fields.find("samplers");
  if (value == nullptr) return;
  if (value->is_string()) {
    o.samplers = value->get<std::string>();
    return;
  }
  o.samplers.clear();
  for (const std::string& name : fields.texts("samplers")) {
    if (!o.samplers.empty()) o.samplers += ';';
    o.samplers += name;
  }
}

// -1, as in llama.cpp: all that a conversation can hold. More says nothing more, and libllama would
// make room for it.
int read_last_n(const Fields& f, const char* name, int fallback, int n_ctx) {
  constexpr int kMost = 1 << 18;  // tokens; a conversation may be longer, without a bound at all
  const int n = f.integer(name, fallback, -1);
  return std::min({n < 0 ? n_ctx : n, n_ctx, kMost});
}

void read_numbers(const Fields& f, SamplingOptions& o, int n_ctx) {
  o.min_keep = f.integer("min_keep", o.min_keep);
  o.temp = f.number("temperature", o.temp, 0);
  o.dynatemp_range = f.number("dynatemp_range", o.dynatemp_range);
  o.dynatemp_exponent = f.number("dynatemp_exponent", o.dynatemp_exponent);
  o.top_k = f.integer("top_k", o.top_k, -1);
  o.top_p = f.number("top_p", o.top_p, 0, 1);
  o.min_p = f.number("min_p", o.min_p, 0, 1);
  o.typical_p = f.number("typical_p", o.typical_p);
  o.top_n_sigma = f.number("top_n_sigma", o.top_n_sigma);
  o.xtc_probability = f.number("xtc_probability", o.xtc_probability, 0, 1);
  o.xtc_threshold = f.number("xtc_threshold", o.xtc_threshold, 0, 1);
  o.repeat_last_n = read_last_n(f, "repeat_last_n", o.repeat_last_n, n_ctx);
  o.repeat_penalty = f.number("repeat_penalty", o.repeat_penalty, 1e-6);
  o.presence_penalty = f.number("presence_penalty", o.presence_penalty);
  o.frequency_penalty = f.number("frequency_penalty", o.frequency_penalty);
  o.dry_multiplier = f.number("dry_multiplier", o.dry_multiplier);
  // Below 1 it would reward repetition: llama-server takes its default then, and so do we.
  const float base = f.number("dry_base", o.dry_base);
  if (base >= 1) o.dry_base = base;
  o.dry_allowed_length = f.integer("dry_allowed_length", o.dry_allowed_length);
  o.dry_penalty_last_n = read_last_n(f, "dry_penalty_last_n", o.dry_penalty_last_n, n_ctx);
  o.mirostat = f.integer("mirostat", o.mirostat, 0, 2);
  o.mirostat_tau = f.number("mirostat_tau", o.mirostat_tau);
  o.mirostat_eta = f.number("mirostat_eta", o.mirostat_eta);
}

}  // namespace

SamplingOptions read_sampling(const Fields& fields, const ServerContext& context) {
  SamplingOptions o = context.sampling;
  read_numbers(fields, o, context.n_ctx);
  read_samplers(fields, o);
  o.seed = read_seed(fields, o.seed);
  o.ignore_eos = fields.flag("ignore_eos", o.ignore_eos);
  if (fields.has("dry_sequence_breakers")) {
    o.dry_breakers = fields.texts("dry_sequence_breakers");
    if (o.dry_breakers.empty()) fields.refuse("dry_sequence_breakers", "must not be empty");
  }
  read_logit_bias(fields, context, o);
  if (fields.has("grammar") && fields.has("json_schema")) {
    throw Error(ErrorCode::bad_input, "\"grammar\" and \"json_schema\" exclude each other");
  }
  if (fields.has("grammar")) o.grammar = fields.text("grammar");
  return o;
}

int read_n_predict(const Fields& fields, const ServerContext& context) {
  for (const char* name : {"n_predict", "max_completion_tokens", "max_tokens"}) {
    if (fields.has(name)) return fields.integer(name, -1, -1);
  }
  return context.n_predict;
}

ServeRequest read_common(const Fields& fields, const ServerContext& context) {
  ServeRequest request;
  request.sampling = read_sampling(fields, context);
  request.n_predict = read_n_predict(fields, context);
  if (const json* ours = fields.object("zoomr")) {
    request.budget = Fields(*ours, "zoomr.").integer("budget", 0, 1);
  }
  request.stops = fields.texts("stop");
  if (request.stops.size() > kMaxStops) {
    fields.refuse("stop", "holds more than " + std::to_string(kMaxStops) + " texts");
  }
  std::erase(request.stops, "");
  return request;
}

void check_length(const Prompt& prompt, const ServerContext& context) {
  // A token has at least a byte; only a text that could be too long is counted.
  if (context.n_ctx <= 0) return;
  std::size_t n = prompt.tokens.size();
  if (prompt.tokens.empty()) {
    if (prompt.text.size() + 1 < static_cast<std::size_t>(context.n_ctx)) return;
    n = tokens_of(prompt, *context.vocabulary).size();
  }
  if (n >= static_cast<std::size_t>(context.n_ctx)) {
    throw ContextExceeded(static_cast<int>(n), context.n_ctx);
  }
}

std::vector<ServeRequest> copies(const ServeRequest& request, int n) {
  std::vector<ServeRequest> result;
  for (int i = 0; i < n; ++i) {
    result.push_back(request);
    if (request.sampling.seed != kRandomSeed) {
      result.back().sampling.seed =
          static_cast<std::uint32_t>((std::uint64_t{request.sampling.seed} + i) % kRandomSeed);
    }
  }
  return result;
}

int read_n(const Fields& fields) {
  return fields.integer("n", fields.integer("n_cmpl", 1, 1, kMaxChoices), 1, kMaxChoices);
}

ReplyPlan read_plan(const Fields& fields, const ServerContext& context) {
  ReplyPlan plan;
  plan.stream = fields.flag("stream", false);
  plan.ping_seconds = fields.integer("sse_ping_interval", context.ping_seconds, -1);
  return plan;
}

std::string schema_text(const json* schema) {
  if (schema == nullptr) return "";
  if (schema->is_object() && schema->empty()) return R"({"type":"object"})";
  return schema->dump();
}

bool read_include_usage(const Fields& fields) {
  const json* options = fields.object("stream_options");
  return options != nullptr && Fields(*options, "stream_options.").flag("include_usage", false);
}

}  // namespace zoomr
