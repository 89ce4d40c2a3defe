// Settings of --select retrieval that suit a model and its texts, as a JSON file: what `zoomr tune`
// keeps beside the model's heads, and what --select-config reads. docs/selection.md lists its
// members. No llama.cpp, no model; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "zoomr/policy_settings.h"

namespace zoomr {

struct SelectFile {
  std::string key;          // of the heads' file beside which it lies (head_file.h)
  std::string model;        // for people
  PolicySettings settings;  // of these the selection's and the heads
  int n_tokens = 0;         // of the recordings that chose them
  double missed_mass = 0;   // mean share of attention on these tokens
};

[[nodiscard]] nlohmann::ordered_json to_json(const SelectFile& file);
// Is it the selection's, named as on the command line: window, zoom-in, zoom-in-name, zoom-max,
// second-look, second-look-name or fade?
[[nodiscard]] bool is_of_selection(const std::string& setting);
// For people: "--window, --zoom-in, ... and --fade".
[[nodiscard]] std::string selection_flags();
// The selection's settings by their members' names.
[[nodiscard]] nlohmann::ordered_json selection_json(const PolicySettings& settings);
// Those settings alone, from one to the other; and are they equal?
void copy_selection(const PolicySettings& from, PolicySettings& to);
[[nodiscard]] bool same_selection(const PolicySettings& a, const PolicySettings& b);

// The selection's settings of a kept file. nullopt: not such a file, another version, another key,
// chosen for other heads than those in `heads`, or damaged.
[[nodiscard]] std::optional<PolicySettings> parse_select_file(const std::string& text,
                                                              const std::string& key,
                                                              const PolicySettings& heads);
// A file that the user names: its selection's settings, whatever model and heads they were chosen
// for. Throws Error(bad_input).
[[nodiscard]] PolicySettings read_select_file(const std::string& path);

}  // namespace zoomr
