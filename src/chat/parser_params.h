// What a reply's parser needs, in llama.cpp's types. For the files of src/chat alone.
#pragma once

#include "chat.h"  // llama.cpp's
#include "chat/chat_template.h"

namespace zoomr {

[[nodiscard]] common_chat_parser_params parser_params(const ChatTemplate::Rendered& rendered);
[[nodiscard]] ChatTemplate::Reply as_reply(const common_chat_msg& message);

}  // namespace zoomr
