#include "serve/events.h"

#include <condition_variable>
#include <deque>
#include <utility>

namespace zoomr {

// A reader's records that it has not read yet.
struct Events::Listener {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> records;
  bool closed = false;
};

class Events::Stream final : public EventStream {
 public:
  explicit Stream(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}

  std::optional<std::string> next(std::chrono::milliseconds wait) override {
    std::unique_lock lock(listener_->mutex);
    listener_->changed.wait_for(
        lock, wait, [this] { return !listener_->records.empty() || listener_->closed; });
    if (listener_->records.empty()) return std::nullopt;
    std::string record = std::move(listener_->records.front());
    listener_->records.pop_front();
    return record;
  }

  [[nodiscard]] bool closed() const override {
    const std::lock_guard lock(listener_->mutex);
    return listener_->closed && listener_->records.empty();
  }

 private:
  std::shared_ptr<Listener> listener_;
};

Events::~Events() { close(); }

std::unique_ptr<EventStream> Events::listen() {
  auto listener = std::make_shared<Listener>();
  const std::lock_guard lock(mutex_);
  listeners_.push_back(listener);
  return std::make_unique<Stream>(std::move(listener));
}

void Events::write(std::uint64_t session, std::uint64_t n, const TraceEvent& event) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
  if (listeners_.empty()) return;
  // A record is an object: {"t":...}. These members come first.
  const std::string record = "{\"session\":" + std::to_string(session) +
                             ",\"n\":" + std::to_string(n) + "," + to_json_line(event).substr(1);
  for (const auto& weak : listeners_) {
    const auto listener = weak.lock();
    if (!listener) continue;
    const std::lock_guard guard(listener->mutex);
    if (listener->records.size() >= most_) listener->records.pop_front();
    listener->records.push_back(record);
    listener->changed.notify_one();
  }
}

void Events::close() {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : listeners_) {
    if (const auto listener = weak.lock()) {
      const std::lock_guard guard(listener->mutex);
      listener->closed = true;
      listener->changed.notify_one();
    }
  }
}

}  // namespace zoomr
