// libllama's log goes to spdlog, at its debug level; its last error is kept to say why a call
// failed.
#pragma once

#include <string>

namespace zoomr {

void route_llama_log();  // once, before the first model
// Before a call whose failure is to be explained: what went wrong earlier is not its reason.
void forget_llama_error();
[[nodiscard]] std::string last_llama_error();  // "" when there was none

}  // namespace zoomr
