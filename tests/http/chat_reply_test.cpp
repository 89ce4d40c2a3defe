// Replies of several template families: thinking, answer and tool calls apart, whole and in chunks;
// and the text behind an earlier message.
#include <gtest/gtest.h>

#include <regex>

#include "fake_service.h"
#include "http/chat_messages.h"
#include "http/chat_request.h"

namespace zoomr {
namespace {

const std::string kTools =
    R"("tools":[{"type":"function","function":{"name":"weather","description":"of a place",)"
    R"("parameters":{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}}}])";

// Blanks at the edges of thinking and answer are llama.cpp's to judge, template by template.
std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_last_not_of(" \n") - begin + 1);
}

struct Streamed {
  std::string reasoning, content, call_name, call_arguments, call_id, finish;
  json last;
  int n_roles = 0;
};

ReplyEnd stopped(int n) {
  ReplyEnd end;
  end.run.finish_reason = "stop";
  end.run.n_generated = n;
  end.run.n_prompt = 5;
  return end;
}

// The reply `text`, in pieces of `size` bytes.
Streamed stream(const Fixture& f, const std::string& body, const std::string& text,
                std::size_t size) {
  ReplyPlan plan = plan_chat(parse_body(body), f.context);
  Streamed s;
  const auto take = [&](const std::vector<json>& chunks) {
    for (const json& chunk : chunks) {
      EXPECT_EQ(chunk["object"], "chat.completion.chunk");
      s.last = chunk;
      if (chunk["choices"].empty()) continue;
      const json& choice = chunk["choices"][0];
      const json& delta = choice["delta"];
      if (delta.contains("role")) ++s.n_roles;
      s.reasoning += delta.value("reasoning_content", "");
      if (delta.contains("content") && delta["content"].is_string()) {
        s.content += delta["content"].get<std::string>();
      }
      if (delta.contains("tool_calls")) {
        const json& call = delta["tool_calls"][0];
        s.call_id += call.value("id", "");
        if (call.contains("function")) {
          s.call_name += call["function"].value("name", "");
          s.call_arguments += call["function"].value("arguments", "");
        }
      }
      if (!choice["finish_reason"].is_null()) s.finish = choice["finish_reason"];
    }
  };
  for (std::size_t at = 0; at < text.size(); at += size) {
    take(plan.format->part(0, {.text = text.substr(at, size)}));
  }
  take(plan.format->ended(0, stopped(3)));
  take(plan.format->closing());
  return s;
}

std::string asking(const std::string& more = "") {
  return R"({"stream":true,"messages":[{"role":"user","content":"Hi"}])" +
         (more.empty() ? "" : "," + more) + "}";
}

TEST(ChatReply, PlainTextIsTheContent) {
  const Fixture f;
  for (const std::size_t size : {1, 3, 100}) {
    const Streamed s = stream(f, asking(), "Hello, you <b>", size);
    EXPECT_EQ(s.content, "Hello, you <b>");
    EXPECT_EQ(s.reasoning, "");
    EXPECT_EQ(s.finish, "stop");
    EXPECT_EQ(s.n_roles, 1);
    EXPECT_TRUE(s.last.contains("zoomr"));
    EXPECT_TRUE(s.last.contains("timings"));
  }
}

TEST(ChatReply, ThinkingIsApart) {
  const Fixture f(kThinkTemplate);
  for (const std::size_t size : {1, 7, 100}) {
    const Streamed s = stream(f, asking(), "<think>\nOne. Two.\n</think>\n\nThree.", size);
    EXPECT_EQ(trimmed(s.reasoning), "One. Two.") << size;
    EXPECT_EQ(trimmed(s.content), "Three.") << size;
  }
  const Streamed raw =
      stream(f, asking(R"("reasoning_format":"none")"), "<think>\nOne.\n</think>\n\nThree.", 5);
  EXPECT_NE(raw.content.find("<think>"), std::string::npos);
}

TEST(ChatReply, ThinkingThatTheTemplateOpensIsApart) {
  // As DeepSeek-R1's: the prompt ends inside the thinking.
  const Fixture f(
      "{% for message in messages %}{% if message.role == 'assistant' %}{{ '<|A|>' + "
      "message.content.split('</think>')[-1] + '<|end|>' }}{% else %}{{ '<|U|>' + message.content "
      "}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|A|><think>\n' }}{% endif %}");
  const Streamed s = stream(f, asking(), "One.\n</think>\n\nTwo.", 4);
  EXPECT_EQ(trimmed(s.reasoning), "One.");
  EXPECT_EQ(trimmed(s.content), "Two.");
}

TEST(ChatReply, ThinkingCanBeTurnedOff) {
  const Fixture f(kThinkTemplate);
  const ReplyPlan plan = plan_chat(
      parse_body(asking(R"("chat_template_kwargs":{"enable_thinking":false})")), f.context);
  EXPECT_TRUE(plan.requests[0].prompt.text.ends_with("<think>\n\n</think>\n\n"));
}

TEST(ChatReply, ToolCallsAreApart) {
  const Fixture f(kThinkTemplate);
  const std::string text =
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Rome\"}}\n</tool_call>";
  for (const std::size_t size : {1, 9, 200}) {
    const Streamed s = stream(f, asking(kTools), text, size);
    EXPECT_EQ(s.call_name, "weather") << size;
    EXPECT_EQ(json::parse(s.call_arguments)["place"], "Rome") << size;
    EXPECT_FALSE(s.call_id.empty());
    EXPECT_EQ(s.finish, "tool_calls");
    EXPECT_EQ(s.content, "");
  }
  ReplyPlan whole = plan_chat(
      parse_body(R"({"messages":[{"role":"user","content":"Hi"}],)" + kTools + "}"), f.context);
  (void)whole.format->part(0, {.text = text});
  (void)whole.format->ended(0, stopped(3));
  const json reply = whole.format->whole();
  const json& message = reply["choices"][0]["message"];
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "weather");
  EXPECT_EQ(message["tool_calls"][0]["type"], "function");
  EXPECT_EQ(reply["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_NE(whole.requests[0].as_message(text).find("\"weather\""), std::string::npos);
}

TEST(ChatReply, ToolsHaveAGrammar) {
  const Fixture f(kThinkTemplate);
  const SamplingOptions lazy =
      plan_chat(parse_body(asking(kTools)), f.context).requests[0].sampling;
  EXPECT_FALSE(lazy.grammar.empty());
  EXPECT_FALSE(lazy.grammar_trigger_words.empty() && lazy.grammar_trigger_patterns.empty());
  const SamplingOptions required =
      plan_chat(parse_body(asking(kTools + R"(,"tool_choice":"required")")), f.context)
          .requests[0]
          .sampling;
  EXPECT_TRUE(required.grammar_trigger_words.empty() && required.grammar_trigger_patterns.empty());
  EXPECT_FALSE(required.grammar.empty());
  // Only thoughts may stand before a required call.
  const std::regex text_before(R"(until-\d+\? tool-call)");
  EXPECT_FALSE(std::regex_search(required.grammar, text_before)) << required.grammar;
}

TEST(ChatReply, LogprobsUsageAndChoices) {
  const Fixture f;
  ReplyPlan plan = plan_chat(parse_body(R"({"messages":[{"role":"user","content":"Hi"}],"n":2,)"
                                        R"("logprobs":true,"top_logprobs":1})"),
                             f.context);
  const ReplyPart part{"A", {{{65, "A", -0.5F}, {{65, "A", -0.5F}}}}};
  for (const std::size_t i : {0, 1}) {
    (void)plan.format->part(i, part);
    (void)plan.format->ended(i, stopped(1));
  }
  const json reply = plan.format->whole();
  EXPECT_EQ(reply["object"], "chat.completion");
  ASSERT_EQ(reply["choices"].size(), 2U);
  EXPECT_EQ(reply["choices"][1]["index"], 1);
  const json& token = reply["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(token["token"], "A");
  EXPECT_EQ(token["bytes"], json::array({65}));
  EXPECT_EQ(token["top_logprobs"][0]["id"], 65);
  EXPECT_EQ(reply["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(reply["usage"]["completion_tokens"], 2);
  EXPECT_EQ(reply["usage"]["total_tokens"], 7);
  EXPECT_TRUE(reply["choices"][0].contains("zoomr"));
}

const std::string kTurns =
    R"("messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},)"
    R"({"role":"assistant","content":"Hello","reasoning_content":"Greet."},)"
    R"({"role":"user","content":"Bye"}])";

TEST(Continuation, IsWhatFollowsTheMessage) {
  for (const char* text : {kPlainTemplate, kThinkTemplate}) {
    const Fixture f(text);
    const ServeRequest r =
        std::move(plan_chat(parse_body("{" + kTurns + "}"), f.context).requests[0]);
    ASSERT_EQ(r.messages.size(), 4U);
    EXPECT_EQ(r.messages[2], R"({"role":"assistant","content":"Hello"})");
    const std::optional<Prompt> rest = r.continuation(3);
    ASSERT_TRUE(rest.has_value());
    EXPECT_EQ(rest->text, "<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_FALSE(rest->add_special);
    EXPECT_FALSE(r.continuation(2).has_value());  // no assistant's
    EXPECT_FALSE(r.continuation(9).has_value());
  }
}

TEST(Continuation, BehindToolCallsToo) {
  const Fixture f(kThinkTemplate);
  const std::string body =
      R"({"messages":[{"role":"user","content":"Rome?"},{"role":"assistant","content":null,)"
      R"("tool_calls":[{"id":"c1","type":"function","function":{"name":"weather",)"
      R"("arguments":"{\"place\":\"Rome\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"Sun"}],)" +
      kTools + "}";
  const ServeRequest r = std::move(plan_chat(parse_body(body), f.context).requests[0]);
  const std::optional<Prompt> rest = r.continuation(2);
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(rest->text,
            "<|im_end|>\n<|im_start|>user\n<tool_response>\nSun\n</tool_response><|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(Continuation, NothingWhereTheTemplateHidesTheMessage) {
  const Fixture f(
      "{% for message in messages %}{% if message.role == 'user' %}{{ '<u>' + message.content "
      "}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<a>' }}{% endif %}");
  const ServeRequest r =
      std::move(plan_chat(parse_body("{" + kTurns + "}"), f.context).requests[0]);
  EXPECT_FALSE(r.continuation(3).has_value());
}

TEST(Canonical, TellsToolsAndVariablesApart) {
  const Fixture f(kThinkTemplate);
  const auto first = [&](const std::string& more) {
    return plan_chat(parse_body(asking(more)), f.context).requests[0].messages[0];
  };
  EXPECT_NE(first(""), first(kTools));
  EXPECT_NE(first(""), first(R"("chat_template_kwargs":{"a":1})"));
  EXPECT_EQ(first(""), first(R"("temperature":0)"));
}

}  // namespace
}  // namespace zoomr
