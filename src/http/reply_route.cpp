#include "http/reply_route.h"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "http/reply_call.h"

namespace zoomr {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// How long a client that went away may go unnoticed while no token comes.
constexpr milliseconds kWait{20};
constexpr const char* kPing = ":\n\n";

std::string event(const std::string& data) { return "data: " + data + "\n\n"; }

// A stream of events and the silence since the last one.
class EventWriter {
 public:
  explicit EventWriter(int ping_seconds)
      : ping_(ping_seconds), last_(Clock::now()), pings_(ping_seconds > 0) {}

  // False: the client is gone.
  bool write(httplib::DataSink& sink, const std::string& text) {
    if (!sink.is_writable()) return false;
    if (text.empty() && (!pings_ || Clock::now() - last_ < ping_)) return true;
    last_ = Clock::now();
    const std::string& out = text.empty() ? kPing : text;
    return sink.write(out.data(), out.size());
  }

 private:
  seconds ping_;
  Clock::time_point last_;
  bool pings_;
};

using Events = std::function<bool(httplib::DataSink&)>;

// Streams are written in one call of httplib's: between two it would break off at stop(), before
// the last words. `start` is let go when that call comes.
void set_events(httplib::Response& response, StreamStarts::Promise start, Events write) {
  response.set_header("Cache-Control", "no-cache");
  response.set_header("X-Accel-Buffering", "no");  // proxies pass events on at once
  response.set_chunked_content_provider("text/event-stream",
                                        [start = std::move(start), write = std::move(write)](
                                            std::size_t, httplib::DataSink& sink) mutable {
                                          start.reset();
                                          return write(sink);
                                        });
}

// What is waited for before the status line is sent: the first text, so that an error until then
// has a status of its own. A client that wants pings gets them from the first one on.
std::vector<json> first_chunks(ReplyCall& call, const httplib::Request& request) {
  const Clock::time_point begin = Clock::now();
  const int ping = call.plan().ping_seconds;
  while (true) {
    std::vector<json> chunks = call.next(kWait);
    if (call.failure() && !call.began()) {
      throw Error(ErrorCode::failed, call.failure()->message);
    }
    if (!chunks.empty() || call.finished() || request.is_connection_closed()) return chunks;
    if (ping > 0 && Clock::now() - begin >= seconds(ping)) return chunks;
  }
}

// How the stream of a finished reply ends.
std::string last_event(const ReplyCall& call) {
  if (call.failure()) return event(dump(error_body(*call.failure())));
  return call.plan().format->says_done() ? event("[DONE]") : "";
}

bool write_stream(ReplyCall& call, std::vector<json> chunks, EventWriter writer,
                  httplib::DataSink& sink) {
  while (true) {
    std::string text;
    for (const json& chunk : chunks) text += event(dump(chunk));
    if (call.finished()) text += last_event(call);
    if (!writer.write(sink, text)) return false;
    if (call.finished()) break;
    chunks = call.next(kWait);
  }
  sink.done();
  return true;
}

void send_stream(const httplib::Request& request, httplib::Response& response,
                 std::shared_ptr<ReplyCall> call, StreamStarts& starts) {
  StreamStarts::Promise start = starts.promise();
  const EventWriter writer(call->plan().ping_seconds);
  std::vector<json> first = first_chunks(*call, request);
  set_events(response, std::move(start),
             [call = std::move(call), first = std::move(first), writer](httplib::DataSink& sink) {
               return write_stream(*call, first, writer, sink);
             });
}

}  // namespace

void send(httplib::Response& response, const json& value) {
  response.set_content(dump(value), "application/json; charset=utf-8");
}

void send(httplib::Response& response, const HttpError& error) {
  response.status = error.status;
  send(response, error_body(error));
}

void send_reply(const httplib::Request& request, httplib::Response& response, ReplyPlan plan,
                Service& service, StreamStarts& starts) {
  const auto call = std::make_shared<ReplyCall>(std::move(plan), service);
  if (call->plan().stream) return send_stream(request, response, call, starts);
  while (!call->finished() && !request.is_connection_closed()) (void)call->next(kWait);
  if (call->failure()) return send(response, *call->failure());
  if (!call->finished()) {
    // Nobody reads this; `call` cancels the reply as it goes.
    return send(response, http_error(499, "the client went away"));
  }
  send(response, call->whole());
}

void send_events(httplib::Response& response, Service& service, StreamStarts& starts) {
  constexpr int ping_seconds = 15;
  std::shared_ptr<EventStream> events = service.events();
  set_events(response, starts.promise(), [events](httplib::DataSink& sink) {
    EventWriter writer(ping_seconds);
    while (true) {
      const std::optional<std::string> record = events->next(milliseconds(100));
      if (!writer.write(sink, record ? event(*record) : "")) return false;
      if (!record && events->closed()) break;
    }
    sink.done();
    return true;
  });
}

}  // namespace zoomr
