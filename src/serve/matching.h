// What a request can go on with: how much of a kept conversation stays, and what is read behind it.
//
// By messages: a client sends back what the conversation said, without the thinking, and templates
// drop it too. The kept KV still holds it: what follows is read behind that, which is not what
// encoding the whole prompt again would give (ServeLimits::strict_turns does that instead). By
// tokens: as far as the request's own tokens are those that are kept. Exact.
#pragma once

#include <optional>
#include <vector>

#include "serve/conversation.h"

namespace zoomr {

struct GoOn {
  Pos keep = 0;             // first tokens of the conversation that stay: all, or to a line's end
  std::vector<Token> more;  // the prompt that is read behind them
};

// The request's messages begin with all of the conversation's. nullopt: they do not, or the
// template cannot say what follows, or the trained length is near and the request's own prompt,
// without thinking, is shorter.
[[nodiscard]] std::optional<GoOn> by_messages(const Conversation& kept, const Turn& turn,
                                              const Vocabulary& vocabulary);

// nullopt: nothing that is worth it.
[[nodiscard]] std::optional<GoOn> by_tokens(const Conversation& kept, const Turn& turn);

// Is the request this conversation's, so that it may be cut for it: another reply at a place in it,
// or the same two messages and more at its beginning? One message alone may be everyone's system
// text. Of what has no messages: half of it stays.
[[nodiscard]] bool may_be_cut(const Conversation& kept, const Turn& turn, const GoOn& go_on);

}  // namespace zoomr
