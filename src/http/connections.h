// The threads of the connections: one each.
#pragma once

#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace zoomr {

// httplib's own pool grows only while no thread is idle, and counts as idle those that are about to
// take a job: of connections that come at once, some would wait for others to end.
class Connections final : public httplib::TaskQueue {
 public:
  // At most so many at a time; what is beyond waits. `port`: where they came in.
  Connections(std::size_t most, int port, std::chrono::milliseconds grace)
      : most_(most), port_(port), grace_(grace) {}

  bool enqueue(std::function<void()> connection) override;
  // What has not ended by itself after the grace is ended, whatever its client does.
  void shutdown() override;

 private:
  void work();

  const std::size_t most_;
  const int port_;
  const std::chrono::milliseconds grace_;
  std::mutex mutex_;
  std::condition_variable comes_;
  std::condition_variable ends_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;  // kept until shutdown()
  std::size_t n_idle_ = 0;
  std::size_t n_ended_ = 0;  // threads
  bool ending_ = false;
};

}  // namespace zoomr
