// A policy as typed where several are compared: NAME[:key=value...], e.g. zoomr:select=paper or
// full:ctk=q8_0. Keys are the flags' names without dashes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zoomr/zoomr.h"

namespace zoomr {

struct PolicySpec {
  std::string typed;        // as the user wrote it: the row's name
  RunOptions options;       // the defaults given, with this policy and its settings
  bool has_budget = false;  // one of its settings is a budget
};

// "1024" or "+128" (beyond the prompt). Throws Error(bad_input).
[[nodiscard]] Budget parse_budget(const std::string& text);

// A comma-separated list. Throws Error(bad_input) for an unknown policy, key or value.
[[nodiscard]] std::vector<PolicySpec> parse_policies(std::string_view list,
                                                     const RunOptions& defaults);

}  // namespace zoomr
