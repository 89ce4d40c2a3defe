#include "http/routes.h"

#include <algorithm>
#include <functional>

#include "http/chat_request.h"
#include "http/completion_request.h"
#include "http/errors.h"
#include "http/reply_route.h"
#include "http/state_json.h"
#include "http/tokens.h"
#include "zoomr_status_page.h"

namespace zoomr {

namespace {

using httplib::Request;
using httplib::Response;

// What has no meaning in a server of one text model.
constexpr const char* kUnsupported[] = {"/v1/embeddings",
                                        "/embeddings",
                                        "/embedding",
                                        "/v1/rerank",
                                        "/rerank",
                                        "/reranking",
                                        "/v1/reranking",
                                        "/v1/responses",
                                        "/responses",
                                        "/v1/messages",
                                        "/infill",
                                        "/v1/audio/transcriptions",
                                        "/v1/audio/speech",
                                        "/audio/transcriptions",
                                        "/v1/images/generations"};

class Routes {
 public:
  Routes(httplib::Server& server, const ServerOptions& options, Backend& backend)
      : server_(server), options_(options), backend_(backend) {}

  void get(const char* path, std::function<void(const Request&, Response&)> handler) {
    server_.Get(options_.api_prefix + path, std::move(handler));
  }
  // With the parsed body.
  void post(const char* path, std::function<void(const Request&, Response&, const json&)> handler) {
    server_.Post(options_.api_prefix + path,
                 [handler = std::move(handler)](const Request& request, Response& response) {
                   handler(request, response, parse_body(request.body));
                 });
  }
  // A reply: `plan` reads the body.
  void reply(const char* path, std::function<ReplyPlan(const json&, const ServerContext&)> plan) {
    post(path, [this_backend = &backend_, plan = std::move(plan)](
                   const Request& request, Response& response, const json& body) {
      send_reply(request, response, plan(body, *this_backend->context),
                 *this_backend->service.load(), this_backend->starts);
    });
  }

 private:
  httplib::Server& server_;
  const ServerOptions& options_;
  Backend& backend_;
};

void add_replies(Routes& routes) {
  for (const char* path : {"/v1/chat/completions", "/chat/completions"}) {
    routes.reply(path, plan_chat);
  }
  routes.reply("/v1/completions", [](const json& body, const ServerContext& context) {
    return plan_completion(body, context, CompletionKind::openai);
  });
  for (const char* path : {"/completion", "/completions"}) {
    routes.reply(path, [](const json& body, const ServerContext& context) {
      return plan_completion(body, context, CompletionKind::native);
    });
  }
}

void add_texts(Routes& routes, const Backend& backend) {
  routes.post("/tokenize", [&backend](const Request&, Response& response, const json& body) {
    send(response, tokenize(body, *backend.context->vocabulary));
  });
  routes.post("/detokenize", [&backend](const Request&, Response& response, const json& body) {
    send(response, detokenize(body, *backend.context->vocabulary));
  });
  routes.post("/apply-template", [&backend](const Request&, Response& response, const json& body) {
    send(response, json{{"prompt", read_chat(Fields(body), *backend.context).rendered.prompt}});
  });
}

// 503 while the server drains: whoever balances load sends its requests elsewhere.
void send_health(const Backend& backend, Response& response) {
  if (backend.service.load()->state().draining) {
    return send(response, http_error(503, "the server shuts down"));
  }
  send(response, json{{"status", "ok"}});
}

void send_slots(const Backend& backend, const Request& request, Response& response) {
  const json slots = slots_json(backend.service.load()->state(), *backend.context);
  const bool all_busy = std::all_of(slots.begin(), slots.end(), [](const json& slot) {
    return slot["is_processing"].get<bool>();
  });
  if (all_busy && request.has_param("fail_on_no_slot")) {
    return send(response, http_error(503, "no slot is free"));
  }
  send(response, slots);
}

void add_state(Routes& routes, const ServerOptions& options, Backend& backend) {
  for (const char* path : {"/health", "/v1/health"}) {
    routes.get(path,
               [&backend](const Request&, Response& response) { send_health(backend, response); });
  }
  for (const char* path : {"/v1/models", "/models"}) {
    routes.get(path, [&backend](const Request&, Response& response) {
      send(response, models_json(*backend.context));
    });
  }
  routes.get("/props", [&backend](const Request&, Response& response) {
    send(response, props_json(backend.service.load()->state(), *backend.context));
  });
  routes.get("/slots", [&backend, on = options.slots](const Request& request, Response& response) {
    if (!on) return send(response, http_error(501, "/slots is turned off (--no-slots)"));
    send_slots(backend, request, response);
  });
  routes.get("/metrics", [&backend, on = options.metrics](const Request&, Response& response) {
    if (!on) return send(response, http_error(501, "/metrics is turned off (--no-metrics)"));
    response.set_content(metrics_text(backend.service.load()->state()),
                         "text/plain; version=0.0.4");
  });
  routes.get("/v1/zoomr/events", [&backend](const Request&, Response& response) {
    send_events(response, *backend.service.load(), backend.starts);
  });
}

}  // namespace

void add_routes(httplib::Server& server, const ServerOptions& options, Backend& backend) {
  Routes routes(server, options, backend);
  routes.get("/", [](const Request&, Response& response) {
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; script-src "
                        "'unsafe-inline'; connect-src 'self'; img-src data:");
    response.set_content(kStatusPage, "text/html; charset=utf-8");
  });
  add_replies(routes);
  add_texts(routes, backend);
  add_state(routes, options, backend);
  for (const char* path : kUnsupported) {
    server.Post(options.api_prefix + path, [path](const Request&, Response& response) {
      send(response, http_error(501, std::string(path) + " is not supported by zoomr serve"));
    });
  }
}

}  // namespace zoomr
