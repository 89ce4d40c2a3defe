// A conversation in its place: the session that holds its KV, and the turn that is being answered.
// Inference thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "serve/events.h"
#include "serve/reply_writer.h"
#include "serve/turn.h"

namespace zoomr {

struct Conversation {
  Conversation(std::uint64_t id, Events& all, const Vocabulary& vocabulary, bool hides_summaries)
      : events(all, id), writer(vocabulary, hides_summaries) {}
  [[nodiscard]] bool running() const { return turn != nullptr; }
  // Tokens in the KV memory now.
  [[nodiscard]] Pos resident() const { return session->residency().resident.size(); }

  SessionEvents events;
  ReplyWriter writer;
  std::unique_ptr<Session> session;

  // Of the turns that have been answered; kept for the next one.
  std::vector<std::string> messages;  // the last reply among them; empty: not known
  Pos n_said = 0;                     // first tokens that are the conversation; behind them: a stop
                                      // text that no one was shown
  std::uint64_t used = 0;             // the larger, the more recently

  // Of the turn that is being answered.
  std::unique_ptr<Turn> turn;
  Pos reserved = 0;  // cells that it may come to hold
  int n_cached = 0;  // tokens of the prompt that were held already
  // Its first tokens whose cells are, or were, another's too.
  Pos n_shared = 0;
  std::chrono::steady_clock::time_point started;
  std::chrono::steady_clock::time_point first_token;
};

}  // namespace zoomr
