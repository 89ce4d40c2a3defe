// The heads that a run follows with --select retrieval: named by the user, or found by the recall
// probe, which runs once for a model and is kept (head_file.h).
#pragma once

#include <functional>
#include <string>

#include "api/head_file.h"
#include "zoomr/zoomr.h"

namespace zoomr {

class LlamaModel;

// One line for the user: that a probe begins, or a warning.
using Tell = std::function<void(const std::string&)>;

struct FoundHeads {
  HeadFile file;
  std::string path;   // where it is kept; "" when there is no such place
  bool kept = false;  // read from there; else probed now
};
// What the probe says of this model in such a context, from the file that an earlier one left when
// there is one and !refresh. Throws as probe_heads does.
[[nodiscard]] FoundHeads find_heads(const LlamaModel& model, const ContextOptions& context,
                                    bool refresh, const Tell& tell);

// Everything that the probe's scores depend on: HeadFile::key.
[[nodiscard]] std::string probe_key(const LlamaModel& model, const ContextOptions& context);

// Puts the heads into options.settings when the policy follows heads and has none yet, and the
// selection's settings of --select-config; options.select_config is then the file's path or none.
// Throws Error(bad_input) for heads that the model does not have or a file that names none,
// Error(unsupported) when no head looks things up.
void settle_heads(const LlamaModel& model, RunOptions& options, const Tell& tell);

// The options' flags of heads and of --select-config alone, before a model is loaded. Throws
// Error(bad_input).
void check_head_flags(const RunOptions& options);

}  // namespace zoomr
