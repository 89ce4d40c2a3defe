#include "eval/record.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/head_file.h"
#include "api/heads.h"
#include "api/session_group.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

static_assert(sizeof(float) == 4, "rows are written as they lie in memory");

class Recorder final : public Probe {
 public:
  Recorder(const std::filesystem::path& folder, HeadSelection queries, HeadSelection keys)
      : queries_(std::move(queries)),
        keys_(std::move(keys)),
        key_file_(folder / "keys.f32", std::ios::binary),
        query_file_(folder / "queries.f32", std::ios::binary) {}

  [[nodiscard]] HeadSelection keys() const override { return keys_; }
  [[nodiscard]] HeadSelection queries() const override { return queries_; }
  void on_keys(Pos /*pos*/, const HeadLayout& layout, std::span<const float> row) override {
    key_layout = layout;
    write(key_file_, row);
  }
  void on_queries(Pos pos, const HeadLayout& layout, std::span<const float> row) override {
    query_layout = layout;
    query_positions.push_back(pos);
    write(query_file_, row);
  }
  [[nodiscard]] bool ok() {
    key_file_.flush();
    query_file_.flush();
    return key_file_.good() && query_file_.good();
  }

  HeadLayout key_layout;
  HeadLayout query_layout;
  std::vector<Pos> query_positions;

 private:
  static void write(std::ofstream& file, std::span<const float> row) {
    file.write(reinterpret_cast<const char*>(row.data()),
               static_cast<std::streamsize>(row.size_bytes()));
  }
  HeadSelection queries_;
  HeadSelection keys_;
  std::ofstream key_file_;
  std::ofstream query_file_;
};

// The pieces of a run, one a token.
class Pieces final : public TraceSink {
 public:
  void write(const TraceEvent& event) override {
    if (const auto* token = std::get_if<TokenEvent>(&event)) {
      pieces.push_back(token->piece);
    } else if (const auto* line = std::get_if<LineEvent>(&event)) {
      lines.push_back({line->span.begin, line->span.end});
    }
  }
  nlohmann::ordered_json pieces = nlohmann::ordered_json::array();
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
};

nlohmann::ordered_json heads_json(const HeadLayout& layout) {
  auto heads = nlohmann::ordered_json::array();
  for (const HeadLayout::Item& item : layout.items) {
    heads.push_back({{"layer", item.head.layer},
                     {"head", item.head.head},
                     {"d", item.d},
                     {"offset", item.offset}});
  }
  return heads;
}

nlohmann::ordered_json layers_json(const HeadLayout& layout) {
  auto layers = nlohmann::ordered_json::array();
  for (const LayerShape& shape : layout.layers) {
    layers.push_back({{"n_head", shape.n_head},
                      {"n_head_kv", shape.n_head_kv},
                      {"d_head", shape.d_head},
                      {"scale", shape.scale},
                      {"softcap", shape.softcap}});
  }
  return layers;
}

}  // namespace

HeadSelection parse_heads(const std::string& text) {
  HeadSelection heads;
  if (text == "all") {
    heads.all = true;
    return heads;
  }
  heads.chosen = parse_head_list("--record-heads", text);
  std::sort(heads.chosen.begin(), heads.chosen.end());
  return heads;
}

void record(const Model& model, const Problem& problem, const Prompt& prompt,
            const RunOptions& options, const HeadSelection& heads, const std::string& folder) {
  const std::filesystem::path path(folder);
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (std::filesystem::exists(path / "meta.json")) {
    throw Error(ErrorCode::bad_input, folder + " holds a record already: name another folder");
  }
  // Which key head a query head reads is known once the shapes are: all keys are kept.
  Recorder recorder(path, heads, HeadSelection{.all = true, .chosen = {}});
  if (!recorder.ok()) throw Error(ErrorCode::bad_input, "cannot write into the folder " + folder);
  Pieces pieces;
  std::vector<SessionGroup::Member> members(1);
  members[0] = {.prompt = prompt, .watchers = {&pieces}, .probe = &recorder};
  SessionGroup group(model.impl(), with_full_kv(options), std::move(members));
  const Session& session = group.session(0);
  bool checked = false;
  while (group.step()) {
    if (checked || recorder.query_layout.layers.empty()) continue;
    checked = true;
    for (const Head& head : heads.chosen) {
      if (recorder.query_layout.find(head) != nullptr) continue;
      std::filesystem::remove(path / "keys.f32", error);
      std::filesystem::remove(path / "queries.f32", error);
      throw Error(ErrorCode::bad_input, "the model has no head " + std::to_string(head.layer) +
                                            "." + std::to_string(head.head));
    }
  }
  if (session.finish_reason() == Finish::error) {
    throw Error(ErrorCode::failed, "the run to be recorded: " + session.failure());
  }
  const nlohmann::ordered_json meta = {
      {"version", 1},
      {"model", model.impl().description()},
      {"model_file", std::filesystem::path(model.impl().options().path).filename().string()},
      {"probe_key", probe_key(model.impl(), options.context)},
      {"task", problem.task},
      {"problem", problem.id},
      {"expected", problem.answer},
      {"text", session.text()},
      {"n_prompt", session.n_prompt()},
      {"n_decoded", session.decoded()},
      {"tokens",
       std::vector<Token>(session.timeline().tokens().begin(), session.timeline().tokens().end())},
      {"pieces", pieces.pieces},
      {"lines", pieces.lines},
      {"layers", layers_json(recorder.query_layout)},
      {"keys", {{"row", recorder.key_layout.row_size}, {"heads", heads_json(recorder.key_layout)}}},
      {"queries",
       {{"row", recorder.query_layout.row_size},
        {"heads", heads_json(recorder.query_layout)},
        {"positions", recorder.query_positions}}}};
  std::ofstream out(path / "meta.json");
  out << meta.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  if (!out.flush() || !recorder.ok()) {
    throw Error(ErrorCode::failed, "cannot write the record into " + folder);
  }
}

}  // namespace zoomr
