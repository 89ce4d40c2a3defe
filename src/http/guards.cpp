#include <exception>

#include "http/errors.h"
#include "http/reply_route.h"
#include "http/routes.h"

namespace zoomr {

namespace {

using httplib::Request;
using httplib::Response;

bool is_public(const std::string& path, const std::string& prefix) {
  return path == prefix + "/" || path == prefix + "/health" || path == prefix + "/v1/health";
}

void set_origin(const Request& request, const Access& access, Response& response) {
  const std::string origin = request.get_header_value("Origin");
  if (origin.empty() || !access.allows_origin(origin)) return;
  response.set_header("Access-Control-Allow-Origin", origin);
  response.set_header("Access-Control-Allow-Credentials", "true");
  response.set_header("Vary", "Origin");
}

// A browser asks before it sends a request with headers of its own.
void answer_preflight(const Request& request, Response& response) {
  response.set_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  const std::string headers = request.get_header_value("Access-Control-Request-Headers");
  response.set_header("Access-Control-Allow-Headers",
                      headers.empty() ? "Authorization, Content-Type, X-Api-Key" : headers);
  response.status = 204;
}

std::string reason_of(int status) {
  switch (status) {
    case 404:
      return "there is no such path";
    case 413:
      return "the body is too large";
    case 414:
      return "the path is too long";
    case 431:
      return "the headers are too large";
    default:
      return "the request cannot be read";
  }
}

}  // namespace

void add_guards(httplib::Server& server, const ServerOptions& options, const Access& access,
                const Backend& backend) {
  using Handled = httplib::Server::HandlerResponse;
  server.set_pre_routing_handler(
      [&options, &access, &backend](const Request& request, Response& response) {
        set_origin(request, access, response);
        if (request.method == "OPTIONS") {
          answer_preflight(request, response);
          return Handled::Handled;
        }
        if (!is_public(request.path, options.api_prefix) &&
            !access.allows(request.get_header_value("Authorization"),
                           request.get_header_value("X-Api-Key"))) {
          send(response, http_error(401, "Invalid API Key"));
          return Handled::Handled;
        }
        if (backend.service.load() == nullptr && request.path != options.api_prefix + "/") {
          send(response, http_error(503, "Loading model"));
          return Handled::Handled;
        }
        return Handled::Unhandled;
      });
  // What the library refuses itself has no body yet.
  server.set_error_handler([](const Request&, Response& response) {
    if (response.body.empty())
      send(response, http_error(response.status, reason_of(response.status)));
  });
  server.set_exception_handler([](const Request&, Response& response, std::exception_ptr error) {
    try {
      std::rethrow_exception(std::move(error));
    } catch (const Error& e) {
      send(response, as_http(e));
    } catch (const std::exception& e) {
      send(response, http_error(500, e.what()));
    }
  });
}

}  // namespace zoomr
