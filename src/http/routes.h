// The paths, and what stands before all of them. For server.cpp alone.
#pragma once

#include <httplib.h>

#include <atomic>

#include "http/access.h"
#include "http/context.h"
#include "http/server.h"
#include "http/stream_starts.h"

namespace zoomr {

// What answers; service is set last, once.
struct Backend {
  const ServerContext* context = nullptr;
  std::atomic<Service*> service{nullptr};
  StreamStarts starts;
};

// Keys, origins, 503 while there is no model, errors as JSON.
void add_guards(httplib::Server& server, const ServerOptions& options, const Access& access,
                const Backend& backend);
void add_routes(httplib::Server& server, const ServerOptions& options, Backend& backend);

}  // namespace zoomr
