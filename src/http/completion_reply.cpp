#include "http/completion_reply.h"

#include <algorithm>
#include <utility>

namespace zoomr {

namespace {

// The lists of OpenAI's completions, which evaluation programs read, beside llama.cpp's content.
json completion_logprobs(const std::vector<ReplyToken>& tokens, std::size_t offset) {
  json result = {{"content", logprobs_json(tokens)},
                 {"tokens", json::array()},
                 {"token_logprobs", json::array()},
                 {"top_logprobs", json::array()},
                 {"text_offset", json::array()}};
  for (const ReplyToken& token : tokens) {
    result["tokens"].push_back(token.token.text);
    result["token_logprobs"].push_back(token.token.logprob);
    json top = json::object();
    for (const TokenChance& chance : token.top) top[chance.text] = chance.logprob;
    result["top_logprobs"].push_back(std::move(top));
    result["text_offset"].push_back(offset);
    offset += token.token.text.size();
  }
  return result;
}

json token_numbers(const std::vector<ReplyToken>& tokens) {
  json result = json::array();
  for (const ReplyToken& token : tokens) result.push_back(token.token.token);
  return result;
}

// llama.cpp's word: eos, word, limit.
std::string stop_type(const ReplyEnd& end) {
  if (!end.stop_text.empty()) return "word";
  return end.run.finish_reason == "stop" ? "eos" : "limit";
}

}  // namespace

CompletionReply::CompletionReply(const ServerContext& context, const CompletionOptions& options)
    : head_(context, "cmpl-"), options_(options), choices_(options.n_prompts * options.n) {}

json CompletionReply::object(json choices) const {
  return head_.object("text_completion", std::move(choices));
}

// Takes the tokens that have come since.
json CompletionReply::choice_json(std::size_t index, const std::string& text, json reason) {
  Choice& choice = choices_[index];
  json result = {{"text", text},
                 {"index", index},
                 {"logprobs", nullptr},
                 {"finish_reason", std::move(reason)}};
  if (options_.logprobs) {
    result["logprobs"] = completion_logprobs(choice.tokens, choice.text_offset);
    for (const ReplyToken& token : choice.tokens) choice.text_offset += token.token.text.size();
    choice.tokens.clear();
  }
  return result;
}

std::vector<json> CompletionReply::part(std::size_t index, const ReplyPart& part) {
  Choice& choice = choices_[index];
  if (options_.logprobs) {
    choice.tokens.insert(choice.tokens.end(), part.tokens.begin(), part.tokens.end());
  }
  if (!options_.stream) {
    choice.text += part.text;
    return {};
  }
  if (part.text.empty()) return {};
  return {object(json::array({choice_json(index, part.text, nullptr)}))};
}

std::vector<json> CompletionReply::ended(std::size_t index, const ReplyEnd& end) {
  choices_[index].end = end;
  if (!options_.stream) return {};
  json last = object(json::array({choice_json(index, "", finish_reason(end))}));
  add_figures(last, end);
  return {last};
}

Usage CompletionReply::usage() const {
  Usage usage;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const ReplyEnd& end = choices_[i].end;
    if (i % options_.n == 0) {
      usage.prompt_tokens += end.run.n_prompt;
      usage.cached_tokens += end.n_cached;
    }
    usage.completion_tokens += end.run.n_generated;
  }
  return usage;
}

std::vector<json> CompletionReply::closing() {
  if (!options_.include_usage) return {};
  json last = object(json::array());
  last["usage"] = usage_json(usage());
  add_figures(last, choices_.back().end);
  return {last};
}

json CompletionReply::whole() {
  json choices = json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    choices.push_back(choice_json(i, choices_[i].text, finish_reason(choices_[i].end)));
    if (choices_.size() > 1) choices.back()["zoomr"] = zoomr_json(choices_[i].end);
  }
  json result = object(std::move(choices));
  result["usage"] = usage_json(usage());
  add_figures(result, choices_.front().end);
  return result;
}

NativeReply::NativeReply(const ServerContext& context, const CompletionOptions& options,
                         const ServeRequest& request)
    : model_(context.model),
      options_(options),
      settings_(settings_json(request.sampling, request.n_predict)),
      choices_(options.n_prompts * options.n) {
  if (options.n_prompts == 1) choices_.front().prompt = request.prompt.text;
}

std::vector<json> NativeReply::part(std::size_t index, const ReplyPart& part) {
  Choice& choice = choices_[index];
  if (!options_.stream) {
    choice.text += part.text;
    choice.tokens.insert(choice.tokens.end(), part.tokens.begin(), part.tokens.end());
    return {};
  }
  if (part.text.empty() && part.tokens.empty()) return {};
  json result = {{"index", index}, {"content", part.text}, {"stop", false}};
  if (options_.tokens) result["tokens"] = token_numbers(part.tokens);
  if (options_.logprobs) result["completion_probabilities"] = logprobs_json(part.tokens);
  return {result};
}

json NativeReply::last(std::size_t index, const std::string& text) const {
  const Choice& choice = choices_[index];
  const ReplyEnd& end = choice.end;
  json result = {{"index", index},
                 {"content", text},
                 {"stop", true},
                 {"model", model_},
                 {"tokens_predicted", end.run.n_generated},
                 {"tokens_evaluated", end.run.n_prompt},
                 {"generation_settings", settings_},
                 {"prompt", choice.prompt},
                 {"has_new_line", text.find('\n') != std::string::npos},
                 {"truncated", false},
                 {"stop_type", stop_type(end)},
                 {"stopping_word", end.stop_text},
                 {"tokens_cached", end.n_cached},
                 {"timings", timings_json(end)},
                 {"zoomr", zoomr_json(end)}};
  if (options_.tokens) result["tokens"] = token_numbers(choice.tokens);
  if (options_.logprobs && !options_.stream) {
    result["completion_probabilities"] = logprobs_json(choice.tokens);
  }
  return result;
}

std::vector<json> NativeReply::ended(std::size_t index, const ReplyEnd& end) {
  choices_[index].end = end;
  if (!options_.stream) return {};
  return {last(index, "")};
}

json NativeReply::whole() {
  if (choices_.size() == 1) return last(0, choices_[0].text);
  json result = json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) result.push_back(last(i, choices_[i].text));
  return result;
}

json settings_json(const SamplingOptions& o, int n_predict) {
  return {{"n_predict", n_predict},
          {"seed", o.seed},
          {"temperature", o.temp},
          {"dynatemp_range", o.dynatemp_range},
          {"dynatemp_exponent", o.dynatemp_exponent},
          {"top_k", o.top_k},
          {"top_p", o.top_p},
          {"min_p", o.min_p},
          {"top_n_sigma", o.top_n_sigma},
          {"xtc_probability", o.xtc_probability},
          {"xtc_threshold", o.xtc_threshold},
          {"typical_p", o.typical_p},
          {"repeat_last_n", o.repeat_last_n},
          {"repeat_penalty", o.repeat_penalty},
          {"presence_penalty", o.presence_penalty},
          {"frequency_penalty", o.frequency_penalty},
          {"dry_multiplier", o.dry_multiplier},
          {"dry_base", o.dry_base},
          {"dry_allowed_length", o.dry_allowed_length},
          {"dry_penalty_last_n", o.dry_penalty_last_n},
          {"mirostat", o.mirostat},
          {"mirostat_tau", o.mirostat_tau},
          {"mirostat_eta", o.mirostat_eta},
          {"ignore_eos", o.ignore_eos},
          {"samplers", o.samplers},
          {"grammar", o.grammar}};
}

}  // namespace zoomr
