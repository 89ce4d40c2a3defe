// A reply on its way to a client: whole, or as server-sent events; the client's going away cancels
// it. For the files of src/http that know httplib.
#pragma once

#include <httplib.h>

#include "http/context.h"
#include "http/errors.h"
#include "http/stream_starts.h"

namespace zoomr {

void send(httplib::Response& response, const json& value);
void send(httplib::Response& response, const HttpError& error);

// Runs the plan. Throws Error before the first token; later errors are events of the stream.
void send_reply(const httplib::Request& request, httplib::Response& response, ReplyPlan plan,
                Service& service, StreamStarts& starts);

// The service's trace records, until it or the client goes away.
void send_events(httplib::Response& response, Service& service, StreamStarts& starts);

}  // namespace zoomr
