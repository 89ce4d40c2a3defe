// The tap: reads queries and keys out of a running llama_decode, through the public eval callback.
//
// Queries are src[0] of a FLASH_ATTN_EXT node, copied inside that node's own callback: one node
// later the buffer is reused. Keys are the cache rows that the layer's SET_ROWS node names, not its
// src[0], which is fused away on CUDA and Vulkan and overwritten on CPU in many architectures.
// Which nodes are asked for depends only on the layers of the armed capture, never on the rows, so
// that a back end which caches graphs keeps them.
//
// Runs on the thread inside llama_decode; nothing here may throw across it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/capture.h"

struct ggml_tensor;

namespace zoomr {

class Tap {
 public:
  // The callback for llama_context_params::cb_eval; user_data is the Tap.
  static bool on_eval(ggml_tensor* node, bool ask, void* user_data);

  // Learns the shapes of all layers and the cache's size from the next decode, of one token.
  // n_visible: cells that it sees where no window hides any; a layer that sees fewer has the
  // window, in tokens.
  void learn(int n_visible, Pos window);
  // What the decodes from now on are to copy; REQUIRES learned shapes when it asks for anything.
  void arm(const Capture& capture);
  void disarm();

  // Empty when the last armed decode was seen whole, else what went wrong.
  [[nodiscard]] const std::string& fault() const { return fault_; }
  [[nodiscard]] const Observation& observation() const { return observation_; }
  [[nodiscard]] std::span<const LayerShape> layers() const { return layers_; }
  [[nodiscard]] std::size_t cache_bytes() const { return cache_bytes_; }
  // Cells that attention ran over in the last decode in which a layer was asked for.
  [[nodiscard]] int attention_width() const { return attention_width_; }

 private:
  struct Layer {
    ggml_tensor* set_rows = nullptr;  // this graph's node that writes the layer's keys
    int rows_seen = 0;                // batch rows of earlier ubatches
    bool wanted = false;
  };
  bool ask(ggml_tensor* node);
  void take(ggml_tensor* node);
  void learn_shape(const ggml_tensor* node, int layer);
  void learn_cache(const ggml_tensor* root);
  void take_queries(const ggml_tensor* node, int layer, int first_row, int n_rows);
  void take_keys(const Layer& state, int layer, int first_row, int n_rows);
  bool copy(const ggml_tensor* tensor, std::size_t begin, std::size_t end);
  bool read_cells(const ggml_tensor* index, int first_row, int n_rows);
  void keep_keys(std::span<const HeadLayout::Item> items, const ggml_tensor& root, std::size_t at,
                 std::size_t i);
  Layer& layer_state(int layer);

  bool learning_ = false;
  int n_visible_ = 1;
  Pos window_ = 0;
  bool armed_ = false;
  Capture capture_;
  Observation observation_;
  std::vector<LayerShape> layers_;
  std::vector<Layer> state_;
  std::vector<const ggml_tensor*> cache_roots_;
  std::size_t cache_bytes_ = 0;
  int attention_width_ = 0;
  std::string fault_;
  std::vector<std::byte> copied_;  // what the last copy() brought
  std::vector<float> row_f32_;
  std::vector<std::int64_t> cells_;            // SET_ROWS indices of the ubatch
  const ggml_tensor* cells_tensor_ = nullptr;  // that they were read from
  int cells_first_row_ = 0;
};

}  // namespace zoomr
