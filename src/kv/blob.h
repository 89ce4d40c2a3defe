// The bytes of a saved span. Moved, never copied: a copy of megabytes costs more than the save.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace zoomr {

class Blob {
 public:
  Blob() = default;
  // n_bytes that are not initialised: libllama writes all of them.
  explicit Blob(std::size_t n_bytes)
      : bytes_(std::make_unique_for_overwrite<std::byte[]>(n_bytes)), size_(n_bytes) {}

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::byte* data() { return bytes_.get(); }
  [[nodiscard]] std::span<const std::byte> view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace zoomr
