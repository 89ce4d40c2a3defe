#include "serve/reply.h"

#include <iterator>
#include <utility>

namespace zoomr {

namespace {

class Stream final : public ReplyStream {
 public:
  explicit Stream(std::shared_ptr<Reply> reply) : reply_(std::move(reply)) {}
  ~Stream() override { reply_->cancel(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  std::optional<ReplyPart> next(std::chrono::milliseconds wait) override {
    return reply_->next(wait);
  }
  [[nodiscard]] const ReplyEnd* end() const override { return reply_->end(); }
  void cancel() override { reply_->cancel(); }

 private:
  std::shared_ptr<Reply> reply_;
};

}  // namespace

void Reply::add(ReplyPart part) {
  const std::lock_guard lock(mutex_);
  if (!part_) {
    part_ = std::move(part);
  } else {
    part_->text += part.text;
    part_->tokens.insert(part_->tokens.end(), std::make_move_iterator(part.tokens.begin()),
                         std::make_move_iterator(part.tokens.end()));
  }
  changed_.notify_one();
}

void Reply::finish(ReplyEnd end) {
  const std::lock_guard lock(mutex_);
  end_ = std::move(end);
  changed_.notify_one();
}

std::optional<ReplyPart> Reply::next(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait, [this] { return part_ || end_; });
  return std::exchange(part_, std::nullopt);
}

const ReplyEnd* Reply::end() const {
  const std::lock_guard lock(mutex_);
  return !part_ && end_ ? &*end_ : nullptr;
}

std::unique_ptr<ReplyStream> make_stream(std::shared_ptr<Reply> reply) {
  return std::make_unique<Stream>(std::move(reply));
}

}  // namespace zoomr
