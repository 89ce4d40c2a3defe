// What a recall probe found, as a JSON file: what `zoomr heads --json` prints and what is kept
// between runs. docs/selection.md lists its members. No llama.cpp, no model; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/recall_probe.h"

namespace zoomr {

struct HeadFile {
  std::string key;    // what the probe depends on; another key is another probe
  std::string model;  // for people
  HeadProbe probe;
};

[[nodiscard]] nlohmann::ordered_json to_json(const HeadFile& file);
// nullopt: not such a file, another probe's version, another key, or damaged.
[[nodiscard]] std::optional<HeadProbe> parse_head_file(const std::string& text,
                                                       const std::string& key);

// "22.7". And back: LAYER.HEAD[,LAYER.HEAD...], '+' instead of ',' too, each head once, in the
// order given; `flag` is named in the message. Throws Error(bad_input).
[[nodiscard]] std::string head_name(int layer, int head);
[[nodiscard]] std::vector<Head> parse_head_list(const std::string& flag, const std::string& text);

// ["22.7", ...]
[[nodiscard]] nlohmann::ordered_json head_names(const std::vector<RetrievalHead>& heads);

// The value heads and name heads that a file of `zoomr heads --json` names; only these two members
// are read, so that one may be written by hand. Throws Error(bad_input).
struct NamedHeads {
  std::vector<Head> values;
  std::vector<Head> names;
  std::vector<Head> order;
};
[[nodiscard]] NamedHeads read_named_heads(const std::string& path);

// $XDG_CACHE_HOME/zoomr/heads or ~/.cache/zoomr/heads; "" when there is neither.
[[nodiscard]] std::string heads_folder();
// Where a model's probe, and beside it what `zoomr tune` found for the model, are kept; "" when
// there is no such folder. key: HeadFile::key.
[[nodiscard]] std::string heads_path(const std::string& model_file, const std::string& key);
[[nodiscard]] std::string select_path(const std::string& model_file, const std::string& key);
// The file's text; nullopt when it cannot be read.
[[nodiscard]] std::optional<std::string> read_text(const std::string& path);
// Written beside it and renamed, so that nobody reads half of it; folders are made. false: it could
// not be written, and nothing is left behind.
[[nodiscard]] bool write_whole(const std::string& path, const std::string& text);

}  // namespace zoomr
