#include "http/connections.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace zoomr {

namespace {

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return -1;
}

// Whoever reads from or writes to a connection of this port is woken. httplib shows its sockets to
// nobody, so this asks all that the process has open.
void end_connections(int port) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    if (port_of(fd) == port) ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace

bool Connections::enqueue(std::function<void()> connection) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(connection));
  if (waiting_.size() > n_idle_ && threads_.size() < most_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // No more threads to be had: it waits for one of ours.
    }
  }
  comes_.notify_one();
  return true;
}

void Connections::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++n_idle_;
    comes_.wait(lock, [this] { return !waiting_.empty() || ending_; });
    --n_idle_;
    if (waiting_.empty()) break;
    const std::function<void()> connection = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    connection();
    lock.lock();
  }
  ++n_ended_;
  ends_.notify_all();
}

void Connections::shutdown() {
  std::unique_lock lock(mutex_);
  ending_ = true;
  comes_.notify_all();
  const auto all_ended = [this] { return n_ended_ == threads_.size(); };
  for (auto wait = grace_; !ends_.wait_for(lock, wait, all_ended);
       wait = std::chrono::milliseconds(50)) {
    end_connections(port_);
  }
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace zoomr
