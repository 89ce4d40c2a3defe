// The messages and tools of a chat request: read with clear errors, and as the canonical text by
// which a kept conversation is found again.
#pragma once

#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "http/json_fields.h"

namespace zoomr {

// Throws Error(bad_input), or Error(unsupported) for images and sounds.
[[nodiscard]] std::vector<ChatTemplate::Message> read_messages(const Fields& fields);

// tools, tool_choice, parallel_tool_calls.
void read_tools(const Fields& fields, ChatTemplate::Options& options);

// One JSON text a message: role, content, tool calls; no thinking, which clients do not send back.
// What the whole conversation stands under (tools, template variables) is part of the first.
[[nodiscard]] std::vector<std::string> canonical(const std::vector<ChatTemplate::Message>& messages,
                                                 const ChatTemplate::Options& options);
// A reply as the message that a client will send back.
[[nodiscard]] std::string canonical(const ChatTemplate::Reply& reply);

}  // namespace zoomr
