#include "api/select_file.h"

#include "api/head_file.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 2;

// nullopt: another version, or values that no run takes. Throws json::exception.
std::optional<PolicySettings> parse_selection(const Json& json) {
  if (json.at("zoomr_select") != kVersion) return std::nullopt;
  const PolicySettings s = {.window = json.at("window").get<int>(),
                            .zoom_in = json.at("zoom_in").get<float>(),
                            .zoom_in_name = json.at("zoom_in_name").get<float>(),
                            .zoom_max = json.at("zoom_max").get<int>(),
                            .second_look = json.at("second_look").get<float>(),
                            .fade = json.at("fade").get<float>()};
  const auto share = [](float value) { return value >= 0 && value <= 1; };
  const bool sound = s.window >= 1 && s.zoom_max >= 1 && s.second_look >= 0 && share(s.zoom_in) &&
                     share(s.zoom_in_name) && share(s.fade);
  return sound ? std::optional(s) : std::nullopt;
}

}  // namespace

Json selection_json(const PolicySettings& s) {
  return {
      {"window", s.window},     {"zoom_in", s.zoom_in},         {"zoom_in_name", s.zoom_in_name},
      {"zoom_max", s.zoom_max}, {"second_look", s.second_look}, {"fade", s.fade}};
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
  to.window = from.window;
  to.zoom_in = from.zoom_in;
  to.zoom_in_name = from.zoom_in_name;
  to.zoom_max = from.zoom_max;
  to.second_look = from.second_look;
  to.fade = from.fade;
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
