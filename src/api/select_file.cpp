#include "api/select_file.h"

#include <algorithm>
#include <array>
#include <variant>

#include "api/head_file.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 3;

struct Setting {
  const char* name;
  std::variant<int PolicySettings::*, float PolicySettings::*> member;
};

// What `zoomr tune` chooses. How sure a model must be (`sure`) is not among it: a recording does
// not say how sure the model was.
constexpr std::array kSelection = {
    Setting{"window", &PolicySettings::window},
    Setting{"zoom_in", &PolicySettings::zoom_in},
    Setting{"zoom_in_name", &PolicySettings::zoom_in_name},
    Setting{"zoom_max", &PolicySettings::zoom_max},
    Setting{"second_look", &PolicySettings::second_look},
    Setting{"second_look_name", &PolicySettings::second_look_name},
    Setting{"fade", &PolicySettings::fade},
};

// action(name, member) of each.
template <typename Action>
void each_of_selection(Action action) {
  for (const auto& [name, member] : kSelection) {
    std::visit([&action, name = name](auto of) { action(name, of); }, member);
  }
}

std::string flag_name(std::string name) {
  std::ranges::replace(name, '_', '-');
  return name;
}

// nullopt: another version, or values that no run takes. Throws json::exception.
std::optional<PolicySettings> parse_selection(const Json& json) {
  if (json.at("zoomr_select") != kVersion) return std::nullopt;
  PolicySettings s;
  each_of_selection([&](const char* name, auto of) { json.at(name).get_to(s.*of); });
  const auto share = [](float value) { return value >= 0 && value <= 1; };
  const bool sound = s.window >= 1 && s.zoom_max >= 1 && s.second_look >= 0 &&
                     s.second_look_name >= 0 && share(s.zoom_in) && share(s.zoom_in_name) &&
                     share(s.fade);
  return sound ? std::optional(s) : std::nullopt;
}

}  // namespace

bool is_of_selection(const std::string& setting) {
  return std::ranges::any_of(kSelection,
                             [&](const Setting& of) { return flag_name(of.name) == setting; });
}

std::string selection_flags() {
  std::string flags;
  for (const Setting& of : kSelection) {
    if (&of != &kSelection.front()) flags += &of == &kSelection.back() ? " and " : ", ";
    flags += "--" + flag_name(of.name);
  }
  return flags;
}

Json selection_json(const PolicySettings& settings) {
  Json json;
  each_of_selection([&](const char* name, auto of) { json[name] = settings.*of; });
  return json;
}

Json to_json(const SelectFile& file) {
  Json json = {{"zoomr_select", kVersion},
               {"key", file.key},
               {"model", file.model},
               {"value_heads", head_names(file.settings.heads)},
               {"name_heads", head_names(file.settings.name_heads)},
               {"order_heads", head_names(file.settings.order_heads)},
               {"tokens", file.n_tokens},
               {"missed_mass", file.missed_mass}};
  json.update(selection_json(file.settings));
  return json;
}

void copy_selection(const PolicySettings& from, PolicySettings& to) {
  each_of_selection([&](const char* /*name*/, auto of) { to.*of = from.*of; });
}

bool same_selection(const PolicySettings& a, const PolicySettings& b) {
  return selection_json(a) == selection_json(b);
}

std::optional<PolicySettings> parse_select_file(const std::string& text, const std::string& key,
                                                const PolicySettings& heads) {
  try {
    const Json json = Json::parse(text);
    if (json.at("key") != key) return std::nullopt;
    if (json.at("value_heads") != head_names(heads.heads)) return std::nullopt;
    if (json.at("name_heads") != head_names(heads.name_heads)) return std::nullopt;
    if (json.at("order_heads") != head_names(heads.order_heads)) return std::nullopt;
    return parse_selection(json);
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

PolicySettings read_select_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text) throw Error(ErrorCode::bad_input, "--select-config: cannot read " + path);
  try {
    if (const auto settings = parse_selection(Json::parse(*text))) return *settings;
  } catch (const nlohmann::json::exception&) {
    // said below
  }
  throw Error(ErrorCode::bad_input, "--select-config: " + path + " is not a file of zoomr tune");
}

}  // namespace zoomr
