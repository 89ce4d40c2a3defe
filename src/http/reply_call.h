// One HTTP request's replies while they run: all choices as one sequence of chunks. One thread at
// a time; destroying it cancels what still runs.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "http/context.h"
#include "http/errors.h"

namespace zoomr {

class ReplyCall {
 public:
  // Submits every choice. Throws what Service::submit throws.
  ReplyCall(ReplyPlan plan, Service& service);

  // Waits for news, at most about so long: the chunks of a stream.
  [[nodiscard]] std::vector<json> next(std::chrono::milliseconds wait);
  // All have ended; or one has failed.
  [[nodiscard]] bool finished() const { return n_running_ == 0 || failure_.has_value(); }
  [[nodiscard]] const std::optional<HttpError>& failure() const { return failure_; }
  // Has the model written anything?
  [[nodiscard]] bool began() const { return began_; }
  [[nodiscard]] json whole() { return plan_.format->whole(); }
  [[nodiscard]] const ReplyPlan& plan() const { return plan_; }

 private:
  void take(std::size_t choice, std::chrono::milliseconds wait, std::vector<json>& chunks);

  ReplyPlan plan_;
  std::vector<std::unique_ptr<ReplyStream>> streams_;  // nullptr: ended
  std::size_t n_running_ = 0;
  bool began_ = false;
  std::optional<HttpError> failure_;
};

}  // namespace zoomr
