#include "eval/recording.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::json;

HeadLayout read_layout(const Json& json, const std::vector<LayerShape>& layers) {
  HeadLayout layout{.items = {}, .row_size = json.at("row").get<std::size_t>(), .layers = layers};
  for (const Json& item : json.at("heads")) {
    layout.items.push_back({.head = {item.at("layer").get<int>(), item.at("head").get<int>()},
                            .d = item.at("d").get<int>(),
                            .offset = item.at("offset").get<std::size_t>()});
    const HeadLayout::Item& read = layout.items.back();
    const bool inside =
        read.d > 0 && read.offset + static_cast<std::size_t>(read.d) <= layout.row_size;
    const bool known =
        read.head.layer >= 0 && static_cast<std::size_t>(read.head.layer) < layers.size();
    if (!inside || !known) throw Json::other_error::create(501, "a head outside its row", nullptr);
  }
  return layout;
}

std::vector<LayerShape> read_layers(const Json& json) {
  std::vector<LayerShape> layers;
  for (const Json& layer : json) {
    layers.push_back({.n_head = layer.at("n_head").get<int>(),
                      .n_head_kv = layer.at("n_head_kv").get<int>(),
                      .d_head = layer.at("d_head").get<int>(),
                      .scale = layer.at("scale").get<float>(),
                      .softcap = layer.at("softcap").get<float>()});
  }
  return layers;
}

std::vector<float> read_rows(const std::filesystem::path& path, std::size_t n_rows,
                             std::size_t row_size) {
  std::vector<float> rows(n_rows * row_size);
  std::ifstream file(path, std::ios::binary);
  const auto n_bytes = static_cast<std::streamsize>(rows.size() * sizeof(float));
  file.read(reinterpret_cast<char*>(rows.data()), n_bytes);
  if (file.gcount() != n_bytes) {
    throw Error(ErrorCode::bad_input, path.string() + " is shorter than its meta.json says");
  }
  return rows;
}

void read_meta(const Json& meta, Recording& recording) {
  if (meta.at("version") != 1) throw Json::other_error::create(501, "another version", nullptr);
  recording.model = meta.at("model").get<std::string>();
  recording.model_file = meta.value("model_file", "");
  recording.probe_key = meta.value("probe_key", "");
  recording.n_prompt = meta.at("n_prompt").get<Pos>();
  recording.tokens = meta.at("tokens").get<std::vector<Token>>();
  recording.pieces = meta.at("pieces").get<std::vector<std::string>>();
  const std::vector<LayerShape> layers = read_layers(meta.at("layers"));
  recording.key_layout = read_layout(meta.at("keys"), layers);
  recording.query_layout = read_layout(meta.at("queries"), layers);
  recording.query_row.assign(meta.at("n_decoded").get<std::size_t>(), -1);
  const auto positions = meta.at("queries").at("positions").get<std::vector<std::size_t>>();
  for (std::size_t row = 0; row < positions.size(); ++row) {
    recording.query_row.at(positions[row]) = static_cast<int>(row);
  }
  if (recording.tokens.size() != recording.pieces.size() ||
      recording.tokens.size() < recording.query_row.size()) {
    throw Json::other_error::create(501, "tokens and pieces do not match", nullptr);
  }
}

}  // namespace

std::span<const float> Recording::key_row(Pos pos) const {
  return std::span(keys).subspan(static_cast<std::size_t>(pos) * key_layout.row_size,
                                 key_layout.row_size);
}

std::span<const float> Recording::queries_of(Pos pos) const {
  const int row = query_row.at(static_cast<std::size_t>(pos));
  check(row >= 0, "the token's queries were recorded");
  return std::span(queries).subspan(static_cast<std::size_t>(row) * query_layout.row_size,
                                    query_layout.row_size);
}

RetrievalHead Recording::head(Head query) const {
  const HeadLayout::Item* item = query_layout.find(query);
  if (item == nullptr) {
    throw Error(ErrorCode::bad_input, "head " + std::to_string(query.layer) + "." +
                                          std::to_string(query.head) + " is not recorded in " +
                                          folder + " (eval --record-heads)");
  }
  const HeadLayout::Item* key = query_layout.key_of(*item, key_layout);
  if (key == nullptr) {
    throw Error(ErrorCode::bad_input,
                folder + " lacks the keys of layer " + std::to_string(query.layer));
  }
  return {query.layer, query.head, key->head.head};
}

Recording read_recording(const std::string& folder) {
  const std::filesystem::path path(folder);
  std::ifstream file(path / "meta.json");
  if (!file) throw Error(ErrorCode::bad_input, folder + " holds no record (eval --record)");
  Recording recording{.folder = folder};
  try {
    read_meta(Json::parse(file), recording);
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_input, folder + "/meta.json cannot be read: " + e.what());
  }
  std::size_t n_queries = 0;
  for (const int row : recording.query_row) n_queries += row >= 0 ? 1 : 0;
  recording.keys =
      read_rows(path / "keys.f32", recording.query_row.size(), recording.key_layout.row_size);
  recording.queries = read_rows(path / "queries.f32", n_queries, recording.query_layout.row_size);
  return recording;
}

}  // namespace zoomr
