#include "eval/recorded_kv.h"

#include <algorithm>

namespace zoomr {

namespace {

// Copies what `to` asks for out of a row packed as `from` says.
void copy_row(std::span<const float> row, const HeadLayout& from, const HeadLayout& to,
              std::vector<float>& out) {
  const std::size_t begin = out.size();
  out.resize(begin + to.row_size, 0);
  for (const HeadLayout::Item& item : to.items) {
    const HeadLayout::Item* source = from.find(item.head);
    if (source == nullptr) continue;
    std::copy_n(row.begin() + static_cast<std::ptrdiff_t>(source->offset), item.d,
                out.begin() + static_cast<std::ptrdiff_t>(begin + item.offset));
  }
}

}  // namespace

DecodeStatus RecordedKv::decode(std::span<const BatchToken> batch, const Capture& capture) {
  observation_ = {
      .key_layout = make_layout(capture.keys, recording_.key_layout.layers, true),
      .query_layout = make_layout(capture.queries, recording_.query_layout.layers, false),
      .keys = {},
      .queries = {}};
  for (const int row : capture.key_rows) {
    copy_row(recording_.key_row(batch[static_cast<std::size_t>(row)].pos), recording_.key_layout,
             observation_.key_layout, observation_.keys);
  }
  for (const int row : capture.query_rows) {
    const Pos pos = batch[static_cast<std::size_t>(row)].pos;
    if (pos < 0 || recording_.query_row[static_cast<std::size_t>(pos)] < 0) {
      // Inside the prompt: nobody asked for what would have been looked up there.
      observation_.queries.resize(observation_.queries.size() + observation_.query_layout.row_size);
      continue;
    }
    copy_row(recording_.queries_of(pos), recording_.query_layout, observation_.query_layout,
             observation_.queries);
  }
  return DecodeStatus::ok;
}

}  // namespace zoomr
