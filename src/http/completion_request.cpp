#include "http/completion_request.h"

#include <algorithm>

#include "http/common_fields.h"
#include "http/completion_reply.h"
#include "http/tokens.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

Token read_token(const json& value, const ServerContext& context) {
  if (!value.is_number_integer()) {
    throw Error(ErrorCode::bad_input,
                "a prompt holds texts and tokens, not " + std::string(kind_of(value)));
  }
  const auto token = find_token(value, *context.vocabulary);
  if (!token) throw Error(ErrorCode::bad_input, "the vocabulary has no token " + value.dump());
  return *token;
}

// One prompt, or several: a list that holds a list, or texts only.
std::vector<Prompt> read_prompts(const Fields& fields, const ServerContext& context) {
  const json* value = fields.find("prompt");
  if (value == nullptr) fields.refuse("prompt", "is missing");
  const auto is_text = [](const json& item) { return item.is_string(); };
  const auto is_list = [](const json& item) { return item.is_array(); };
  const bool several = value->is_array() && !value->empty() &&
                       (std::all_of(value->begin(), value->end(), is_text) ||
                        std::any_of(value->begin(), value->end(), is_list));
  if (!several) return {read_prompt(*value, context)};
  std::vector<Prompt> prompts;
  for (const json& item : *value) prompts.push_back(read_prompt(item, context));
  if (prompts.size() > kMaxChoices) {
    fields.refuse("prompt", "holds more than " + std::to_string(kMaxChoices) + " prompts");
  }
  return prompts;
}

// OpenAI's completions say how many alternatives in "logprobs", llama.cpp's in "n_probs".
int read_top(const Fields& fields, CompletionKind kind) {
  int top = fields.integer("n_probs", 0, 0, kMaxTop);
  if (fields.has("logprobs")) {
    const bool is_flag = fields.find("logprobs")->is_boolean();
    const int given = is_flag ? 0 : fields.integer("logprobs", 0, 0, kMaxTop);
    if (!is_flag || fields.flag("logprobs", false)) return std::max(top, given);
  }
  if (kind == CompletionKind::openai) return fields.has("n_probs") ? top : -1;
  return top > 0 ? top : -1;
}

void read_grammar(const Fields& fields, SamplingOptions& sampling) {
  const std::string schema = schema_text(fields.find("json_schema"));
  if (!schema.empty()) sampling.grammar = json_schema_to_grammar(schema);
}

}  // namespace

Prompt read_prompt(const json& value, const ServerContext& context) {
  if (value.is_string()) {
    Prompt prompt{.text = value.get<std::string>()};
    if (prompt.text.empty()) throw Error(ErrorCode::bad_input, "the prompt is empty");
    return prompt;
  }
  if (!value.is_array()) {
    throw Error(ErrorCode::bad_input,
                "\"prompt\" must be a string or an array, not " + std::string(kind_of(value)));
  }
  Prompt prompt;
  for (const json& item : value) {
    if (item.is_string()) {
      const std::vector<Token> tokens =
          context.vocabulary->tokenize(item.get<std::string>(), prompt.tokens.empty(), true);
      prompt.tokens.insert(prompt.tokens.end(), tokens.begin(), tokens.end());
    } else {
      prompt.tokens.push_back(read_token(item, context));
    }
  }
  if (prompt.tokens.empty()) throw Error(ErrorCode::bad_input, "the prompt is empty");
  return prompt;
}

ReplyPlan plan_completion(const json& body, const ServerContext& context, CompletionKind kind) {
  const Fields fields(body);
  if (fields.flag("echo", false)) {
    throw Error(ErrorCode::unsupported, "\"echo\" is not supported: replies hold new text only");
  }
  ServeRequest request = read_common(fields, context);
  read_grammar(fields, request.sampling);
  request.n_top = read_top(fields, kind);
  const std::vector<Prompt> prompts = read_prompts(fields, context);
  const int n = read_n(fields);
  ReplyPlan plan = read_plan(fields, context);
  for (const Prompt& prompt : prompts) {
    check_length(prompt, context);
    request.prompt = prompt;
    for (ServeRequest& copy : copies(request, n)) plan.requests.push_back(std::move(copy));
  }
  if (plan.requests.size() > kMaxChoices) {
    fields.refuse("n", "makes more than " + std::to_string(kMaxChoices) + " replies");
  }
  const CompletionOptions options{.n_prompts = prompts.size(),
                                  .n = static_cast<std::size_t>(n),
                                  .stream = plan.stream,
                                  .include_usage = read_include_usage(fields),
                                  .logprobs = request.n_top >= 0,
                                  .tokens = fields.flag("return_tokens", false)};
  if (kind == CompletionKind::openai) {
    plan.format = std::make_unique<CompletionReply>(context, options);
  } else {
    plan.format = std::make_unique<NativeReply>(context, options, request);
  }
  return plan;
}

}  // namespace zoomr
