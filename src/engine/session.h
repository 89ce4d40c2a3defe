// A session: one sequence that thinks. Its timeline, index, evidence and residency, its policy and
// sampler; what it wants decoded next, and what it makes of the result. The engine's step drives
// it; a session never touches the Kv itself. What comes between two turns is in
// session_turns.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/line_index.h"
#include "core/loop_guard.h"
#include "core/policy.h"
#include "core/residency.h"
#include "core/segmenter.h"
#include "core/thought_index.h"
#include "core/timeline.h"
#include "core/trace.h"
#include "engine/probe.h"
#include "engine/sampler.h"
#include "engine/stats.h"
#include "engine/summaries.h"
#include "engine/vocabulary.h"
#include "zoomr/error.h"
#include "zoomr/types.h"

namespace zoomr {

struct SessionOptions {
  SeqId seq = 0;
  Pos budget = 0;  // most resident tokens, the tokens being decoded included
  // A prompt that does not fit the budget is read in pieces; so many of its first tokens stay.
  // < 0: an eighth of the budget.
  Pos keep = -1;
  // More turns may follow: then only those first tokens (`keep`) of the earlier ones stay.
  bool turns = false;
  Pos max_positions = 0;  // the sequence never grows beyond this: the trained length, or -c
  int n_predict = -1;     // most generated tokens; < 0: until max_positions
  int forced_chunk = 1;   // forced tokens decoded in one step
  bool loop_guard = true;
  Probe* probe = nullptr;  // looks on; outlives the session
  std::uint64_t seed = 0;  // of policies that roll dice
  int threads = 1;         // of a look-up in a long index: best as many as a decode has
  SummaryMode summaries = SummaryMode::none;
  SegmenterOptions segmenter;
};

enum class Finish : std::uint8_t { running, stop, length, loop, interrupted, error };
[[nodiscard]] std::string_view to_string(Finish finish);

class Session {
 public:
  // `id` tells sessions apart in the store; sinks see every event and outlive the session.
  Session(std::uint64_t id, const SessionOptions& options, std::unique_ptr<Policy> policy,
          std::unique_ptr<Sampler> sampler, const Vocabulary& vocabulary,
          std::vector<TraceSink*> sinks);

  // Sets the prompt. One that is too long for the budget is read in pieces: its first tokens
  // (options.keep) and its last ones (a quarter of the budget: the question) are pinned, the lines
  // between them leave and come back like any others. Throws Error(bad_input) when it is empty or
  // the budget is too small even for that.
  void begin(std::span<const Token> prompt);
  // A turn more: this prompt is appended to what is there, the reply follows. Earlier prompts are
  // no longer pinned but for their first tokens; the index and what is stored stay. The options are
  // the new turn's, with the same seq, probe and policy. REQUIRES: can_go_on().
  void go_on(const SessionOptions& options, std::unique_ptr<Sampler> sampler,
             std::span<const Token> prompt);
  // Has it ended without a failure, and does a prompt of so many tokens find room?
  [[nodiscard]] bool can_go_on(const SessionOptions& options, Pos n_prompt) const;
  // Forgets the tokens from `end` on. REQUIRES: it does not run; `end` is the end of a line; what
  // the Kv and the store held behind it is gone (Engine::cut).
  void cut(Pos end);
  // How many first tokens of its prompt, which is not read yet, another session holds just as it
  // would: up to the end of a line of both, decoded when all before them was resident, and resident
  // now. 0: none.
  [[nodiscard]] Pos shared_with(const Session& other) const;
  // Takes these over from there, index and all. REQUIRES: the Kv shares them.
  void adopt(const Session& other, Pos n_tokens);

  // First tokens that stay pinned in all turns.
  [[nodiscard]] Pos head() const { return head_; }

  // These first tokens do not leave while it runs.
  [[nodiscard]] bool keeps_beginning(Pos n_tokens) const;

  // What was resident when all of it was zoomed out between two turns; empty: it was not.
  [[nodiscard]] const SpanSet& resting() const { return resting_; }
  // The same after a cut.
  [[nodiscard]] SpanSet resting_until(Pos end) const;
  void rest(SpanSet resident) {
    resting_ = std::move(resident);
    evidence_.lines.came = {};  // what rested came for no token
  }

  // Throws as begin() does for a prompt of so many tokens.
  static void check_prompt(const SessionOptions& options, const Policy& policy, Pos n_prompt);
  // Tokens to be appended instead of sampled ones, in order. They count as generated.
  void teach(std::span<const Token> tokens);
  void interrupt() { finish(Finish::interrupted); }
  void stop() { finish(Finish::stop); }  // as if the model had ended its turn here
  // From now on at most so many tokens of the prompt are decoded in one step; at least 1.
  void read_at_most(int n_tokens) { most_read_ = n_tokens; }
  [[nodiscard]] bool reads() const { return running() && decoded_ < n_prompt_; }

  // --- what the step asks and tells, in its order ---
  [[nodiscard]] bool running() const { return finish_ == Finish::running; }
  // Tokens that are ready to be decoded, at most `most`.
  [[nodiscard]] Span pending(int most) const;
  [[nodiscard]] bool wants_logits(Span batch) const;
  [[nodiscard]] Needs needs(Span batch) const;
  // How many of the batch's tokens, its last ones, show their queries.
  [[nodiscard]] Pos n_asking(Span batch, const Needs& needs) const;
  // The batch was decoded: keys and queries of its rows go to the index, votes are counted.
  struct Rows {
    std::size_t first_key = 0;    // of this session in the observation's key rows
    std::size_t n_keys = 0;       // 0 or the batch's size
    std::size_t first_query = 0;  // its query rows, the last n_queries of the batch
    std::size_t n_queries = 0;
  };
  void observe(Span batch, const Needs& needs, const Observation& seen, const Rows& rows,
               double decode_ms);
  // A context that holds everything decoded these tokens first: the keys of all, and the last one's
  // queries.
  void foresee(Span tokens, const Observation& seen);
  [[nodiscard]] Pos foreseen() const { return unhidden_keys_.size(); }
  [[nodiscard]] Plan plan() const;
  // Can its newest tokens, from `from` on, be decoded again? Only generated ones, or the last piece
  // of a prompt, behind which nothing is appended, once, when the position before them is resident.
  [[nodiscard]] bool may_look_again(Pos from) const;
  // An edit that was really applied, or that failed and changed nothing.
  void applied(const EditEvent& edit);
  [[nodiscard]] std::string broken_invariant() const;
  // Takes the next token from the forced ones or from the sampler. `logits` may be empty only when
  // wants_logits() was false.
  void sample(std::span<const float> logits);
  void fail(const std::string& why, ErrorCode code = ErrorCode::failed);
  // A new turn's prompt does not fit beside what is resident: a plan comes before its decode.
  [[nodiscard]] bool needs_room() const;

  // --- state ---
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] const SessionOptions& options() const { return options_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  [[nodiscard]] const Residency& residency() const { return residency_; }
  [[nodiscard]] const Evidence& evidence() const { return evidence_; }
  [[nodiscard]] const ThoughtIndex& index() const { return index_; }
  [[nodiscard]] std::size_t index_bytes() const { return index_.bytes() + line_index_.bytes(); }
  [[nodiscard]] const Policy& policy() const { return *policy_; }
  [[nodiscard]] Finish finish_reason() const { return finish_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] ErrorCode failure_code() const { return failure_code_; }
  [[nodiscard]] const Stats& stats() const { return stats_; }
  [[nodiscard]] Pos decoded() const { return decoded_; }
  [[nodiscard]] Pos n_prompt() const { return n_prompt_; }
  // Thoughts and answer; injected summaries are hidden.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const DelimiterFaults& delimiter_faults() const { return segmenter_.faults(); }

  void write(const TraceEvent& event) const;

 private:
  struct Reading {             // how the prompt is read
    Pos head = 0;              // its first tokens, which stay
    Pos tail = 0;              // its last tokens, which stay
    Pos piece = kWholePrompt;  // most tokens of one decode
    [[nodiscard]] bool in_pieces() const { return piece != kWholePrompt; }
  };
  static constexpr Pos kWholePrompt = 1 << 30;
  static constexpr Pos kLeastRoom = 64;       // tokens beyond the prompt that a budget must leave
  static constexpr Pos kLeastInPieces = 256;  // budget with which a longer prompt is read in pieces
  [[nodiscard]] static Reading reading(const SessionOptions& options, const Policy& policy,
                                       Pos n_prompt);
  // Of a turn more; nullopt: it does not fit.
  [[nodiscard]] std::optional<Reading> next_reading(const SessionOptions& options,
                                                    Pos n_prompt) const;
  void read_prompt(std::span<const Token> prompt);
  [[nodiscard]] View view() const;
  [[nodiscard]] int next_batch() const;
  [[nodiscard]] bool may_grow() const;
  void append(Token token, bool forced);
  void take_forced();
  void take_sampled(std::span<const float> logits);
  void force_summary(const std::vector<Token>& delimiter);
  void log_boundaries();
  void take_keys(Span batch, const Needs& needs, const Observation& seen, const Rows& rows);
  void take_key(Pos pos, const Needs& needs, const HeadLayout& layout, std::span<const float> keys);
  void take_queries(const Needs& needs, const Observation& seen, const Rows& rows);
  void take_line_need(Span batch, const Needs& needs, const Observation& seen, const Rows& rows);
  [[nodiscard]] double count_missed();
  void finish(Finish reason);

  std::uint64_t id_;
  SessionOptions options_;
  std::unique_ptr<Policy> policy_;
  std::unique_ptr<Sampler> sampler_;
  const Vocabulary& vocabulary_;
  std::vector<TraceSink*> sinks_;

  Timeline timeline_;
  Segmenter segmenter_;
  LoopGuard loop_guard_;
  SummaryWriter summary_writer_;
  ThoughtIndex index_;    // of policies that vote
  LineIndex line_index_;  // of policies that follow chosen heads
  KeyLog unhidden_keys_;  // of the context that holds everything
  Evidence evidence_;
  Residency residency_;
  Stats stats_;

  Pos n_prompt_ = 0;
  Reading reading_;
  Pos head_ = 0;
  SpanSet resting_;
  int most_read_ = kWholePrompt;
  Pos decoded_ = 0;
  Pos seen_whole_ = 0;    // tokens before it were decoded when all before them was resident
  Pos looked_again_ = 0;  // tokens before it are not decoded a third time
  Boundary boundary_;     // of tokens appended since the last decode
  std::deque<Token> forced_;
  std::size_t n_delimiter_left_ = 0;  // of forced_: tokens of a summary's delimiter
  std::chrono::steady_clock::time_point last_token_;
  bool clock_running_ = false;
  std::string text_;
  Finish finish_ = Finish::running;
  std::string failure_;
  ErrorCode failure_code_ = ErrorCode::failed;
  std::size_t n_lines_logged_ = 0;
  std::size_t n_segments_logged_ = 0;
  DelimiterFaults faults_logged_;
};

}  // namespace zoomr
