// What the engine knows of a model's vocabulary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

class Vocabulary {
 public:
  virtual ~Vocabulary() = default;
  // The token's text, special tokens included; may be part of a UTF-8 character.
  [[nodiscard]] virtual std::string piece(Token token) const = 0;
  // Does the token end the model's turn?
  [[nodiscard]] virtual bool is_eog(Token token) const = 0;
  // add_special: with the beginning-of-sequence token where the model wants it. parse_special:
  // the text of a special token becomes that token.
  [[nodiscard]] virtual std::vector<Token> tokenize(std::string_view text, bool add_special,
                                                    bool parse_special) const = 0;
  [[nodiscard]] virtual int n_tokens() const = 0;
};

}  // namespace zoomr
