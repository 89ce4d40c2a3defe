// The engine: one step for a list of sessions. Start reading here.
//
//   needs -> arm -> decode -> observe -> plan -> diff -> apply -> log -> sample
//
// The second look: where a plan says that the newest tokens were decoded without what now comes
// back, they are decoded again, once, before the next one is sampled: in the same step, or in the
// next one beside the others' tokens (Looks).
//
// Where a policy foresees, a second context that holds everything decodes the tokens first, and
// plan -> diff -> apply -> log come before the decode as well.
//
// One inference thread. The Kv and the store outlive the engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/residency.h"
#include "engine/session.h"
#include "kv/kv.h"
#include "store/thought_store.h"

namespace zoomr {

class Engine {
 public:
  // `unhidden`: the context that holds everything, for policies that foresee; outlives the engine.
  Engine(Kv& kv, ThoughtStore& store, Kv* unhidden = nullptr)
      : kv_(kv), store_(store), unhidden_(unhidden) {}

  // Moves every running session on by its next tokens, decoded as one batch. A session that fails
  // ends with Finish::error; the others go on. A broken invariant of one session is such a failure,
  // with Session::failure_code() bug. Throws what goes wrong for all, nothing decoded then.
  // Sessions that do not run are counted in compaction only.
  //
  // A second look at once keeps sessions in step with each other. A decode takes about as long for
  // one token as for many, so where they need not be, looks join the others' next batch.
  enum class Looks : std::uint8_t { at_once, join };
  void step(std::span<Session* const> sessions, Looks looks = Looks::at_once);

  // Between two turns of a session that does not run. Of all three false means that it cannot be
  // done exactly: then the session is of no more use, and is to be forgotten.
  //
  // Zooms out all that is resident; no cell is taken any more.
  [[nodiscard]] bool zoom_out_whole(Session& session);
  // Brings that back. There must be room for Session::resting().
  [[nodiscard]] bool zoom_in_whole(Session& session);
  // Forgets the tokens from `end` on, which must be the end of a line. The session may be zoomed
  // out whole afterwards.
  [[nodiscard]] bool cut(Session& session, Pos end);

  // The session's prompt begins as another's does: what is resident there is shared instead of
  // read. Returns how many tokens that are; 0: nothing is worth it or exact.
  [[nodiscard]] Pos share(const Session& from, Session& session);

  // Frees what a session holds in the context and in the store.
  void forget(const Session& session);

 private:
  struct Slice {  // a session's part of the batch
    Session* session = nullptr;
    Span span;
    Needs needs;
    Session::Rows rows;
    int logits_row = -1;
  };
  struct Step {
    std::vector<Slice> slices;
    std::vector<BatchToken> batch;
    Capture capture;
  };
  [[nodiscard]] Step gather(std::span<Session* const> sessions) const;
  void foresee(Session& session);
  [[nodiscard]] bool decode(const Step& step);
  void sample(const Slice& slice);
  [[nodiscard]] std::span<const float> logits_of(const Slice& slice);
  // Of sessions whose newest tokens are to be decoded again.
  void look_again(std::span<Session* const> sessions);
  // True when its newest tokens are to be decoded again; `logits`: of the newest, if it has any.
  bool follow_plan(Session& session, std::span<const float> logits = {});
  void apply(const Edit& edit, Session& session);
  [[nodiscard]] EditEvent drop(Session& session, Span span);
  [[nodiscard]] EditEvent zoom_out(Session& session, Span span);
  [[nodiscard]] EditEvent zoom_in(Session& session, Span span);
  void compact(std::span<Session* const> sessions);
  [[nodiscard]] bool compact_topmost(std::span<Session* const> sessions);

  Kv& kv_;
  ThoughtStore& store_;
  Kv* unhidden_;
};

}  // namespace zoomr
