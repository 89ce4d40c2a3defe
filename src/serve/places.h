// The places of -np: who has one, who may run beside whom in the shared cells, and the step that
// moves all of them on. Inference thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "serve/conversation.h"
#include "serve/pace.h"

namespace zoomr {

// What a server stands on; made from a model, or from fakes in tests.
struct ServeParts {
  std::unique_ptr<Kv> kv;  // sequences 0 .. n_parallel - 1
  std::unique_ptr<ThoughtStore> store;
  const Vocabulary& vocabulary;  // any thread
  struct Drawn {
    std::unique_ptr<Sampler> sampler;
    std::uint32_t seed = 0;
  };
  // Any thread. Throws Error(bad_input).
  std::function<Drawn(const SamplingOptions&)> make_sampler;
  // The first record of a session. budget: 0: unbounded.
  std::function<RunEvent(Pos budget)> introduce;
};

struct ServeLimits {
  RunOptions run;         // as they hold; its budget and prompt are the requests'
  Pos budget = 2048;      // tokens of a session, unless its request says otherwise
  Pos max_positions = 0;  // of a sequence
  int n_parallel = 4;
  int queue = 64;  // requests that may wait
};

class Places {
 public:
  Places(ServeParts& parts, const ServeLimits& limits, Events& events);

  // Gives the turn a place and begins it; false: none is free now.
  [[nodiscard]] bool start(std::unique_ptr<Turn>& turn);
  // Decodes the next tokens of all that run and hands them over.
  void step();
  [[nodiscard]] bool any_running() const;
  void interrupt_all();
  void describe(ServiceState& state) const;

 private:
  [[nodiscard]] Pos cells_free() const;
  void begin(std::size_t place, std::unique_ptr<Turn> turn);
  void set_pace();
  void hand_over(Conversation& conversation);
  void end(Conversation& conversation);
  [[nodiscard]] RunResult result(const Conversation& conversation) const;
  void forget(std::size_t place);

  ServeParts& parts_;
  const ServeLimits& limits_;
  Events& events_;
  Engine engine_;
  Pace pace_;
  std::vector<std::unique_ptr<Conversation>> places_;  // [n_parallel] by sequence; null: free
  std::uint64_t n_conversations_ = 0;
  ServiceTotals totals_;  // of turns that have ended
};

}  // namespace zoomr
