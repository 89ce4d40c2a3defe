#include "llama/tap.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "ggml-backend.h"
#include "ggml.h"

namespace zoomr {

namespace {

constexpr const char* kKeyCache = "cache_k_l";

// The tensor that owns the memory a view or a cast reads. An f32 cache is cast to f16 before the
// attention (llama-graph.cpp, build_attn_mha), so a cast is followed too.
const ggml_tensor* root_of(const ggml_tensor* tensor) {
  for (int depth = 0; depth < 8; ++depth) {
    if (tensor->view_src != nullptr && tensor->op != GGML_OP_CPY) {
      tensor = tensor->view_src;
    } else if (tensor->op == GGML_OP_CPY || tensor->op == GGML_OP_CONT) {
      tensor = tensor->src[0];
    } else {
      break;
    }
  }
  return tensor;
}

// The layer of a key cache tensor; -1 when it is none.
int key_cache_layer(const ggml_tensor* root) {
  const std::size_t n = std::strlen(kKeyCache);
  if (std::strncmp(root->name, kKeyCache, n) != 0) return -1;
  int layer = -1;
  return std::sscanf(root->name + n, "%d", &layer) == 1 ? layer : -1;
}

bool is_attention(const ggml_tensor* node) { return node->op == GGML_OP_FLASH_ATTN_EXT; }

float op_param(const ggml_tensor* node, int i) {
  float value = 0;
  std::memcpy(&value, &node->op_params[i], sizeof value);
  return value;
}

bool in_range(const ggml_tensor* tensor, std::size_t offset, std::size_t size) {
  return offset + size <= ggml_nbytes(tensor);  // reading past the end would abort the process
}

// The items of a layout that belong to one layer: a contiguous run, since items are sorted.
std::span<const HeadLayout::Item> items_of(const HeadLayout& layout, int layer) {
  const auto less = [](const HeadLayout::Item& item, int l) { return item.head.layer < l; };
  const auto first = std::lower_bound(layout.items.begin(), layout.items.end(), layer, less);
  const auto last = std::lower_bound(first, layout.items.end(), layer + 1, less);
  return {first, last};
}

// How many rows from the i-th on are rows of this ubatch and follow each other; 0: the i-th is
// none.
template <typename Follows>
std::size_t run_of(const std::vector<int>& rows, std::size_t i, int first_row, int n_rows,
                   const Follows& follows) {
  const auto here = [&](std::size_t k) {
    return k < rows.size() && rows[k] >= first_row && rows[k] < first_row + n_rows;
  };
  std::size_t n = 0;
  while (here(i + n) && (n == 0 || follows(i + n))) ++n;
  return n;
}

// Cells that the first row of an attention's mask lets through; src[3] is f16 or f32, [n_cells,
// n_tokens], -inf where hidden (llama-graph.cpp, build_attn_inp_kq_mask). -1: there is no mask.
int count_visible(const ggml_tensor* node) {
  const ggml_tensor* mask = node->src[3];
  if (mask == nullptr || (mask->type != GGML_TYPE_F16 && mask->type != GGML_TYPE_F32)) return -1;
  std::vector<std::byte> row(ggml_row_size(mask->type, mask->ne[0]));
  ggml_backend_tensor_get(mask, row.data(), 0, row.size());
  int n = 0;
  for (std::int64_t i = 0; i < mask->ne[0]; ++i) {
    const std::byte* at = row.data() + static_cast<std::size_t>(i) * ggml_type_size(mask->type);
    float value = 0;
    ggml_fp16_t half = 0;
    if (mask->type == GGML_TYPE_F32) {
      std::memcpy(&value, at, sizeof value);
    } else {
      std::memcpy(&half, at, sizeof half);
      value = ggml_fp16_to_fp32(half);
    }
    if (value > -1e4F) ++n;
  }
  return n;
}

}  // namespace

bool Tap::on_eval(ggml_tensor* node, bool ask, void* user_data) {
  auto* tap = static_cast<Tap*>(user_data);
  if (!tap->learning_ && !tap->armed_) return !ask;  // false here would end the graph's split
  try {
    if (ask) return tap->ask(node);
    tap->take(node);
  } catch (const std::exception& e) {  // nothing may throw across the C callback
    tap->fault_ = e.what();
    return !ask;
  }
  return true;
}

void Tap::learn(int n_visible, Pos window) {
  window_ = window;
  learning_ = true;
  n_visible_ = n_visible;
  layers_.clear();
  cache_roots_.clear();
  cache_bytes_ = 0;
  disarm();
}

void Tap::arm(const Capture& capture) {
  learning_ = false;
  armed_ = capture.any();
  fault_.clear();
  cells_tensor_ = nullptr;
  for (Layer& layer : state_) layer = {};
  if (!armed_) return;
  capture_ = capture;
  state_.resize(layers_.size());
  observation_.key_layout = make_layout(capture.keys, layers_, true);
  observation_.query_layout = make_layout(capture.queries, layers_, false);
  observation_.keys.assign(observation_.key_layout.row_size * capture.key_rows.size(), 0);
  observation_.queries.assign(observation_.query_layout.row_size * capture.query_rows.size(), 0);
  for (const HeadLayout* layout : {&observation_.key_layout, &observation_.query_layout}) {
    for (const auto& item : layout->items) layer_state(item.head.layer).wanted = true;
  }
}

void Tap::disarm() {
  armed_ = false;
  observation_ = {};
}

Tap::Layer& Tap::layer_state(int layer) {
  if (layer >= static_cast<int>(state_.size())) state_.resize(static_cast<std::size_t>(layer) + 1);
  return state_[static_cast<std::size_t>(layer)];
}

bool Tap::ask(ggml_tensor* node) {
  if (node->op == GGML_OP_SET_ROWS) {
    const ggml_tensor* root = root_of(node);
    if (learning_) learn_cache(root);
    const int layer = key_cache_layer(root);
    if (layer >= 0) layer_state(layer).set_rows = node;
    return false;
  }
  if (!is_attention(node)) return false;
  const int layer = key_cache_layer(root_of(node->src[1]));
  return layer >= 0 && (learning_ || layer_state(layer).wanted);
}

void Tap::take(ggml_tensor* node) {
  if (!is_attention(node)) return;
  const int layer = key_cache_layer(root_of(node->src[1]));
  if (layer < 0) return;
  attention_width_ = std::max(attention_width_, static_cast<int>(node->src[1]->ne[1]));
  if (learning_) return learn_shape(node, layer);
  Layer& state = layer_state(layer);
  const int n_rows = static_cast<int>(node->src[0]->ne[1]);
  if (layer == 0 || state.rows_seen == 0) attention_width_ = static_cast<int>(node->src[1]->ne[1]);
  take_keys(state, layer, state.rows_seen, n_rows);
  take_queries(node, layer, state.rows_seen, n_rows);
  state.rows_seen += n_rows;
}

void Tap::learn_shape(const ggml_tensor* node, int layer) {
  if (layer >= static_cast<int>(layers_.size()))
    layers_.resize(static_cast<std::size_t>(layer) + 1);
  const int n_visible = count_visible(node);
  // op_params of FLASH_ATTN_EXT: scale, max_bias, logit_softcap (ggml.c, ggml_flash_attn_ext).
  layers_[static_cast<std::size_t>(layer)] = {
      .n_head = static_cast<int>(node->src[0]->ne[2]),
      .n_head_kv = static_cast<int>(node->src[1]->ne[2]),
      .d_head = static_cast<int>(node->src[0]->ne[0]),
      .scale = op_param(node, 0),
      .softcap = op_param(node, 2),
      .window = n_visible >= 0 && n_visible < n_visible_ ? window_ : 0,
  };
}

void Tap::learn_cache(const ggml_tensor* root) {
  if (std::strncmp(root->name, "cache_", 6) != 0) return;
  if (std::find(cache_roots_.begin(), cache_roots_.end(), root) != cache_roots_.end()) return;
  cache_roots_.push_back(root);
  cache_bytes_ += ggml_nbytes(root);
}

void Tap::take_queries(const ggml_tensor* node, int layer, int first_row, int n_rows) {
  const auto items = items_of(observation_.query_layout, layer);
  if (items.empty()) return;
  const ggml_tensor* q = node->src[0];  // f32 [d_head, n_tokens, n_head], permuted
  const auto& wanted = capture_.query_rows;
  const auto offset_of = [&](std::size_t i, const HeadLayout::Item& item) {
    return static_cast<std::size_t>(wanted[i] - first_row) * q->nb[1] +
           static_cast<std::size_t>(item.head.head) * q->nb[2];
  };
  const auto size_of = [](const HeadLayout::Item& item) {
    return static_cast<std::size_t>(item.d) * sizeof(float);
  };
  // The heads of a token lie side by side, and so do tokens: all of a run of rows, from its first
  // to its last item, comes in one copy.
  const bool packed = q->nb[2] < q->nb[1];
  for (std::size_t i = 0; i < wanted.size();) {
    const std::size_t n = run_of(wanted, i, first_row, n_rows, [&](std::size_t k) {
      return packed && wanted[k] == wanted[k - 1] + 1;
    });
    for (auto first = items.begin(); n > 0 && first != items.end();) {
      const auto last = packed ? items.end() : first + 1;
      const std::size_t begin = offset_of(i, *first);
      const std::size_t end = offset_of(i + n - 1, *(last - 1)) + size_of(*(last - 1));
      if (!copy(q, begin, end)) {
        fault_ = "a query lies outside of its tensor";
        return;
      }
      for (; first != last; ++first) {
        for (std::size_t k = i; k < i + n; ++k) {
          float* out = observation_.queries.data() + k * observation_.query_layout.row_size;
          std::memcpy(out + first->offset, copied_.data() + (offset_of(k, *first) - begin),
                      size_of(*first));
        }
      }
    }
    i += std::max<std::size_t>(n, 1);
  }
}

// These bytes of a tensor, into copied_; false: it has them not. A copy from a device is a round
// trip to it, whatever its size: what lies together is fetched together.
bool Tap::copy(const ggml_tensor* tensor, std::size_t begin, std::size_t end) {
  if (!in_range(tensor, begin, end - begin)) return false;
  copied_.resize(end - begin);
  ggml_backend_tensor_get(tensor, copied_.data(), begin, end - begin);
  return true;
}

// The cells that the ubatch's tokens are written to; false: in an unknown way. The layers of a
// graph share the tensor that names them, so it is read once.
bool Tap::read_cells(const ggml_tensor* index, int first_row, int n_rows) {
  if (index->type != GGML_TYPE_I64 || index->ne[0] != n_rows) return false;
  if (index == cells_tensor_ && first_row == cells_first_row_) return true;
  cells_.resize(static_cast<std::size_t>(n_rows));
  ggml_backend_tensor_get(index, cells_.data(), 0, cells_.size() * sizeof(std::int64_t));
  cells_tensor_ = index;
  cells_first_row_ = first_row;
  return true;
}

void Tap::take_keys(const Layer& state, int layer, int first_row, int n_rows) {
  const auto items = items_of(observation_.key_layout, layer);
  if (items.empty()) return;
  if (state.set_rows == nullptr) {
    fault_ = "no node writes the keys of layer " + std::to_string(layer);
    return;
  }
  if (!read_cells(state.set_rows->src[1], first_row, n_rows)) {
    fault_ = "the keys of layer " + std::to_string(layer) + " are written in an unknown way";
    return;
  }
  const ggml_tensor* root = root_of(state.set_rows);
  const std::size_t row_bytes = ggml_row_size(root->type, root->ne[0]);
  const auto& wanted = capture_.key_rows;
  const auto cell_of = [&](std::size_t i) {
    return static_cast<std::size_t>(cells_[static_cast<std::size_t>(wanted[i] - first_row)]);
  };
  for (std::size_t i = 0; i < wanted.size();) {
    const std::size_t n = run_of(wanted, i, first_row, n_rows,
                                 [&](std::size_t k) { return cell_of(k) == cell_of(k - 1) + 1; });
    if (n > 0 && !copy(root, cell_of(i) * row_bytes, (cell_of(i) + n) * row_bytes)) {
      fault_ = "a key lies outside of its tensor";
      return;
    }
    for (std::size_t k = 0; k < n; ++k) keep_keys(items, *root, k * row_bytes, i + k);
    i += std::max<std::size_t>(n, 1);
  }
}

// Of the cache row that lies in copied_ at this byte, the heads of the items, as key row `i`.
void Tap::keep_keys(std::span<const HeadLayout::Item> items, const ggml_tensor& root,
                    std::size_t at, std::size_t i) {
  row_f32_.resize(static_cast<std::size_t>(root.ne[0]));
  if (root.type == GGML_TYPE_F32) {
    std::memcpy(row_f32_.data(), copied_.data() + at, row_f32_.size() * sizeof(float));
  } else {
    ggml_get_type_traits(root.type)->to_float(copied_.data() + at, row_f32_.data(), root.ne[0]);
  }
  float* out = observation_.keys.data() + i * observation_.key_layout.row_size;
  for (const auto& item : items) {
    const std::size_t begin =
        static_cast<std::size_t>(item.head.head) * static_cast<std::size_t>(item.d);
    if (begin + static_cast<std::size_t>(item.d) > row_f32_.size()) continue;
    std::copy_n(row_f32_.data() + begin, item.d, out + item.offset);
  }
}

}  // namespace zoomr
