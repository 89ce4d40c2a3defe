// The service on a model: one context of libllama for all conversations.
#pragma once

#include <memory>

#include "api/heads.h"
#include "serve/service.h"
#include "zoomr/zoomr.h"

namespace zoomr {

class LlamaModel;

struct ServeOptions {
  RunOptions run;      // policy, context, -c of a session; its budget and sampling are not used
  int n_parallel = 4;  // sessions that have a place at a time
  Pos budget = 2048;   // tokens of a session, unless its request says otherwise
  Pos kv_total = 0;    // tokens that all sessions share; 0: n_parallel budgets
  int queue = 64;      // requests that may wait for a place
  bool strict_turns = false;  // ServeLimits says what this means
};

// Makes the context and proves that zooming is exact on this model. Throws Error(bad_input) for
// options that do not fit, Error(unsupported) as Run does. The model outlives the service.
[[nodiscard]] std::unique_ptr<Service> make_service(const LlamaModel& model,
                                                    const ServeOptions& options, const Tell& tell);

}  // namespace zoomr
