// POST /tokenize and /detokenize.
#pragma once

#include "engine/vocabulary.h"
#include "http/json_fields.h"

namespace zoomr {

// Both throw Error(bad_input).
[[nodiscard]] json tokenize(const json& body, const Vocabulary& vocabulary);
[[nodiscard]] json detokenize(const json& body, const Vocabulary& vocabulary);

}  // namespace zoomr
