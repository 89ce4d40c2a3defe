#include "http/server.h"

#include <httplib.h>

#include <atomic>
#include <utility>

#include "http/access.h"
#include "http/connections.h"
#include "http/routes.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// How long streams may take to begin when the server ends. Their replies have ended by then, or
// nobody waits for them: what is left is the way of a few hundred bytes to a socket.
constexpr std::chrono::milliseconds kStarts{500};

void set_limits(httplib::Server& server, const ServerOptions& options) {
  server.set_payload_max_length(options.max_body_bytes);
  server.set_read_timeout(options.timeout_seconds);
  server.set_write_timeout(options.timeout_seconds);
  server.set_tcp_nodelay(true);
  // SO_REUSEADDR alone: httplib's own choice, SO_REUSEPORT, would let two servers share a port.
  server.set_socket_options(
      [](socket_t socket) { httplib::set_socket_opt(socket, SOL_SOCKET, SO_REUSEADDR, 1); });
}

}  // namespace

struct HttpServer::Impl {
  explicit Impl(ServerOptions o)
      : options(std::move(o)), access(options.api_keys, options.cors_origins) {}

  ServerOptions options;
  Access access;
  httplib::Server server;
  Backend backend;
};

HttpServer::HttpServer(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  set_limits(impl_->server, impl_->options);
  add_guards(impl_->server, impl_->options, impl_->access, impl_->backend);
  add_routes(impl_->server, impl_->options, impl_->backend);
}

HttpServer::~HttpServer() { stop(); }  // a port that was bound and never served

int HttpServer::bind() {
  const ServerOptions& o = impl_->options;
  const int port = o.port == 0 ? impl_->server.bind_to_any_port(o.host)
                   : impl_->server.bind_to_port(o.host, o.port) ? o.port
                                                                : -1;
  if (port < 0) {
    throw Error(ErrorCode::unavailable, "cannot listen on " + o.host + ":" +
                                            std::to_string(o.port) +
                                            ": the port is taken, or the address is not ours");
  }
  impl_->server.new_task_queue = [&o, port] {
    return new Connections(o.max_connections, port, o.grace);
  };
  return port;
}

void HttpServer::serve() { impl_->server.listen_after_bind(); }

void HttpServer::ready(const ServerContext& context, Service& service) {
  impl_->backend.context = &context;
  impl_->backend.service.store(&service);
}

void HttpServer::stop() {
  impl_->backend.starts.wait(kStarts);
  impl_->server.stop();
}

}  // namespace zoomr
