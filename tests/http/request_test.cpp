// Bodies become requests; each wrong one is refused with one line that names the field.
#include <gtest/gtest.h>

#include "fake_service.h"
#include "http/access.h"
#include "http/chat_request.h"
#include "http/completion_request.h"
#include "http/errors.h"
#include "http/state_json.h"
#include "http/tokens.h"

namespace zoomr {
namespace {

const std::string kMessages = R"("messages":[{"role":"user","content":"Hi"}])";

ReplyPlan chat(const std::string& more, const Fixture& f) {
  return plan_chat(parse_body("{" + kMessages + (more.empty() ? "" : ",") + more + "}"), f.context);
}

std::string refusal(const std::function<void()>& call, ErrorCode code = ErrorCode::bad_input) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(code)) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

TEST(Body, IsAnObjectOfValidUtf8) {
  EXPECT_NE(refusal([] { (void)parse_body("{"); }).find("not valid JSON"), std::string::npos);
  EXPECT_NE(refusal([] { (void)parse_body(""); }).find("not valid JSON"), std::string::npos);
  EXPECT_NE(refusal([] { (void)parse_body("[]"); }).find("object"), std::string::npos);
  EXPECT_NE(refusal([] { (void)parse_body("{\"a\":\"\xC3\"}"); }).find("UTF-8"), std::string::npos);
  EXPECT_NE(refusal([] { (void)parse_body("{\"a\":1e999}"); }).find("JSON"), std::string::npos);
  const std::string deep = "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
  EXPECT_NE(refusal([&] { (void)parse_body(deep); }).find("deeper"), std::string::npos);
}

TEST(ChatRequest, WrongTypesAndRangesAreNamed) {
  const Fixture f;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("temperature":"hot")", "\"temperature\" must be a number, not a string"},
      {R"("temperature":-1)", "\"temperature\" must be between"},
      {R"("top_p":1.5)", "\"top_p\" must be between"},
      {R"("min_p":-0.1)", "\"min_p\""},
      {R"("top_k":1.5)", "\"top_k\" must be an integer"},
      {R"("max_tokens":"9")", "\"max_tokens\" must be an integer, not a string"},
      {R"("max_tokens":-2)", "\"max_tokens\" must be between"},
      {R"("max_tokens":99999999999)", "\"max_tokens\" must be between"},
      {R"("seed":"x")", "\"seed\""},
      {R"("n":0)", "\"n\" must be between"},
      {R"("n":1000)", "\"n\" must be between"},
      {R"("stream":"yes")", "\"stream\" must be a boolean"},
      {R"("stop":5)", "\"stop\" must be a string or an array"},
      {R"("stop":["a",1])", "\"stop\" must hold strings only"},
      {R"("stream_options":3)", "\"stream_options\" must be an object"},
      {R"("stream_options":{"include_usage":1})", "\"stream_options.include_usage\""},
      {R"("logprobs":3)", "\"logprobs\" must be a boolean"},
      {R"("top_logprobs":3)", "\"top_logprobs\" needs"},
      {R"("logprobs":true,"top_logprobs":1000)", "\"top_logprobs\" must be between"},
      {R"("logit_bias":{"300":1})", "no token 300"},
      {R"("logit_bias":[[1]])", "pairs"},
      {R"("logit_bias":{"3":"x"})", "a bias is a number"},
      {R"("zoomr":{"budget":-5})", "\"zoomr.budget\" must be between"},
      {R"("response_format":{"type":"xml"})", "\"response_format.type\""},
      {R"("response_format":{"type":"json_schema"})", "\"response_format.json_schema\""},
      {R"("tools":{})", "\"tools\" must be an array"},
      {R"("tools":[{"type":"function"}])", "\"tools[0].function\" is missing"},
      {R"("tools":[{"type":"function","function":{}}])", "\"tools[0].function.name\" is missing"},
      {R"("tool_choice":"maybe")", "\"tool_choice\""},
      {R"("tool_choice":"required")", "\"tool_choice\""},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")",
       "knows no tools"},
      {R"("chat_template_kwargs":[])", "\"chat_template_kwargs\" must be an object"},
      {R"("chat_template_kwargs":{"enable_thinking":"no"})", "enable_thinking"},
      {R"("reasoning_format":"loud")", "\"reasoning_format\""},
      {R"("grammar":"root ::= \"a\"","json_schema":{})", "exclude"},
      {R"("dry_sequence_breakers":[])", "\"dry_sequence_breakers\""},
  };
  for (const auto& [more, line] : cases) {
    const std::string told = refusal([&, text = more] { (void)chat(text, f); });
    EXPECT_NE(told.find(line), std::string::npos) << more << "\n" << told;
  }
}

TEST(ChatRequest, WrongMessagesAreNamed) {
  const Fixture f;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({})", "\"messages\" is missing"},
      {R"({"messages":"hi"})", "\"messages\" must be an array"},
      {R"({"messages":[]})", "\"messages\" is empty"},
      {R"({"messages":["hi"]})", "\"messages[0]\" must be an object"},
      {R"({"messages":[{"content":"a"}]})", "\"messages[0].role\" is missing"},
      {R"({"messages":[{"role":"user"}]})", "\"messages[0].content\" is missing"},
      {R"({"messages":[{"role":"user","content":7}]})", "\"messages[0].content\" must be"},
      {R"({"messages":[{"role":"user","content":[7]}]})", "\"messages[0].content[0]\""},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]})",
       "name\" is missing"},
  };
  for (const auto& [body, line] : cases) {
    const std::string told =
        refusal([&, text = body] { (void)plan_chat(parse_body(text), f.context); });
    EXPECT_NE(told.find(line), std::string::npos) << body << "\n" << told;
  }
  const std::string image =
      R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]})";
  EXPECT_NE(refusal([&] { (void)plan_chat(parse_body(image), f.context); }, ErrorCode::unsupported)
                .find("image_url"),
            std::string::npos);
}

TEST(ChatRequest, FieldsArriveAndUnknownOnesAreIgnored) {
  const Fixture f;
  const ReplyPlan plan = chat(
      R"("temperature":0,"seed":5,"max_tokens":9,"stop":["a","b"],"n":2,"stream":true,)"
      R"("logit_bias":{"65":-1.5,"hi":false},"logprobs":true,"top_logprobs":2,"zoomr":{"budget":300},)"
      R"("user":"me","store":false,"metadata":{"a":[1]},"top_p":null)",
      f);
  ASSERT_EQ(plan.requests.size(), 2U);
  EXPECT_TRUE(plan.stream);
  const ServeRequest& r = plan.requests[0];
  EXPECT_EQ(r.sampling.temp, 0);
  EXPECT_EQ(r.sampling.seed, 5U);
  EXPECT_EQ(plan.requests[1].sampling.seed, 6U);
  EXPECT_EQ(r.n_predict, 9);
  EXPECT_EQ(r.budget, 300);
  EXPECT_EQ(r.n_top, 2);
  EXPECT_EQ(r.stops, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(r.sampling.logit_bias.size(), 3U);
  EXPECT_EQ(r.sampling.logit_bias[0].token, 65);
  EXPECT_EQ(r.prompt.text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(r.messages, (std::vector<std::string>{R"({"role":"user","content":"Hi"})"}));
  EXPECT_EQ(r.as_message(" there "), R"({"role":"assistant","content":"there"})");
}

TEST(ChatRequest, ContentMayBeParts) {
  const Fixture f;
  const ReplyPlan plan = plan_chat(
      parse_body(
          R"({"messages":[{"role":"user","type":"text","content":[{"type":"text","text":"Hi"}]}]})"),
      f.context);
  EXPECT_EQ(plan.requests[0].messages[0], R"({"role":"user","content":"Hi"})");
}

TEST(ChatRequest, AnAssistantsLastMessageIsContinued) {
  const Fixture f;
  const ReplyPlan plan = plan_chat(
      parse_body(
          R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hel"}]})"),
      f.context);
  EXPECT_TRUE(plan.requests[0].prompt.text.ends_with("<|im_start|>assistant\nHel"));
  EXPECT_TRUE(plan.requests[0].messages.empty());
}

TEST(ChatRequest, ASchemaBecomesAGrammar) {
  const Fixture f;
  const ReplyPlan plan = chat(R"("response_format":{"type":"json_object"})", f);
  EXPECT_NE(plan.requests[0].sampling.grammar.find("root ::="), std::string::npos);
  EXPECT_NE(refusal([&] {
              (void)chat(R"("response_format":{"type":"json_schema","json_schema":)"
                         R"({"schema":{"type":"nonsense"}}})",
                         f);
            }).find("schema"),
            std::string::npos);
}

TEST(ChatRequest, APromptThatFillsAllPositionsIsTold) {
  const Fixture f;
  const std::string body =
      R"({"messages":[{"role":"user","content":")" + std::string(2000, 'a') + R"("}]})";
  try {
    (void)plan_chat(parse_body(body), f.context);
    FAIL();
  } catch (const Error& e) {
    const HttpError error = as_http(e);
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.type, "exceed_context_size_error");
    EXPECT_EQ(error.more["n_ctx"], 1000);
    EXPECT_GT(error.more["n_prompt_tokens"], 2000);
  }
}

TEST(ChatRequest, LookBackOverNoMoreThanAConversationHolds) {
  const Fixture f;
  const auto sampling = [&](const std::string& n) {
    return chat(R"("repeat_last_n":)" + n + R"(,"dry_penalty_last_n":)" + n, f)
        .requests[0]
        .sampling;
  };
  for (const char* n : {"2000000000", "-1"}) {
    EXPECT_EQ(sampling(n).repeat_last_n, f.context.n_ctx) << n;
    EXPECT_EQ(sampling(n).dry_penalty_last_n, f.context.n_ctx) << n;
  }
  EXPECT_EQ(sampling("7").repeat_last_n, 7);
  EXPECT_EQ(sampling("0").dry_penalty_last_n, 0);
  EXPECT_NE(refusal([&] { (void)sampling("-2"); }).find("repeat_last_n"), std::string::npos);
}

TEST(CompletionRequest, PromptsAreTextsTokensOrSeveral) {
  const Fixture f;
  const auto plan = [&](const std::string& body, CompletionKind kind = CompletionKind::openai) {
    return plan_completion(parse_body(body), f.context, kind);
  };
  EXPECT_EQ(plan(R"({"prompt":"ab"})").requests[0].prompt.text, "ab");
  EXPECT_EQ(plan(R"({"prompt":[97,98]})").requests[0].prompt.tokens, (std::vector<Token>{97, 98}));
  EXPECT_EQ(plan(R"({"prompt":["a","b"],"n":2})").requests.size(), 4U);
  EXPECT_EQ(plan(R"({"prompt":[[97],[98]]})").requests.size(), 2U);
  EXPECT_EQ(plan(R"({"prompt":["a",98]})").requests[0].prompt.tokens, (std::vector<Token>{97, 98}));
  EXPECT_EQ(plan(R"({"prompt":"a","logprobs":2})").requests[0].n_top, 2);
  EXPECT_EQ(plan(R"({"prompt":"a"})").requests[0].n_top, -1);
  EXPECT_EQ(plan(R"({"prompt":"a","n_probs":3})", CompletionKind::native).requests[0].n_top, 3);
  EXPECT_TRUE(plan(R"({"prompt":"a"})").requests[0].messages.empty());
  for (const char* body : {R"({})", R"({"prompt":""})", R"({"prompt":5})", R"({"prompt":[]})",
                           R"({"prompt":[999]})", R"({"prompt":[true,1]})"}) {
    EXPECT_NE(refusal([&] { (void)plan(body); }), "") << body;
  }
  (void)refusal([&] { (void)plan(R"({"prompt":"a","echo":true})"); }, ErrorCode::unsupported);
}

TEST(Tokens, GoThereAndBack) {
  const Bytes bytes;
  EXPECT_EQ(dump(tokenize(parse_body(R"({"content":"ab"})"), bytes)), R"({"tokens":[97,98]})");
  EXPECT_EQ(dump(tokenize(parse_body(R"({"content":"é","with_pieces":true})"), bytes)),
            R"({"tokens":[{"id":195,"piece":[195]},{"id":169,"piece":[169]}]})");
  EXPECT_EQ(dump(detokenize(parse_body(R"({"tokens":[97,98]})"), bytes)), R"({"content":"ab"})");
  (void)refusal([&] { (void)detokenize(parse_body(R"({"tokens":[256]})"), bytes); });
  (void)refusal([&] { (void)detokenize(parse_body(R"({"tokens":["a"]})"), bytes); });
}

TEST(Access, KeysAndOrigins) {
  const Access open({}, "*");
  EXPECT_TRUE(open.allows("", ""));
  EXPECT_TRUE(open.allows_origin("http://a.example"));
  const Access closed({"one", "two"}, "localhost, https://b.example");
  EXPECT_FALSE(closed.allows("", ""));
  EXPECT_FALSE(closed.allows("Bearer on", ""));
  EXPECT_FALSE(closed.allows("Bearer onee", ""));
  EXPECT_FALSE(closed.allows("Bearer ", ""));
  EXPECT_TRUE(closed.allows("Bearer one", ""));
  EXPECT_TRUE(closed.allows("", "two"));
  EXPECT_TRUE(closed.allows_origin("http://localhost:3000"));
  EXPECT_TRUE(closed.allows_origin("https://b.example"));
  EXPECT_FALSE(closed.allows_origin("http://localhost.evil.example"));
  EXPECT_FALSE(closed.allows_origin("https://a.example"));
}

TEST(Metrics, HaveTheMemorysFigures) {
  const std::string text = metrics_text(FakeService().state());
  for (const char* line :
       {"\nzoomr_resident_tokens 100", "\nzoomr_kv_cells 2048",
        "# TYPE zoomr_zoom_ins_total counter", "\nzoomr_slot_resident_tokens{slot=\"1\"} 40",
        "\nllamacpp:tokens_predicted_total 7", "\nllamacpp:requests_processing 1"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

}  // namespace
}  // namespace zoomr
