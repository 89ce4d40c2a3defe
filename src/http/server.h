// The HTTP server: routes, keys, limits, streams. It can listen before there is a model: until
// ready() every endpoint but the page answers 503.
//
// Each connection has a thread of its own, so a reader that is slow holds up nobody else.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "http/context.h"
#include "serve/service.h"

namespace zoomr {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;  // 0: any free one
  std::vector<std::string> api_keys;
  std::string api_prefix;          // before every path, "/llm"
  std::string cors_origins = "*";  // as Access reads it
  int timeout_seconds = 600;       // for a client that neither reads nor writes
  bool slots = true;
  bool metrics = true;
  std::size_t max_body_bytes = 8UL << 20;
  std::size_t max_connections = 512;
  std::chrono::milliseconds grace{4000};  // after stop(): for clients to read what is theirs
};

class HttpServer {
 public:
  explicit HttpServer(ServerOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port. Throws Error(unavailable) when it is taken, or the address is not this machine's.
  int bind();
  // Serves until stop(), and at most the grace beyond it.
  void serve();
  // From now on requests are answered. Both outlive serve().
  void ready(const ServerContext& context, Service& service);
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zoomr
