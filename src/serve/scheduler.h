// Many conversations in one KV memory: requests wait in a queue, those that have a place are
// decoded as one batch by one inference thread, and every reply is read by a thread of its own.
//
//   any thread        submit -> queue            reply <- next(), cancel()
//   inference thread  queue -> Places::start, Places::step -> reply
//
// Requests begin in the order in which they came: one whose budget is not free yet holds up those
// behind it, so that it is not overtaken for ever. Sizes in tokens.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "serve/events.h"
#include "serve/places.h"
#include "serve/service.h"

namespace zoomr {

class Scheduler final : public Service {
 public:
  // Throws Error(bad_input) for limits that do not fit each other.
  Scheduler(ServeParts parts, ServeLimits limits);
  ~Scheduler() override;  // interrupts what still runs
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  [[nodiscard]] std::unique_ptr<ReplyStream> submit(ServeRequest request) override;
  [[nodiscard]] ServiceState state() const override;
  [[nodiscard]] std::unique_ptr<EventStream> events() override { return events_.listen(); }
  void drain(std::chrono::milliseconds timeout) override;

 private:
  [[nodiscard]] std::unique_ptr<Turn> make_turn(ServeRequest request) const;
  void serve();
  void start_waiting();
  void publish();
  [[nodiscard]] bool idle() const { return queue_.empty() && !any_running_; }

  ServeParts parts_;
  ServeLimits limits_;
  Events events_;
  Places places_;  // inference thread

  mutable std::mutex mutex_;  // of all below
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<std::unique_ptr<Turn>> queue_;
  ServiceState state_;  // as of the last step
  bool any_running_ = false;
  bool draining_ = false;
  bool interrupting_ = false;
  bool closing_ = false;
  std::uint64_t n_refused_ = 0;
  std::uint64_t n_left_ = 0;  // requests that ended in the queue
  std::thread thread_;        // last: it uses the others
};

}  // namespace zoomr
