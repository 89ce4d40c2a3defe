// What a session's record says; RunResult::to_json is here too.
#pragma once

#include "core/trace.h"
#include "engine/session.h"
#include "kv/kv.h"
#include "store/thought_store.h"
#include "zoomr/zoomr.h"

namespace zoomr {

// As things stand; n_cells: of the context, the session's part. The seed is left to the caller.
[[nodiscard]] RunResult result_of(const Session& session, const ThoughtStore& store, const Kv& kv,
                                  int n_cells);
// The last record of a trace.
[[nodiscard]] FinalEvent final_event(const RunResult& result);

}  // namespace zoomr
