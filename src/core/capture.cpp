#include "core/capture.h"

#include <algorithm>

namespace zoomr {

void merge(HeadSelection& into, const HeadSelection& more) {
  into.all = into.all || more.all;
  if (into.all) {
    into.chosen.clear();
    return;
  }
  std::vector<Head> both;
  std::set_union(into.chosen.begin(), into.chosen.end(), more.chosen.begin(), more.chosen.end(),
                 std::back_inserter(both));
  into.chosen = std::move(both);
}

bool HeadSelection::contains(Head head) const {
  return all || std::binary_search(chosen.begin(), chosen.end(), head);
}

const HeadLayout::Item* HeadLayout::find(Head head) const {
  const auto it = std::lower_bound(items.begin(), items.end(), head,
                                   [](const Item& item, Head h) { return item.head < h; });
  return it != items.end() && it->head == head ? &*it : nullptr;
}

const HeadLayout::Item* HeadLayout::key_of(const Item& query, const HeadLayout& keys) const {
  const LayerShape& shape = layers[static_cast<std::size_t>(query.head.layer)];
  const int group = std::max(1, shape.n_head / std::max(1, shape.n_head_kv));
  const Item* key = keys.find({query.head.layer, query.head.head / group});
  return key != nullptr && key->d == query.d ? key : nullptr;
}

HeadLayout make_layout(const HeadSelection& selection, std::span<const LayerShape> layers,
                       bool keys) {
  HeadLayout layout;
  layout.layers.assign(layers.begin(), layers.end());
  const auto add = [&](Head head) {
    if (head.layer < 0 || head.layer >= static_cast<int>(layers.size())) return;
    const LayerShape& shape = layers[static_cast<std::size_t>(head.layer)];
    if (head.head < 0 || head.head >= (keys ? shape.n_head_kv : shape.n_head)) return;
    layout.items.push_back({head, shape.d_head, layout.row_size});
    layout.row_size += static_cast<std::size_t>(shape.d_head);
  };
  if (!selection.all) {
    for (const Head head : selection.chosen) add(head);
    return layout;
  }
  for (int layer = 0; layer < static_cast<int>(layers.size()); ++layer) {
    const LayerShape& shape = layers[static_cast<std::size_t>(layer)];
    for (int head = 0; head < (keys ? shape.n_head_kv : shape.n_head); ++head) add({layer, head});
  }
  return layout;
}

}  // namespace zoomr
