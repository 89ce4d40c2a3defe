#include "http/reply_json.h"

#include <cmath>
#include <ctime>
#include <utility>

namespace zoomr {

namespace {

json chance_json(const TokenChance& chance) {
  json bytes = json::array();
  for (const char c : chance.text) bytes.push_back(static_cast<unsigned char>(c));
  // JSON has no infinity; llama-server writes the least float for a token that cannot be.
  const float logprob = std::isfinite(chance.logprob) ? chance.logprob : -3.4e38F;
  return {{"id", chance.token},
          {"token", chance.text},
          {"bytes", std::move(bytes)},
          {"logprob", logprob}};
}

double per_second(int n, double ms) { return ms > 0 ? 1000.0 * n / ms : 0; }

}  // namespace

json usage_json(const Usage& usage) {
  return {{"completion_tokens", usage.completion_tokens},
          {"prompt_tokens", usage.prompt_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

json timings_json(const ReplyEnd& end) {
  const int n_read = end.run.n_prompt - end.n_cached;
  const int n = end.run.n_generated;
  return {{"cache_n", end.n_cached},
          {"prompt_n", n_read},
          {"prompt_ms", end.prompt_ms},
          {"prompt_per_token_ms", n_read > 0 ? end.prompt_ms / n_read : 0},
          {"prompt_per_second", per_second(n_read, end.prompt_ms)},
          {"predicted_n", n},
          {"predicted_ms", end.predicted_ms},
          {"predicted_per_token_ms", n > 0 ? end.predicted_ms / n : 0},
          {"predicted_per_second", per_second(n, end.predicted_ms)},
          {"queued_ms", end.queued_ms}};
}

json zoomr_json(const ReplyEnd& end) {
  const RunResult& run = end.run;
  json result = {{"finish_reason", run.finish_reason},
                 {"budget", run.budget},
                 {"peak_resident_tokens", run.peak_resident_tokens},
                 {"stored_tokens", run.stored_tokens},
                 {"zoom_ins", run.zoom_ins},
                 {"zoom_outs", run.zoom_outs},
                 {"second_looks", run.second_looks},
                 {"missed_mass", nullptr},
                 {"agreeability", run.agreeability},
                 {"bytes_moved", run.bytes_moved},
                 {"seed", run.seed}};
  if (run.missed_mass >= 0) result["missed_mass"] = run.missed_mass;
  return result;
}

void add_figures(json& object, const ReplyEnd& end) {
  object["timings"] = timings_json(end);
  object["zoomr"] = zoomr_json(end);
}

json logprobs_json(const std::vector<ReplyToken>& tokens) {
  json result = json::array();
  for (const ReplyToken& token : tokens) {
    json entry = chance_json(token.token);
    entry["top_logprobs"] = json::array();
    for (const TokenChance& chance : token.top) {
      entry["top_logprobs"].push_back(chance_json(chance));
    }
    result.push_back(std::move(entry));
  }
  return result;
}

ReplyHead::ReplyHead(const ServerContext& context, const std::string& id_prefix)
    : id_(make_id(id_prefix)),
      model_(context.model),
      build_(context.build),
      created_(std::time(nullptr)) {}

json ReplyHead::object(const char* kind, json choices) const {
  return {{"choices", std::move(choices)}, {"created", created_}, {"id", id_}, {"model", model_},
          {"system_fingerprint", build_},  {"object", kind}};
}

std::string finish_reason(const ReplyEnd& end) {
  return end.run.finish_reason == "stop" ? "stop" : "length";
}

}  // namespace zoomr
