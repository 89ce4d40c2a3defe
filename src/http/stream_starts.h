// Streams that were promised to a client and have not begun. httplib begins none once it was told
// to stop, not even one whose headers are out: whoever stops the server waits for them here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace zoomr {

class StreamStarts {
 public:
  // Letting the last copy go says that the stream has begun, or never will. `this` outlives it.
  using Promise = std::shared_ptr<void>;
  [[nodiscard]] Promise promise();

  // Until none is left, or the time is over. Any thread.
  void wait(std::chrono::milliseconds longest);

 private:
  void let_go();

  std::mutex mutex_;
  std::condition_variable none_left_;
  int n_ = 0;
};

}  // namespace zoomr
