// Every option of a run by its flag's name, as JSON: what a trace begins with, and what the parts
// of one evaluation must have in common.
#pragma once

#include <nlohmann/json.hpp>

#include "zoomr/zoomr.h"

namespace zoomr {

[[nodiscard]] nlohmann::ordered_json run_settings(const RunOptions& options);

}  // namespace zoomr
