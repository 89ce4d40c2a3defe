// libllama's log goes to spdlog, at its debug level; its last error is kept to say why a call failed.
#pragma once

#include <string>

namespace zoomr {

void route_llama_log();  // once, before the first model
[[nodiscard]] std::string last_llama_error();  // "" when there was none

}  // namespace zoomr
