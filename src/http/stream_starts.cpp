#include "http/stream_starts.h"

namespace zoomr {

StreamStarts::Promise StreamStarts::promise() {
  {
    const std::lock_guard lock(mutex_);
    ++n_;
  }
  return {nullptr, [this](void*) { let_go(); }};
}

void StreamStarts::wait(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  none_left_.wait_for(lock, longest, [this] { return n_ == 0; });
}

void StreamStarts::let_go() {
  const std::lock_guard lock(mutex_);
  if (--n_ == 0) none_left_.notify_all();
}

}  // namespace zoomr
