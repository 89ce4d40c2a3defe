// Tokens by their numbers; POST /tokenize and /detokenize.
#pragma once

#include <optional>

#include "engine/vocabulary.h"
#include "http/json_fields.h"

namespace zoomr {

// The token of this number; nullopt: the vocabulary has none. REQUIRES: an integer.
[[nodiscard]] std::optional<Token> find_token(const json& number, const Vocabulary& vocabulary);

// Both throw Error(bad_input).
[[nodiscard]] json tokenize(const json& body, const Vocabulary& vocabulary);
[[nodiscard]] json detokenize(const json& body, const Vocabulary& vocabulary);

}  // namespace zoomr
