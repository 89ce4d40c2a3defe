// Trace records of all conversations for whoever listens. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/trace.h"
#include "serve/service.h"

namespace zoomr {

class Events {
 public:
  // most: records that a reader may be behind; beyond them it loses the oldest.
  explicit Events(std::size_t most) : most_(most) {}
  ~Events();  // closes
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // The stream may outlive this.
  [[nodiscard]] std::unique_ptr<EventStream> listen();
  // `n`: the record's number in its session, from 0.
  void write(std::uint64_t session, std::uint64_t n, const TraceEvent& event);
  void close();

 private:
  struct Listener;
  class Stream;
  std::size_t most_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

// One conversation's records on their way there.
class SessionEvents final : public TraceSink {
 public:
  SessionEvents(Events& events, std::uint64_t session) : events_(events), session_(session) {}
  void write(const TraceEvent& event) override { events_.write(session_, n_++, event); }

 private:
  Events& events_;
  std::uint64_t session_;
  std::uint64_t n_ = 0;
};

}  // namespace zoomr
