// The server as a whole: its port, its start and end, who may ask.
#include <memory>

#include "http_server_fixture.h"

namespace zoomr {
namespace {

std::string bind_error(ServerOptions options) {
  HttpServer server(std::move(options));
  try {
    (void)server.bind();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::unavailable);
    return e.what();
  }
  return "";
}

TEST(Port, IsOneServersAlone) {
  const RunningServer first;
  const std::string line = bind_error({.port = first.port()});
  EXPECT_NE(line.find("127.0.0.1:" + std::to_string(first.port())), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  EXPECT_NE(bind_error({.host = "192.0.2.1", .port = 0}), "");  // an address that is not ours
}

TEST(Port, IsFreeAgain) {
  int port = 0;
  {
    HttpServer never_served({.port = 0});
    port = never_served.bind();
  }
  EXPECT_EQ(bind_error({.port = port}), "");
  RunningServer served;
  EXPECT_EQ(served.get("/health")->status, 200);
  ASSERT_TRUE(served.stops());
  EXPECT_EQ(bind_error({.port = served.port()}), "");
}

TEST(Health, FollowsTheServer) {
  RunningServer server({.api_keys = {"secret"}}, false);
  for (const char* path : {"/health", "/v1/health"}) {
    expect_error(server.get(path), 503, "unavailable_error");
  }
  expect_error(server.post("/v1/chat/completions", chat_body(), {{"X-Api-Key", "secret"}}), 503,
               "unavailable_error");
  EXPECT_EQ(server.get("/")->status, 200);
  server.ready();
  for (const char* path : {"/health", "/v1/health"}) {
    EXPECT_EQ(body_of(server.get(path)), json({{"status", "ok"}}));
  }
  server.service.drain(std::chrono::milliseconds(0));
  for (const char* path : {"/health", "/v1/health"}) {
    expect_error(server.get(path), 503, "unavailable_error");
  }
}

TEST(Keys, EveryOtherPathNeedsOne) {
  const RunningServer server({.api_keys = {"first", "second"}});
  for (const char* path : {"/slots", "/metrics", "/props", "/v1/models", "/v1/zoomr/events", "/x",
                           "//health", "/health/", "/v1/chat/completions"}) {
    SCOPED_TRACE(path);
    expect_error(server.get(path), 401, "authentication_error");
    expect_error(server.post(path, chat_body()), 401, "authentication_error");
    expect_error(server.get(path, {{"Authorization", "Bearer wrong"}}), 401,
                 "authentication_error");
  }
  EXPECT_EQ(server.service.counts->submitted, 0);
  for (const httplib::Headers& headers :
       {httplib::Headers{{"Authorization", "Bearer first"}}, {{"X-Api-Key", "second"}}}) {
    EXPECT_EQ(server.get("/v1/models", headers)->status, 200);
    EXPECT_EQ(server.post("/v1/chat/completions", chat_body(), headers)->status, 200);
  }
  for (const char* path : {"/", "/health", "/v1/health"}) {
    EXPECT_EQ(server.get(path)->status, 200) << path;
  }
}

TEST(Prefix, StandsBeforeEveryPath) {
  const RunningServer server({.api_keys = {"key"}, .api_prefix = "/llm"});
  for (const char* path : {"/llm/", "/llm/health", "/llm/v1/health"}) {
    EXPECT_EQ(server.client().Get(path)->status, 200) << path;
  }
  expect_error(server.client().Get("/health"), 401, "authentication_error");
  expect_error(server.client().Get("/health", httplib::Headers{{"X-Api-Key", "key"}}), 404,
               "not_found_error");
  EXPECT_EQ(server.get("/v1/models", {{"X-Api-Key", "key"}})->status, 200);
}

TEST(Origins, AreEchoedWhereAllowed) {
  const RunningServer server({.api_keys = {"key"}, .cors_origins = "localhost,https://a.example"});
  const httplib::Headers allowed = {{"Origin", "https://a.example"}};
  for (const char* path : {"/health", "/v1/models"}) {  // a page may read errors too
    const auto answer = server.get(path, allowed);
    EXPECT_EQ(answer->get_header_value("Access-Control-Allow-Origin"), "https://a.example");
    EXPECT_EQ(answer->get_header_value("Vary"), "Origin");
  }
  const auto other = server.get("/health", {{"Origin", "https://b.example"}});
  EXPECT_EQ(other->status, 200);
  EXPECT_FALSE(other->has_header("Access-Control-Allow-Origin"));
  EXPECT_FALSE(server.get("/health")->has_header("Access-Control-Allow-Origin"));

  const auto asked = server.client().Options(
      "/v1/chat/completions",
      {{"Origin", "http://localhost:3000"}, {"Access-Control-Request-Headers", "x-own"}});
  EXPECT_EQ(asked->status, 204);
  EXPECT_EQ(asked->get_header_value("Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_EQ(asked->get_header_value("Access-Control-Allow-Headers"), "x-own");
  EXPECT_NE(asked->get_header_value("Access-Control-Allow-Methods").find("POST"),
            std::string::npos);
}

TEST(Stop, EndsWhatWillNotEnd) {
  RunningServer server;
  server.service.script.silent_after = 0;
  server.service.script.repeat = 1000;
  server.service.script.parts = {std::string(1 << 16, 'x')};
  std::vector<RawClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(server.port(), raw_post("/completion", R"({"prompt":"a"})"));
    clients.emplace_back(server.port(), raw_post("/completion", R"({"prompt":"a","stream":true})"));
    clients.emplace_back(server.port(), "GET /v1/zoomr/events HTTP/1.1\r\n\r\n");
    clients.emplace_back(server.port(), "GET /health HT");  // and no more
    clients.emplace_back(server.port());
  }
  ASSERT_TRUE(eventually([&] { return server.service.counts->submitted == 20; }));
  server.service.script.silent_after = -1;
  for (int i = 0; i < 10; ++i) {  // these read nothing
    clients.emplace_back(server.port(), raw_post("/completion", R"({"prompt":"a","stream":true})"),
                         4096);
  }
  ASSERT_TRUE(eventually([&] { return server.service.counts->submitted == 30; }));
  EXPECT_TRUE(server.stops());
  EXPECT_EQ(server.service.counts->cancelled, 30);
}

TEST(Stop, BeforeServeIsNotLost) {
  HttpServer server({.port = 0});
  (void)server.bind();
  server.stop();
  server.serve();  // returns
}

// A server that drains tells its readers how their replies ended, those too that had not begun.
TEST(Stop, RepliesThatTheServiceHasEndedArrive) {
  for (const char* stream : {"true", "false"}) {
    for (const int n_parts : {0, 1}) {
      RunningServer server;
      server.service.script.silent_after = n_parts;
      RawClient client(server.port(), raw_post("/v1/chat/completions",
                                               chat_body("\"stream\":" + std::string(stream))));
      ASSERT_TRUE(eventually([&] {
        return server.service.counts->submitted == 1 && server.service.counts->parts == n_parts;
      }));
      server.service.drain(std::chrono::milliseconds(0));
      EXPECT_TRUE(server.stops());
      const std::string answer = client.read_until("interrupted");
      EXPECT_NE(answer.find(R"("finish_reason":"interrupted")"), std::string::npos) << answer;
    }
  }
}

}  // namespace
}  // namespace zoomr
