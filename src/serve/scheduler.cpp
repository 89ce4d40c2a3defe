#include "serve/scheduler.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "core/check.h"
#include "engine/session_options.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// A turn that never had a place.
void end_unstarted(const Turn& turn) {
  ReplyEnd end;
  end.run.finish_reason = to_string(Finish::interrupted);
  end.run.seed = turn.seed;
  const auto waited = std::chrono::steady_clock::now() - turn.submitted;
  end.queued_ms = std::chrono::duration<double, std::milli>(waited).count();
  turn.reply->finish(std::move(end));
}

}  // namespace

Scheduler::Scheduler(ServeParts parts, ServeLimits limits)
    : parts_(std::move(parts)),
      limits_(std::move(limits)),
      events_(limits_.events_behind),
      places_(parts_, limits_, events_) {
  require(limits_.n_parallel >= 1, "-np must be at least 1");
  require(limits_.queue >= 0, "--queue must not be negative");
  require(limits_.budget >= 1, "--budget must be at least 1 token");
  require(limits_.budget <= parts_.kv->n_cells(), "--budget (" + std::to_string(limits_.budget) +
                                                      ") must not be above --kv-total (" +
                                                      std::to_string(parts_.kv->n_cells()) + ")");
  require(!make_policy(limits_.run.policy, limits_.run.settings)->foresees(),
          "policy " + limits_.run.policy + " needs a second context and cannot be served");
  publish();
  thread_ = std::thread([this] { serve(); });
}

Scheduler::~Scheduler() {
  drain(std::chrono::milliseconds(0));
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_one();
  thread_.join();
}

std::unique_ptr<Turn> Scheduler::make_turn(ServeRequest request) const {
  auto turn = std::make_unique<Turn>();
  const Prompt& prompt = request.prompt;
  turn->submitted = std::chrono::steady_clock::now();
  turn->tokens = tokens_of(prompt, parts_.vocabulary);
  require(request.budget >= 0, "the budget must not be negative");
  const Pos budget = request.budget > 0 ? request.budget : limits_.budget;
  require(budget <= parts_.kv->n_cells(), "a budget of " + std::to_string(budget) +
                                              " tokens is more than all sessions share (" +
                                              std::to_string(parts_.kv->n_cells()) + ")");
  const auto policy = make_policy(limits_.run.policy, limits_.run.settings);
  SessionOptions& options = turn->options;
  options = session_options(limits_.run, prompt);
  options.turns = true;
  options.n_predict = request.n_predict;
  options.max_positions = limits_.max_positions;
  options.budget = budget;
  if (!policy->bounded()) {  // then all of its tokens are resident, and it ends at its budget
    options.max_positions = std::min(options.max_positions, budget);
    options.budget = std::numeric_limits<Pos>::max() / 2;
  }
  const auto n_prompt = static_cast<Pos>(turn->tokens.size());
  Session::check_prompt(options, *policy, n_prompt);
  ServeParts::Drawn drawn = parts_.make_sampler(request.sampling);
  turn->sampler = std::move(drawn.sampler);
  turn->seed = drawn.seed;
  options.seed = drawn.seed;
  turn->reply = std::make_shared<Reply>();
  turn->request = std::move(request);
  return turn;
}

std::unique_ptr<ReplyStream> Scheduler::submit(ServeRequest request) {
  auto turn = make_turn(std::move(request));
  auto stream = make_stream(turn->reply);
  const std::lock_guard lock(mutex_);
  const bool full = static_cast<int>(queue_.size()) >= limits_.queue && !idle();
  if (draining_ || full) {
    ++n_refused_;
    throw Error(ErrorCode::unavailable, draining_ ? "the server is shutting down"
                                                  : "all places are taken and the queue is full");
  }
  queue_.push_back(std::move(turn));
  work_.notify_one();
  return stream;
}

ServiceState Scheduler::state() const {
  const std::lock_guard lock(mutex_);
  ServiceState state = state_;
  state.waiting = static_cast<int>(queue_.size());
  state.draining = draining_;
  state.totals.refused = n_refused_;
  state.totals.cancelled += n_left_;
  return state;
}

void Scheduler::drain(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  if (!idle_.wait_for(lock, timeout, [this] { return idle(); })) {
    interrupting_ = true;
    work_.notify_one();
    idle_.wait(lock, [this] { return idle(); });
  }
  lock.unlock();
  events_.close();
}

void Scheduler::serve() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return closing_ || !idle(); });
      if (closing_) return;
      if (interrupting_) places_.interrupt_all();
    }
    start_waiting();
    if (places_.any_running()) places_.step();
    publish();
  }
}

void Scheduler::start_waiting() {
  for (;;) {
    std::unique_ptr<Turn> turn;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(queue_, [this](const auto& waiting) {
        const bool over = interrupting_ || waiting->reply->cancelled();
        if (!over) return false;
        end_unstarted(*waiting);
        ++n_left_;
        return true;
      });
      if (queue_.empty()) return;
      turn = std::move(queue_.front());
      queue_.pop_front();
      any_running_ = true;  // not idle while it is in neither
    }
    if (places_.start(turn)) continue;
    const std::lock_guard lock(mutex_);
    queue_.push_front(std::move(turn));
    return;
  }
}

void Scheduler::publish() {
  ServiceState state;
  places_.describe(state);
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
  any_running_ = places_.any_running();
  if (idle()) idle_.notify_all();
}

}  // namespace zoomr
