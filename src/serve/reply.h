// One reply between two threads: the inference thread adds to it, one reader takes from it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "serve/service.h"

namespace zoomr {

class Reply {
 public:
  // The writer's side. Nothing is added behind the end.
  void add(ReplyPart part);
  void finish(ReplyEnd end);
  [[nodiscard]] bool cancelled() const { return cancelled_.load(); }

  // The reader's side: ReplyStream says what these do.
  [[nodiscard]] std::optional<ReplyPart> next(std::chrono::milliseconds wait);
  [[nodiscard]] const ReplyEnd* end() const;
  void cancel() { cancelled_.store(true); }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<ReplyPart> part_;  // all that was added and not taken yet
  std::optional<ReplyEnd> end_;    // written once
  std::atomic<bool> cancelled_{false};
};

// The reader's handle; destroying it cancels.
[[nodiscard]] std::unique_ptr<ReplyStream> make_stream(std::shared_ptr<Reply> reply);

}  // namespace zoomr
