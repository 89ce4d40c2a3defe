// What a session's record says; RunResult::to_json is here too.
#pragma once

#include "engine/session.h"
#include "store/thought_store.h"
#include "zoomr/zoomr.h"

namespace zoomr {

// As things stand. All but what belongs to the context and the sampler: n_ctx, peak_kv_bytes and
// seed are left to the caller.
[[nodiscard]] RunResult result_of(const Session& session, const ThoughtStore& store);

}  // namespace zoomr
