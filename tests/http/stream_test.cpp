// Replies over a socket: whole and streamed, their errors, clients that go away.
#include "http_server_fixture.h"

namespace zoomr {
namespace {

constexpr const char* kChat = "/v1/chat/completions";
const std::string kStream = R"("stream":true)";

std::vector<json> json_events(const std::string& text) {
  std::vector<json> result;
  for (const std::string& event : events_of(text)) result.push_back(json::parse(event));
  return result;
}

// The chunks before [DONE].
std::vector<json> done_chunks(const httplib::Result& result) {
  EXPECT_EQ(result->get_header_value("Content-Type"), "text/event-stream");
  EXPECT_TRUE(result->body.ends_with("data: [DONE]\n\n")) << result->body;
  return json_events(result->body.substr(0, result->body.find("data: [DONE]")));
}

TEST(Reply, ChatWhole) {
  const RunningServer server;
  for (const char* path : {kChat, "/chat/completions"}) {
    const json reply = body_of(server.post(path, chat_body()));
    EXPECT_EQ(reply["object"], "chat.completion");
    EXPECT_EQ(reply["model"], "fake");
    EXPECT_EQ(reply["choices"][0]["message"]["content"], "Hello you");
    EXPECT_EQ(reply["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(reply["usage"]["total_tokens"], 12);
    EXPECT_EQ(reply["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    EXPECT_EQ(reply["zoomr"]["peak_resident_tokens"], 12);
  }
}

TEST(Reply, ChatStreamed) {
  const RunningServer server;
  for (const bool with_usage : {false, true}) {
    const std::string more =
        kStream + (with_usage ? R"(,"stream_options":{"include_usage":true})" : "");
    std::vector<json> chunks = done_chunks(server.post(kChat, chat_body(more)));
    ASSERT_GE(chunks.size(), 3U);
    EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    std::string content;
    for (const json& chunk : chunks) {
      EXPECT_EQ(chunk["object"], "chat.completion.chunk");
      EXPECT_EQ(chunk["id"], chunks[0]["id"]);
      EXPECT_EQ(chunk.contains("usage"), with_usage && &chunk == &chunks.back());
      if (chunk["choices"].empty()) continue;
      const json& delta = chunk["choices"][0]["delta"];
      if (delta.contains("content") && delta["content"].is_string()) {
        content += delta["content"].get<std::string>();
      }
    }
    EXPECT_EQ(content, "Hello you");
    if (with_usage) {
      EXPECT_TRUE(chunks.back()["choices"].empty());
      EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], 2);
      EXPECT_TRUE(chunks.back()["zoomr"].contains("peak_resident_tokens"));
      chunks.pop_back();
    }
    EXPECT_EQ(chunks.back()["choices"][0]["finish_reason"], "stop");
  }
}

TEST(Reply, CompletionStreamed) {
  const RunningServer server;
  const auto chunks = done_chunks(
      server.post("/v1/completions",
                  R"({"prompt":"a","stream":true,"stream_options":{"include_usage":true}})"));
  ASSERT_EQ(chunks.size(), 4U);
  EXPECT_EQ(chunks[0]["object"], "text_completion");
  EXPECT_EQ(chunks[0]["choices"][0]["text"], "Hello");
  EXPECT_EQ(chunks[1]["choices"][0]["text"], " you");
  EXPECT_EQ(chunks[2]["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(chunks[3]["usage"]["prompt_tokens"], 10);
}

TEST(Reply, NativeHasNoDone) {
  RunningServer server;
  server.service.script.stop_text = "###";
  for (const char* path : {"/completion", "/completions"}) {
    const json whole = body_of(server.post(path, R"({"prompt":"a","stop":["###"]})"));
    EXPECT_EQ(whole["content"], "Hello you");
    EXPECT_EQ(whole["stop_type"], "word");
    EXPECT_EQ(whole["stopping_word"], "###");
    const auto events = json_events(server.post(path, R"({"prompt":"a","stream":true})")->body);
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[0]["content"], "Hello");
    EXPECT_EQ(events[1]["stop"], false);
    EXPECT_EQ(events[2]["stop"], true);
  }
  EXPECT_EQ(server.service.last.prompt.text, "a");
}

TEST(Reply, ChoicesHaveTheirIndex) {
  const RunningServer server;
  for (const bool chat : {true, false}) {
    const auto post = [&](const std::string& more) {
      return chat ? server.post(kChat, chat_body(more))
                  : server.post("/v1/completions", R"({"prompt":"a",)" + more + "}");
    };
    const json whole = body_of(post(R"("n":2)"));
    ASSERT_EQ(whole["choices"].size(), 2U);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(whole["choices"][i]["index"], i);
    EXPECT_EQ(whole["usage"]["completion_tokens"], 4);
    EXPECT_EQ(whole["usage"]["prompt_tokens"], 10);
    std::vector<int> ends(2);
    for (const json& chunk : done_chunks(post(R"("n":2,)" + kStream))) {
      const json& choice = chunk["choices"][0];
      if (choice["finish_reason"] == "stop") ++ends.at(choice["index"].get<std::size_t>());
    }
    EXPECT_EQ(ends, (std::vector{1, 1}));
  }
}

TEST(Reply, LogprobsOfEachKind) {
  const RunningServer server;
  const json content = body_of(server.post(
      kChat,
      chat_body(R"("logprobs":true,"top_logprobs":2)")))["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 2U);
  EXPECT_EQ(content[1]["token"], " you");
  EXPECT_EQ(content[1]["bytes"], json({32, 121, 111, 117}));
  EXPECT_EQ(content[1]["logprob"], -0.5);
  EXPECT_EQ(content[1]["top_logprobs"].size(), 2U);

  const json native = body_of(
      server.post("/completion", R"({"prompt":"a","n_probs":3})"))["completion_probabilities"];
  ASSERT_EQ(native.size(), 2U);
  EXPECT_EQ(native[0]["top_logprobs"].size(), 3U);

  const json lists = body_of(
      server.post("/v1/completions", R"({"prompt":"a","logprobs":1})"))["choices"][0]["logprobs"];
  EXPECT_EQ(lists["tokens"], json({"Hello", " you"}));
  EXPECT_EQ(lists["text_offset"], json({0, 5}));
}

TEST(Stream, NothingComesBeforeTheFirstToken) {
  RunningServer server;
  server.service.script.silent_after = 0;
  RawClient client(server.port(), raw_post(kChat, chat_body(kStream)));
  ASSERT_TRUE(eventually([&] { return server.service.counts->submitted == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  server.service.drain(std::chrono::milliseconds(0));
  const std::string answer = client.read_until("[DONE]");
  const std::string first = answer.substr(answer.find("data: "));
  EXPECT_NE(first.substr(0, first.find("\n\n")).find("interrupted"), std::string::npos) << answer;
}

TEST(Stream, ASlowReplyIsPinged) {
  RunningServer server;
  server.context.ping_seconds = 1;
  for (const int parts : {0, 1}) {
    server.service.script.silent_after = parts;
    RawClient client(server.port(), raw_post(kChat, chat_body(kStream)));
    std::string text = client.read_until("3\r\n:\n\n\r\n");
    EXPECT_NE(text.find("\r\n:\n\n\r\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("Hello") != std::string::npos, parts == 1) << text;
  }
}

TEST(Failure, BeforeTheFirstTokenHasAStatus) {
  RunningServer server;
  server.service.script.refuse = "the queue is full";
  for (const char* stream : {"true", "false"}) {
    const std::string more = "\"stream\":" + std::string(stream);
    expect_error(server.post(kChat, chat_body(more)), 503, "unavailable_error");
    expect_error(server.post("/completion", R"({"prompt":"a",)" + more + "}"), 503,
                 "unavailable_error");
  }
  server.service.script = {.parts = {}, .finish_reason = "error", .failure = "no memory"};
  for (const char* stream : {"true", "false"}) {
    const auto answer = server.post(kChat, chat_body("\"stream\":" + std::string(stream)));
    expect_error(answer, 500, "server_error");
    EXPECT_NE(answer->body.find("no memory"), std::string::npos);
  }
}

TEST(Failure, LaterIsTheLastEvent) {
  RunningServer server;
  server.service.script.finish_reason = "error";
  server.service.script.failure = "no memory";
  expect_error(server.post(kChat, chat_body()), 500, "server_error");
  for (const char* path : {kChat, "/v1/completions", "/completion"}) {
    const std::string body = path == kChat ? chat_body(kStream) : R"({"prompt":"a","stream":true})";
    const auto answer = server.post(path, body);
    EXPECT_EQ(answer->status, 200);
    const auto events = json_events(answer->body);
    ASSERT_GE(events.size(), 2U);
    expect_error(events.back(), 500, "server_error");
    EXPECT_EQ(events.back()["error"]["message"], "no memory");
  }
}

TEST(Disconnect, CancelsTheReply) {
  for (const int parts : {0, 1}) {  // silent from the start, or later
    for (const char* stream : {"true", "false"}) {
      SCOPED_TRACE(stream);
      RunningServer server;
      server.service.script.silent_after = parts;
      RawClient client(server.port(),
                       raw_post(kChat, chat_body("\"n\":2,\"stream\":" + std::string(stream))));
      ASSERT_TRUE(eventually([&] {
        return server.service.counts->submitted == 2 && server.service.counts->parts == 2 * parts;
      }));
      EXPECT_EQ(server.service.counts->cancelled, 0);
      client.close();
      EXPECT_TRUE(eventually([&] { return server.service.counts->cancelled == 2; }));
    }
  }
}

TEST(Disconnect, CancelsAReplyThatFlows) {
  RunningServer server;
  server.service.script.pause = std::chrono::milliseconds(1);
  server.service.script.repeat = 1000000;
  for (const char* stream : {"true", "false"}) {
    const int before = server.service.counts->cancelled;
    RawClient client(server.port(), raw_post("/completion", R"({"prompt":"a","stream":)" +
                                                                std::string(stream) + "}"));
    ASSERT_TRUE(eventually([&, parts = server.service.counts->parts + 10] {
      return server.service.counts->parts >= parts;
    }));
    client.close();
    EXPECT_TRUE(eventually([&] { return server.service.counts->cancelled == before + 1; }));
  }
}

TEST(Disconnect, CostsNoMoreThanTheTokenInHand) {
  RunningServer server;
  server.service.script.pause = std::chrono::milliseconds(100);
  server.service.script.repeat = 1000000;
  for (const char* stream : {"true", "false"}) {
    SCOPED_TRACE(stream);
    const int before = server.service.counts->cancelled;
    const int parts = server.service.counts->parts;
    RawClient client(server.port(), raw_post("/completion", R"({"prompt":"a","stream":)" +
                                                                std::string(stream) + "}"));
    ASSERT_TRUE(eventually([&] { return server.service.counts->parts >= parts + 2; }));
    client.close();
    const int at_close = server.service.counts->parts;
    EXPECT_TRUE(eventually([&] { return server.service.counts->cancelled == before + 1; }));
    EXPECT_LE(server.service.counts->parts, at_close + 1);
  }
}

TEST(Events, AreRecordsUntilTheServiceCloses) {
  RunningServer server;
  auto answer = std::async(std::launch::async, [&] { return server.get("/v1/zoomr/events"); });
  RawClient other(server.port(), "GET /v1/zoomr/events HTTP/1.1\r\n\r\n");
  EXPECT_NE(other.read_until("\"session\":1}\n\n").find("text/event-stream"), std::string::npos);
  server.service.drain(std::chrono::milliseconds(0));
  const httplib::Result result = answer.get();
  ASSERT_TRUE(result) << to_string(result.error());  // a whole body: the stream was ended
  const auto events = json_events(result->body);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1], json({{"t", "decode"}, {"session", 1}}));
}

}  // namespace
}  // namespace zoomr
