#include "api/head_file.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/text_hash.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

std::string path_of(const std::string& model_file, const std::string& key, const char* end) {
  const std::string folder = heads_folder();
  if (folder.empty()) return "";
  return folder + "/" + std::filesystem::path(model_file).stem().string() + "-" + text_hash(key) +
         end;
}

HeadScore parse_score(const Json& j) {
  return {.head = {j.at("layer").get<int>(), j.at("head").get<int>()},
          .key_head = j.at("key_head").get<int>(),
          .value = j.at("value").get<double>(),
          .name = j.at("name").get<double>(),
          .order = j.at("order").get<double>(),
          .windowed = j.at("windowed").get<bool>()};
}

bool is_sound(const HeadScore& s) {
  const auto share = [](double score) { return score >= 0 && score <= 1.001; };
  return s.head.layer >= 0 && s.head.head >= 0 && s.key_head >= 0 && share(s.value) &&
         share(s.name) && share(s.order);
}

std::string text_of(const Json& names) {
  std::string text;
  for (const Json& name : names) text += (text.empty() ? "" : ",") + name.get<std::string>();
  return text;
}

}  // namespace

Json to_json(const HeadFile& file) {
  Json heads = Json::array();
  for (const HeadScore& s : file.probe.scores) {
    heads.push_back({{"layer", s.head.layer},
                     {"head", s.head.head},
                     {"key_head", s.key_head},
                     {"value", s.value},
                     {"name", s.name},
                     {"order", s.order},
                     {"windowed", s.windowed}});
  }
  return {{"zoomr_heads", kProbeVersion},
          {"key", file.key},
          {"model", file.model},
          {"tokens", file.probe.n_tokens},
          {"seconds", file.probe.seconds},
          {"value_heads", head_names(choose_heads(file.probe.scores, HeadKind::value))},
          {"name_heads", head_names(choose_heads(file.probe.scores, HeadKind::name))},
          {"order_heads", head_names(choose_heads(file.probe.scores, HeadKind::order))},
          {"heads", heads}};
}

std::optional<HeadProbe> parse_head_file(const std::string& text, const std::string& key) {
  try {
    const Json json = Json::parse(text);
    if (json.at("zoomr_heads") != kProbeVersion || json.at("key") != key) return std::nullopt;
    HeadProbe probe{.scores = {},
                    .n_tokens = json.at("tokens").get<int>(),
                    .seconds = json.at("seconds").get<double>()};
    for (const Json& head : json.at("heads")) probe.scores.push_back(parse_score(head));
    if (probe.scores.empty()) return std::nullopt;
    if (!std::all_of(probe.scores.begin(), probe.scores.end(), is_sound)) return std::nullopt;
    return probe;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::string head_name(int layer, int head) {
  return std::to_string(layer) + "." + std::to_string(head);
}

std::vector<Head> parse_head_list(const std::string& flag, const std::string& text) {
  std::vector<Head> heads;
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    Head head;
    const auto layer = std::from_chars(at, end, head.layer);
    const bool dot = layer.ec == std::errc() && layer.ptr != end && *layer.ptr == '.';
    const auto index = dot ? std::from_chars(layer.ptr + 1, end, head.head) : layer;
    const bool more = index.ptr != end && (*index.ptr == ',' || *index.ptr == '+');
    if (!dot || index.ec != std::errc() || (index.ptr != end && !more) || head.layer < 0 ||
        head.head < 0) {
      throw Error(ErrorCode::bad_input,
                  flag + ": heads are LAYER.HEAD[,LAYER.HEAD...], not '" + text + "'");
    }
    if (std::find(heads.begin(), heads.end(), head) == heads.end()) heads.push_back(head);
    if (!more) return heads;
    at = index.ptr + 1;
  }
}

Json head_names(const std::vector<RetrievalHead>& heads) {
  Json names = Json::array();
  for (const RetrievalHead& head : heads) names.push_back(head_name(head.layer, head.head));
  return names;
}

NamedHeads read_named_heads(const std::string& path) {
  const auto text = read_text(path);
  if (!text) throw Error(ErrorCode::bad_input, "--heads: cannot read " + path);
  try {
    const Json json = Json::parse(*text);
    NamedHeads named;
    named.values = parse_head_list("--heads", text_of(json.at("value_heads")));
    const auto optional = [&json](const char* member) {
      const std::string heads = text_of(json.value(member, Json::array()));
      return heads.empty() ? std::vector<Head>() : parse_head_list("--heads", heads);
    };
    named.names = optional("name_heads");
    named.order = optional("order_heads");
    return named;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::bad_input, "--heads: " + path + " is not a file of zoomr heads --json");
  }
}

std::string heads_folder() {
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  const std::string cache = env("XDG_CACHE_HOME");
  if (!cache.empty()) return cache + "/zoomr/heads";
  const std::string home = env("HOME");
  return home.empty() ? "" : home + "/.cache/zoomr/heads";
}

std::string heads_path(const std::string& model_file, const std::string& key) {
  return path_of(model_file, key, ".json");
}

std::string select_path(const std::string& model_file, const std::string& key) {
  return path_of(model_file, key, ".select.json");
}

std::optional<std::string> read_text(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

bool write_whole(const std::string& path, const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path target(path);
  fs::create_directories(target.parent_path(), error);
  if (error) return false;
  const fs::path draft = path + "." + std::to_string(getpid()) + ".part";
  std::ofstream file(draft, std::ios::binary);
  file << text;
  file.close();
  if (file) fs::rename(draft, target, error);
  if (file && !error) return true;
  fs::remove(draft, error);
  return false;
}

}  // namespace zoomr
