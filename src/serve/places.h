// The places of -np: who has one, who may run beside whom in the shared cells, and the step that
// moves all of them on. A conversation stays in its place when it is answered, for its next turn;
// when cells are short the oldest ones are zoomed out whole, when places are short they are
// forgotten. Inference thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "serve/conversation.h"
#include "serve/matching.h"
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
  int queue = 64;                    // requests that may wait
  std::size_t events_behind = 4096;  // records that a reader of the events may be behind
  // A turn goes on only behind the very tokens of its own prompt; else it is read again.
  bool strict_turns = false;
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
  using Place = std::size_t;
  static constexpr Place kNone = static_cast<Place>(-1);
  struct Match {  // a kept conversation that a turn goes on with
    Place place = kNone;
    GoOn go_on;
  };
  [[nodiscard]] Match match(const Turn& turn) const;
  // Cells that are nobody's but may be `except`'s, and that no one who runs was promised: as it is,
  // or as it would be with all idle ones zoomed out. A shared cell counts once.
  enum class Idle : std::uint8_t { stay, leave };
  [[nodiscard]] Pos cells_free(Place except, Idle idle = Idle::stay) const;
  [[nodiscard]] Pos cells_for(const Turn& turn, Pos n_prompt) const;
  [[nodiscard]] Place oldest_kept(bool resident, Place except) const;
  void zoom_out_idle(Pos n_cells, Place except);
  [[nodiscard]] Place make_place();
  [[nodiscard]] bool go_on(const Match& match, Turn& turn);
  void take(Conversation& conversation, std::unique_ptr<Turn> turn);
  void begin(Place place, std::unique_ptr<Turn> turn);
  void share_beginning(Conversation& conversation);
  void answer(Place place, std::unique_ptr<Turn> turn, const Match& match);
  void set_pace();
  void hand_over(Conversation& conversation);
  void end(Conversation& conversation);
  static void keep(Conversation& conversation);
  [[nodiscard]] RunResult result(const Conversation& conversation) const;
  void forget(Place place);

  ServeParts& parts_;
  const ServeLimits& limits_;
  Events& events_;
  Engine engine_;
  Pace pace_;
  std::vector<std::unique_ptr<Conversation>> places_;  // [n_parallel] by sequence; null: free
  std::uint64_t n_conversations_ = 0;
  std::uint64_t n_used_ = 0;
  ServiceTotals totals_;  // of turns that have ended
};

}  // namespace zoomr
