// A server on a free port with a scripted service behind it; clients that behave, and a bare
// socket for those that do not.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fake_service.h"
#include "http/server.h"

namespace zoomr {

inline constexpr std::chrono::seconds kDeadline{10};  // of what should be quick

// Becomes true in time?
inline bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class RunningServer : public Fixture {
 public:
  explicit RunningServer(ServerOptions options = {}, bool is_ready = true)
      : prefix_(options.api_prefix), server_(for_tests(std::move(options))) {
    port_ = server_.bind();
    serving_ = std::async(std::launch::async, [this] { server_.serve(); });
    if (is_ready) ready();
  }
  ~RunningServer() { server_.stop(); }

  void ready() { server_.ready(context, service); }
  // Does serve() return soon?
  bool stops() {
    server_.stop();
    return ended();
  }
  bool ended() { return serving_.wait_for(kDeadline) == std::future_status::ready; }
  [[nodiscard]] int port() const { return port_; }

  [[nodiscard]] httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(kDeadline);
    return client;
  }
  httplib::Result get(const std::string& path, const httplib::Headers& headers = {}) const {
    return client().Get(prefix_ + path, headers);
  }
  httplib::Result post(const std::string& path, const std::string& body,
                       const httplib::Headers& headers = {}) const {
    return client().Post(prefix_ + path, headers, body, "application/json");
  }

  FakeService service;

 private:
  static ServerOptions for_tests(ServerOptions options) {
    options.port = 0;
    options.grace = std::chrono::seconds(1);
    return options;
  }

  std::string prefix_;
  HttpServer server_;
  int port_ = 0;
  std::future<void> serving_;
};

// A connection, byte by byte.
class RawClient {
 public:
  explicit RawClient(int port, const std::string& text = "", int receive_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_bytes > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    const timeval wait{.tv_sec = kDeadline.count(), .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    send(text);
  }
  RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  void send(const std::string& text) const {
    (void)!::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // What has come when `needle` has; or the other side has closed, or the time is over.
  std::string read_until(const std::string& needle) {
    std::string text;
    char buffer[4096];
    while (text.find(needle) == std::string::npos) {
      const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

 private:
  int socket_;
};

inline std::string raw_post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

inline void expect_error(const json& body, int status, const std::string& type) {
  ASSERT_TRUE(body.contains("error")) << body;
  EXPECT_EQ(body["error"]["code"], status) << body;
  EXPECT_EQ(body["error"]["type"], type) << body;
  const std::string message = body["error"]["message"];
  EXPECT_FALSE(message.empty());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

inline void expect_error(const httplib::Result& result, int status, const std::string& type) {
  ASSERT_TRUE(result) << to_string(result.error());
  EXPECT_EQ(result->status, status) << result->body;
  EXPECT_EQ(result->get_header_value("Content-Type"), "application/json; charset=utf-8");
  expect_error(json::parse(result->body, nullptr, false), status, type);
}

inline json body_of(const httplib::Result& result) {
  EXPECT_TRUE(result) << to_string(result.error());
  if (!result) return {};
  EXPECT_EQ(result->status, 200) << result->body;
  return json::parse(result->body, nullptr, false);
}

// The events' data of a whole stream, each "data: ...\n\n"; pings are left out.
inline std::vector<std::string> events_of(const std::string& text) {
  std::vector<std::string> events;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << text.substr(at);
    if (end == std::string::npos) break;
    const std::string event = text.substr(at, end - at);
    at = end + 2;
    if (event == ":") continue;
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    if (event.starts_with("data: ")) events.push_back(event.substr(6));
  }
  return events;
}

// {..., more}: a chat of one message.
inline std::string chat_body(const std::string& more = "") {
  return R"({"messages":[{"role":"user","content":"Hi"}])" + (more.empty() ? "" : "," + more) + "}";
}

}  // namespace zoomr
