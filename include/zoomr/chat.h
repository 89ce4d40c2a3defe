// A model's own chat template, for those who have one message and want a reply. Needs the target
// zoomr::chat.
#pragma once

#include <string>

#include "zoomr/zoomr.h"

namespace zoomr {

// The message as the model's template wants it, with the template's thinking delimiters. `system`
// may be empty: then the template's own default applies. Throws Error(bad_input).
[[nodiscard]] Prompt chat_prompt(const Model& model, const std::string& message,
                                 const std::string& system = "");

}  // namespace zoomr
