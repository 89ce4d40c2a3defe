// What a server meets that is not a well-formed request at a time; and what it tells of itself.
#include <map>
#include <set>
#include <sstream>

#include "http_server_fixture.h"

namespace zoomr {
namespace {

constexpr const char* kChat = "/v1/chat/completions";

TEST(BadRequest, IsToldInJson) {
  const RunningServer server;
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("\"x\""),
        std::string("{\"prompt\":\"\xC3\"}"), R"({"prompt":)" + deep + "}",
        std::string(R"({"messages":"Hi","prompt":5,"content":5,"tokens":"x"})")}) {
    SCOPED_TRACE(body.substr(0, 50));
    for (const char* path :
         {kChat, "/v1/completions", "/completion", "/tokenize", "/detokenize", "/apply-template"}) {
      expect_error(server.post(path, body), 400, "invalid_request_error");
    }
  }
  for (const char* more : {R"("temperature":-1)", R"("top_k":1e99)", R"("n":100000)",
                           R"("max_tokens":"x")", R"("stream":1)", R"("seed":1.5)"}) {
    expect_error(server.post(kChat, chat_body(more)), 400, "invalid_request_error");
  }
  expect_error(server.post("/completion", R"({"prompt":")" + std::string(2000, 'x') + "\"}"), 400,
               "exceed_context_size_error");
  EXPECT_EQ(server.service.counts->submitted, 0);
  EXPECT_EQ(server.get("/health")->status, 200);
}

TEST(BadRequest, PathsAndMethods) {
  const RunningServer server;
  expect_error(server.get("/nothing"), 404, "not_found_error");
  expect_error(server.post("/nothing", "{}"), 404, "not_found_error");
  expect_error(server.get(kChat), 404, "not_found_error");
  expect_error(server.post("/health", "{}"), 404, "not_found_error");
  expect_error(server.client().Delete(kChat), 404, "not_found_error");
  for (const char* path : {"/v1/embeddings", "/v1/rerank", "/infill", "/v1/responses",
                           "/v1/messages", "/v1/images/generations"}) {
    expect_error(server.post(path, "{}"), 501, "not_supported_error");
  }
  expect_error(server.post("/v1/completions", R"({"prompt":"a","echo":true})"), 501,
               "not_supported_error");
}

TEST(BadRequest, TooLarge) {
  const RunningServer server;
  const std::string large(8UL << 20, ' ');
  expect_error(server.post("/tokenize", large + "{}"), 413, "invalid_request_error");
  EXPECT_EQ(server.post("/tokenize", large.substr(2) + "{}")->status, 200);
  expect_error(server.get("/health", {{"X-Long", std::string(20000, 'x')}}), 400,
               "invalid_request_error");
  (void)server.get("/" + std::string(40000, 'x'));  // the library hangs up
  EXPECT_EQ(server.get("/health")->status, 200);
}

TEST(BadRequest, TooLargeInChunks) {
  const RunningServer server({.max_body_bytes = 1000});
  RawClient client(server.port(), "POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 3; ++i) client.send("200\r\n" + std::string(512, ' ') + "\r\n");
  client.send("0\r\n\r\n");
  EXPECT_TRUE(client.read_until("}}").starts_with("HTTP/1.1 413 "));
}

TEST(BadRequest, Bytes) {
  const RunningServer server;
  for (const std::string& text :
       std::vector<std::string>{"\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                "\x16\x03\x01\x02\x01\r\n", "GET /health HTTP/1.1\r\nbad\r\n\r\n",
                                "POST /tokenize HTTP/1.1\r\nContent-Length: -5\r\n\r\n{}"}) {
    const std::string answer = RawClient(server.port(), text).read_until("}}");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << text << answer;
    const std::size_t body = answer.find("\r\n\r\n");
    ASSERT_NE(body, std::string::npos);
    expect_error(json::parse(answer.substr(body), nullptr, false), 400, "invalid_request_error");
  }
  for (int i = 0; i < 20; ++i) {  // halves of requests
    (void)RawClient(server.port(), "POST /tokenize HTTP/1.1\r\nContent-Length: 100\r\n\r\n{");
    (void)RawClient(server.port(), "POST /tokenize HT");
  }
  EXPECT_EQ(server.get("/health")->status, 200);
}

TEST(Connections, ManyAtOnceAreAllServed) {
  RunningServer server;
  server.service.script.silent_after = 0;
  std::vector<RawClient> clients;
  for (int i = 1; i <= 60; ++i) {
    clients.emplace_back(server.port(), raw_post("/completion", R"({"prompt":"a"})"));
  }
  EXPECT_TRUE(eventually([&] { return server.service.counts->submitted == 60; }))
      << server.service.counts->submitted;
}

TEST(Connections, TakeSeveralRequests) {
  const RunningServer server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(raw_post("/tokenize", R"({"content":"Hi"})"));
    EXPECT_NE(client.read_until("105]}").find("[72,105]"), std::string::npos);
  }
}

TEST(Connections, WhatIsBeyondTheMostWaits) {
  RunningServer server({.max_connections = 2});
  server.service.script.silent_after = 0;
  const std::string request = raw_post("/completion", R"({"prompt":"a"})");
  RawClient first(server.port(), request);
  const RawClient second(server.port(), request);
  ASSERT_TRUE(eventually([&] { return server.service.counts->submitted == 2; }));
  const RawClient third(server.port(), request);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(server.service.counts->submitted, 2);
  first.close();
  EXPECT_TRUE(eventually([&] { return server.service.counts->submitted == 3; }));
}

TEST(Connections, ReadersThatDoNotReadHoldUpNobody) {
  RunningServer server;
  server.service.script.parts = {std::string(1 << 16, 'x')};
  server.service.script.repeat = 1000;
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server.port(), raw_post("/completion", R"({"prompt":"a","stream":true})"),
                         4096);
  }
  ASSERT_TRUE(eventually([&] { return server.service.counts->submitted == 20; }));
  httplib::Client client = server.client();
  client.set_read_timeout(std::chrono::seconds(1));
  for (int i = 0; i < 5; ++i) {
    const auto health = client.Get("/health");
    ASSERT_TRUE(health) << to_string(health.error());
    EXPECT_EQ(health->status, 200);
  }
  EXPECT_EQ(server.service.counts->cancelled, 0);
  EXPECT_LT(server.service.counts->parts, 20 * 1000);  // they do hold up their own replies
}

TEST(State, SlotsCanBeTurnedOff) {
  RunningServer server;
  const json slots = body_of(server.get("/slots"));
  ASSERT_EQ(slots.size(), 2U);
  EXPECT_EQ(slots[0]["is_processing"], true);
  EXPECT_EQ(slots[1]["state"], "kept");
  EXPECT_EQ(server.get("/slots?fail_on_no_slot=1")->status, 200);
  server.service.second_slot = SlotState::Use::reading;
  EXPECT_EQ(server.get("/slots")->status, 200);
  expect_error(server.get("/slots?fail_on_no_slot=1"), 503, "unavailable_error");
  const RunningServer off({.slots = false});
  expect_error(off.get("/slots"), 501, "not_supported_error");
}

TEST(State, MetricsArePrometheusText) {
  const RunningServer server;
  const auto answer = server.get("/metrics");
  EXPECT_TRUE(answer->get_header_value("Content-Type").starts_with("text/plain; version=0.0.4"));
  std::set<std::string> helped;
  std::map<std::string, std::string> types;
  std::set<std::string> samples;
  std::istringstream lines(answer->body);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark, what, name, rest;
    if (line.starts_with("# ")) {
      words >> mark >> what >> name >> rest;
      EXPECT_FALSE(rest.empty()) << line;
      const bool is_new =
          what == "HELP" ? helped.insert(name).second : types.emplace(name, rest).second;
      EXPECT_TRUE(is_new) << line;
      continue;
    }
    words >> name >> rest;
    EXPECT_TRUE(samples.insert(name).second) << line;
    name = name.substr(0, name.find('{'));
    EXPECT_TRUE(helped.contains(name)) << line;
    EXPECT_TRUE(types.contains(name)) << line;
    EXPECT_EQ(types[name] == "counter", name.ends_with("_total")) << line;
    EXPECT_NO_THROW((void)std::stod(rest)) << line;
  }
  EXPECT_TRUE(samples.contains("zoomr_slot_resident_tokens{slot=\"1\"}"));
  EXPECT_NE(answer->body.find("\nzoomr_generated_tokens_total 7"), std::string::npos);
  const RunningServer off({.metrics = false});
  expect_error(off.get("/metrics"), 501, "not_supported_error");
}

TEST(State, PropertiesAndModels) {
  const RunningServer server;
  const json props = body_of(server.get("/props"));
  EXPECT_EQ(props["default_generation_settings"]["n_ctx"], 1000);
  EXPECT_EQ(props["total_slots"], 2);
  EXPECT_EQ(props["chat_template"], kPlainTemplate);
  EXPECT_EQ(props["zoomr"]["kv_total"], 2048);
  for (const char* path : {"/v1/models", "/models"}) {
    const json models = body_of(server.get(path));
    EXPECT_EQ(models["object"], "list");
    ASSERT_EQ(models["data"].size(), 1U);
    EXPECT_EQ(models["data"][0]["id"], "fake");
  }
}

TEST(State, TextsAndTokens) {
  const RunningServer server;
  EXPECT_EQ(body_of(server.post("/tokenize", R"({"content":"Hi"})"))["tokens"], json({72, 105}));
  EXPECT_EQ(body_of(server.post("/detokenize", R"({"tokens":[72,105]})"))["content"], "Hi");
  EXPECT_EQ(body_of(server.post("/apply-template", chat_body()))["prompt"],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

}  // namespace
}  // namespace zoomr
