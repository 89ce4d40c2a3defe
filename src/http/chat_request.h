// POST /v1/chat/completions: its body as a plan.
#pragma once

#include "http/context.h"

namespace zoomr {

// A chat request, rendered.
struct ChatCall {
  std::vector<ChatTemplate::Message> messages;
  ChatTemplate::Options options;
  ChatTemplate::Rendered rendered;
};

// Messages, tools, template variables, response_format; also what /apply-template reads.
// Throws Error.
[[nodiscard]] ChatCall read_chat(const Fields& fields, const ServerContext& context);

// Throws Error. The context outlives the plan.
[[nodiscard]] ReplyPlan plan_chat(const json& body, const ServerContext& context);

}  // namespace zoomr
