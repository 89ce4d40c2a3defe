// Reads what `zoomr eval --record` wrote (docs/evaluation.md): one full-KV run's tokens, lines, and
// the keys and queries of its heads, to be replayed without a model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/capture.h"
#include "core/timeline.h"
#include "zoomr/policy_settings.h"

namespace zoomr {

struct Recording {
  std::string folder;
  std::string model;       // description
  std::string model_file;  // its name; "" where an older zoomr recorded
  std::string probe_key;   // of the model and its KV: HeadFile::key; "" likewise
  Pos n_prompt = 0;
  std::vector<Token> tokens;        // prompt and reply
  std::vector<std::string> pieces;  // one a token
  HeadLayout key_layout;            // of every key head
  HeadLayout query_layout;          // of the recorded query heads
  std::vector<float> keys;          // [n_decoded][key_layout.row_size]
  std::vector<float> queries;       // [recorded tokens][query_layout.row_size]
  std::vector<int> query_row;       // [n_decoded] the row of a token's queries; -1: not recorded

  [[nodiscard]] Pos n_decoded() const { return static_cast<Pos>(query_row.size()); }
  [[nodiscard]] std::span<const float> key_row(Pos pos) const;
  // REQUIRES: recorded.
  [[nodiscard]] std::span<const float> queries_of(Pos pos) const;
  // With the key head that it reads. Throws Error(bad_input) when it was not recorded.
  [[nodiscard]] RetrievalHead head(Head query) const;
};

// Throws Error(bad_input) when the folder holds no record of a form that is understood.
[[nodiscard]] Recording read_recording(const std::string& folder);

}  // namespace zoomr
