// What a scheduler's conversations wrote, each a trace.
#pragma once

#include <map>
#include <thread>

#include "serve/testing.h"

namespace zoomr {

class Recordings {
 public:
  explicit Recordings(Service& service) : stream_(service.events()), thread_([this] { read(); }) {}
  ~Recordings() {
    given_up_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Recordings(const Recordings&) = delete;
  Recordings& operator=(const Recordings&) = delete;

  // REQUIRES: the service is drained.
  [[nodiscard]] const std::map<std::uint64_t, std::vector<TraceEvent>>& all() {
    if (thread_.joinable()) thread_.join();
    return traces_;
  }

 private:
  void read() {
    while (!stream_->closed() && !given_up_) {
      const auto record = stream_->next(50ms);
      if (!record) continue;
      const auto json = nlohmann::json::parse(*record);
      std::vector<TraceEvent>& trace = traces_[json.at("session")];
      EXPECT_EQ(json.at("n"), trace.size()) << "a record is lost";
      trace.push_back(from_json_line(*record));
    }
  }
  std::unique_ptr<EventStream> stream_;
  std::map<std::uint64_t, std::vector<TraceEvent>> traces_;
  std::atomic<bool> given_up_{false};
  std::thread thread_;  // last: it uses the others
};

// Each is true to its last record. A conversation whose first turn could not begin is no more than
// its run.
inline void expect_true(const std::map<std::uint64_t, std::vector<TraceEvent>>& traces) {
  for (const auto& [session, trace] : traces) {
    SCOPED_TRACE("session " + std::to_string(session));
    Replay replay;
    std::size_t n = 0;
    try {
      for (; n < trace.size(); ++n) replay.apply(trace[n]);
      EXPECT_TRUE(replay.complete());
    } catch (const Error& error) {
      ADD_FAILURE() << "record " << n << ", " << to_json_line(trace[n]) << ": " << error.what();
    }
  }
}

}  // namespace zoomr
