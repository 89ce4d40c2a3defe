// What the index finds of what line_mass finds, on a record of real queries and keys (zoomr eval
// --record): index_recall DIR EVERY LAYER.HEAD[,LAYER.HEAD...]. Lines in the first 8 and the newest
// 256 tokens do not count, nor those that get less than 0.5 %.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "core/line_index.h"
#include "eval/record.h"

namespace zoomr {
namespace {

struct Record {
  explicit Record(const std::string& folder) {
    std::ifstream(folder + "/meta.json") >> meta;
    for (const auto& layer : meta["layers"]) {
      shapes.push_back({.n_head = layer["n_head"],
                        .n_head_kv = layer["n_head_kv"],
                        .d_head = layer["d_head"],
                        .scale = layer["scale"],
                        .softcap = layer["softcap"]});
    }
    for (const auto& line : meta["lines"]) lines.push_back({{line[0], line[1]}, 0});
    for (const char* kind : {"keys", "queries"}) {
      std::ifstream file(folder + "/" + kind + ".f32", std::ios::binary | std::ios::ate);
      std::vector<float>& into = rows[kind];
      into.resize(static_cast<std::size_t>(file.tellg()) / sizeof(float));
      file.seekg(0).read(reinterpret_cast<char*>(into.data()),
                         static_cast<std::streamsize>(into.size() * sizeof(float)));
    }
  }
  // One row, packed as this layout says.
  std::vector<float> row(const char* kind, std::size_t i, const HeadLayout& layout) const {
    const std::size_t size = meta[kind]["row"];
    std::vector<float> packed(layout.row_size);
    for (const auto& head : meta[kind]["heads"]) {
      const auto* item = layout.find({head["layer"], head["head"]});
      if (item == nullptr) continue;
      const std::size_t offset = head["offset"];
      std::copy_n(rows.at(kind).data() + i * size + offset, item->d, packed.data() + item->offset);
    }
    return packed;
  }
  nlohmann::json meta;
  std::vector<LayerShape> shapes;
  std::vector<Line> lines;
  std::map<std::string, std::vector<float>> rows;
};

std::vector<std::size_t> best_three(const std::vector<float>& shares, std::span<const Line> lines,
                                    Pos at) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].span.begin >= 8 && lines[i].span.end <= at - 256) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  order.resize(std::min<std::size_t>(order.size(), 3));
  return order;
}

struct Score {
  int asked = 0;
  int found = 0;
  double error = 0;  // relative, summed over those asked

  void add(const std::vector<float>& truth, const std::vector<float>& ours,
           std::span<const Line> lines, Pos at) {
    const auto own = best_three(ours, lines, at);
    for (const std::size_t line : best_three(truth, lines, at)) {
      if (truth[line] < 0.005F) continue;
      ++asked;
      found += static_cast<int>(std::count(own.begin(), own.end(), line));
      error += std::fabs(ours[line] - truth[line]) / truth[line];
    }
  }
};

Score score(const Record& record, std::size_t every, const HeadSelection& heads,
            const LineIndexOptions& options) {
  const HeadLayout key_layout = make_layout({.all = true}, record.shapes, true);
  HeadSelection key_heads;
  const HeadLayout query_layout = make_layout(heads, record.shapes, false);
  for (const auto& item : query_layout.items) {
    merge(key_heads, {.chosen = {query_layout.key_of(item, key_layout)->head}});
  }
  const HeadLayout keys = make_layout(key_heads, record.shapes, true);
  LineIndex index(options);
  KeyLog log;
  Score result;
  const std::vector<Pos> positions = record.meta["queries"]["positions"];
  for (std::size_t i = 0; i < positions.size(); i += every) {
    for (Pos pos = log.size(); pos <= positions[i]; ++pos) {
      const std::vector<float> row = record.row("keys", static_cast<std::size_t>(pos), keys);
      index.append(pos, keys, row);
      log.append(pos, keys, row);
    }
    const auto n_closed = std::count_if(record.lines.begin(), record.lines.end(),
                                        [&](auto& line) { return line.span.end <= log.size(); });
    const auto lines = std::span(record.lines).first(static_cast<std::size_t>(n_closed));
    const std::vector<float> query = record.row("queries", i, query_layout);
    result.add(line_mass(log, lines, query_layout, query, heads).mean,
               index.shares(lines, query_layout, query, heads).mean, lines, positions[i]);
  }
  return result;
}

}  // namespace
}  // namespace zoomr

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: index_recall DIR EVERY LAYER.HEAD[,LAYER.HEAD...]\n");
    return 2;
  }
  const zoomr::Record record(argv[1]);
  const auto every = static_cast<std::size_t>(std::max(1, std::atoi(argv[2])));
  const zoomr::HeadSelection heads = zoomr::parse_heads(argv[3]);
  for (const float dims : {0.25F, 0.5F, 1.0F}) {
    for (const int best : {8, 32}) {
      const auto s = score(record, every, heads, {.exact_below = 0, .dims = dims, .best = best});
      std::printf("dims %.2f, %2d blocks: %d of %d lines, shares off by %.2f %%\n", dims, best,
                  s.found, s.asked, 100 * s.error / std::max(1, s.asked));
    }
  }
}
