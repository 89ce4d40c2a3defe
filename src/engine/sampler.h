// Draws the next token. One owner: the session.
#pragma once

#include <span>

#include "zoomr/types.h"

namespace zoomr {

class Sampler {
 public:
  virtual ~Sampler() = default;
  // logits: [n_vocab]. Does not count the token as written: accept() does.
  [[nodiscard]] virtual Token sample(std::span<const float> logits) = 0;
  // A token was appended, sampled or not: penalties look at it. in_reply: it is not the prompt's,
  // so that a grammar sees it too.
  virtual void accept(Token token, bool in_reply) = 0;
};

}  // namespace zoomr
