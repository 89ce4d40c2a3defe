// Sessions that think side by side in one context: one for a Run, several for an evaluation, whose
// problems share each read of the weights.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "llama/llama_kv.h"
#include "store/memory_store.h"
#include "zoomr/zoomr.h"

namespace zoomr {

class LlamaModel;

class SessionGroup {
 public:
  struct Member {
    Prompt prompt;
    std::vector<TraceSink*> watchers;   // outlive the group
    Probe* probe = nullptr;             // outlives the group
    std::optional<std::uint32_t> seed;  // instead of the options'
    std::optional<Budget> budget;       // likewise
  };

  // The options hold for every member; the context has room for all budgets (or, without one, for
  // all that the members may generate). Throws as Run does. The model outlives the group.
  SessionGroup(const LlamaModel& model, const RunOptions& options, std::vector<Member> members);
  SessionGroup(const SessionGroup&) = delete;
  SessionGroup& operator=(const SessionGroup&) = delete;

  // Decodes the next tokens of all that run; false when all have ended.
  bool step();
  void interrupt() { kv_->interrupt(); }  // from any thread or signal handler

  // As they hold: with the heads that the probe found.
  [[nodiscard]] const RunOptions& options() const { return options_; }
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  [[nodiscard]] const Session& session(std::size_t i) const { return *sessions_[i]; }
  // KV bytes and cells are the member's part of the context.
  [[nodiscard]] RunResult result(std::size_t i) const;
  [[nodiscard]] Pos budget(std::size_t i) const;  // tokens; 0: unbounded

 private:
  struct Place {
    Pos budget = 0;
    Pos max_positions = 0;
    int n_cells = 0;     // of the context, for this member
    int n_unhidden = 0;  // of the one that holds everything
  };
  [[nodiscard]] Place place(const std::vector<Token>& tokens, const Member& member,
                            const Policy& policy) const;
  void make_contexts(const std::vector<Place>& places, const Policy& policy);
  void add_session(const Member& member, const std::vector<Token>& tokens, const Place& place,
                   std::unique_ptr<Policy> policy);
  void end(std::size_t i);

  const LlamaModel& model_;
  RunOptions options_;
  MemoryStore store_;
  std::unique_ptr<LlamaKv> kv_;
  std::unique_ptr<LlamaKv> unhidden_;  // of policies that foresee
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::uint32_t> seeds_;
  std::vector<bool> ended_;
  std::vector<int> cells_;          // of the context, by member
  std::vector<std::string> notes_;  // of the heads' choice
};

}  // namespace zoomr
