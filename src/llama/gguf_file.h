// What a GGUF file says of itself, read without its weights: metadata and tensor shapes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct gguf_context;
struct ggml_context;
struct ggml_tensor;

namespace zoomr {

class GgufFile {
 public:
  // Throws Error(bad_input): missing, a folder, not GGUF, truncated (with the bytes it lacks).
  explicit GgufFile(const std::string& path);
  ~GgufFile();
  GgufFile(GgufFile&&) noexcept = default;
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  [[nodiscard]] std::string text(const std::string& key) const;  // "" when absent
  [[nodiscard]] std::optional<double> number(const std::string& key) const;
  // A number for all layers, or an array with one each; empty when absent.
  [[nodiscard]] std::vector<double> numbers(const std::string& key) const;
  [[nodiscard]] bool has_tensor(const std::string& part) const;  // whose name contains part
  [[nodiscard]] const ggml_tensor* tensor(const std::string& name) const;  // nullptr when absent
  [[nodiscard]] std::vector<std::string> tensor_names() const;
  [[nodiscard]] std::string architecture() const { return text("general.architecture"); }
  [[nodiscard]] bool is_f32(const std::string& key) const;

 private:
  struct FreeGguf {
    void operator()(gguf_context* context) const;
  };
  struct FreeGgml {
    void operator()(ggml_context* context) const;
  };
  void check_extent(const std::string& path) const;

  std::unique_ptr<gguf_context, FreeGguf> gguf_;
  std::unique_ptr<ggml_context, FreeGgml> tensors_;
};

}  // namespace zoomr
