// Conversations that share one KV memory, as whoever brings requests sees them: submit one, read
// its reply part by part. The HTTP layer stands on this interface; serve/scheduler implements it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "zoomr/options.h"
#include "zoomr/zoomr.h"

namespace zoomr {

struct ServeRequest {
  Prompt prompt;  // the whole conversation, rendered; or a text to be completed
  SamplingOptions sampling;
  int n_predict = -1;              // most generated tokens; < 0: until the positions end
  Pos budget = 0;                  // most resident tokens; 0: the server's
  int n_top = -1;                  // >= 0: logprobs, and so many alternatives at each token
  std::vector<std::string> stops;  // texts that end the reply and are not part of it

  // A conversation has messages; each entry is one, as canonical JSON. A kept conversation whose
  // messages these extend is continued: `continuation(n)` is the text behind its n-th message, the
  // assistant's (1-based: its end of turn, the messages that follow, the beginning of the new
  // reply); nullopt: the template cannot say. Empty: the request is no conversation.
  std::vector<std::string> messages;
  std::function<std::optional<Prompt>(std::size_t n)> continuation;
  // The reply's text as the message that a client will send back. Empty: it is not kept.
  std::function<std::string(const std::string& text)> as_message;
};

struct TokenChance {
  Token token = 0;
  std::string text;  // bytes; may be a part of a UTF-8 character
  float logprob = 0;
};

// A token of a reply, thoughts and answer alike.
struct ReplyToken {
  TokenChance token;
  std::vector<TokenChance> top;  // [n_top], most likely first
};

// What may be shown since the last part: text that could begin a stop text or is an unfinished
// UTF-8 character is held back until it is decided.
struct ReplyPart {
  std::string text;
  std::vector<ReplyToken> tokens;
};

struct ReplyEnd {
  RunResult run;          // finish_reason: stop, length, loop, interrupted, error
  std::string stop_text;  // the text of ServeRequest::stops that ended it, "" : another reason
  int n_cached = 0;       // tokens of the prompt that were in the KV memory already
  double queued_ms = 0;   // until the first of its tokens was decoded
  double prompt_ms = 0;
  double predicted_ms = 0;
};

// One reply; one reader. Destroying it cancels what still runs.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  // Waits for the next part, at most so long. nullopt: nothing yet, or the end (`end()`).
  [[nodiscard]] virtual std::optional<ReplyPart> next(std::chrono::milliseconds wait) = 0;
  // Set once next() has given all parts.
  [[nodiscard]] virtual const ReplyEnd* end() const = 0;
  // Ends the reply within one token; any thread.
  virtual void cancel() = 0;
};

// One place of -np: a conversation that runs, or one that is kept for its next turn.
struct SlotState {
  int id = 0;
  enum class Use : std::uint8_t { free, kept, reading, generating };
  Use use = Use::free;
  Pos budget = 0;    // tokens
  Pos resident = 0;  // tokens in the KV memory
  Pos peak_resident = 0;
  Pos stored = 0;  // tokens zoomed out
  Pos n_past = 0;  // tokens of the conversation
  int n_prompt = 0;
  int n_generated = 0;
  double agreeability = 0;
  double missed_mass = -1;  // -1: not measured
};

// Sums since the start, for metrics.
struct ServiceTotals {
  std::uint64_t requests = 0, prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  double prompt_seconds = 0, generation_seconds = 0;
  std::uint64_t zoom_ins = 0, zoom_outs = 0, second_looks = 0, bytes_moved = 0;  // lines, bytes
  std::uint64_t cancelled = 0, refused = 0, failed = 0, decodes = 0;
};

struct ServiceState {
  std::string policy;
  int n_cells = 0;           // --kv-total, tokens
  Pos resident = 0;          // tokens; a shared beginning counts once
  Pos stored = 0;            // tokens
  Pos dropped = 0;           // tokens
  std::size_t kv_bytes = 0;  // allocated
  std::size_t stored_bytes = 0;
  std::size_t index_bytes = 0;
  int waiting = 0;  // requests in the queue
  bool draining = false;
  std::vector<SlotState> slots;
  ServiceTotals totals;
};

// Trace records of all conversations as they happen, a JSON object each (docs/trace.md), with the
// members "session" and "n", the record's number in that session from 0. One reader; a reader that
// is too slow loses the oldest, and sees it by the numbers.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // nullopt: nothing within that time. Ends when the service does (`closed()`).
  [[nodiscard]] virtual std::optional<std::string> next(std::chrono::milliseconds wait) = 0;
  [[nodiscard]] virtual bool closed() const = 0;
};

// Every member may be called from any thread.
class Service {
 public:
  virtual ~Service() = default;
  // Throws Error(bad_input) for what can never run, Error(unavailable) when the queue is full or
  // the service drains. The reply must not outlive the service.
  [[nodiscard]] virtual std::unique_ptr<ReplyStream> submit(ServeRequest request) = 0;
  [[nodiscard]] virtual ServiceState state() const = 0;
  [[nodiscard]] virtual std::unique_ptr<EventStream> events() = 0;
  // Takes no more requests; what still runs after `timeout` ends as interrupted.
  virtual void drain(std::chrono::milliseconds timeout) = 0;
};

}  // namespace zoomr
