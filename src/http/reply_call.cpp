#include "http/reply_call.h"

#include <iterator>
#include <utility>

namespace zoomr {

ReplyCall::ReplyCall(ReplyPlan plan, Service& service) : plan_(std::move(plan)) {
  for (ServeRequest& request : plan_.requests) {
    streams_.push_back(service.submit(std::move(request)));
  }
  plan_.requests.clear();
  n_running_ = streams_.size();
}

void ReplyCall::take(std::size_t choice, std::chrono::milliseconds wait,
                     std::vector<json>& chunks) {
  const auto append = [&chunks](std::vector<json> more) {
    chunks.insert(chunks.end(), std::make_move_iterator(more.begin()),
                  std::make_move_iterator(more.end()));
  };
  ReplyStream& stream = *streams_[choice];
  if (const std::optional<ReplyPart> part = stream.next(wait)) {
    began_ = true;
    append(plan_.format->part(choice, *part));
    return;
  }
  const ReplyEnd* end = stream.end();
  if (end == nullptr) return append(plan_.format->idle(choice, false));
  if (end->run.finish_reason == "error") {
    for (std::size_t i = 0; i < streams_.size(); ++i) append(plan_.format->idle(i, true));
    failure_ = http_error(500, end->run.failure.empty() ? "the run failed" : end->run.failure);
    return;
  }
  append(plan_.format->ended(choice, *end));
  streams_[choice].reset();
  if (--n_running_ == 0) append(plan_.format->closing());
}

std::vector<json> ReplyCall::next(std::chrono::milliseconds wait) {
  std::vector<json> chunks;
  // Several choices share the time, so that none waits for another.
  const auto share = wait / static_cast<int>(n_running_ > 0 ? n_running_ : 1);
  for (std::size_t i = 0; i < streams_.size() && !failure_; ++i) {
    if (streams_[i]) take(i, share, chunks);
  }
  return chunks;
}

}  // namespace zoomr
