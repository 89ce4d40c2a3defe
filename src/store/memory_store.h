// The thought store in host memory. Checksums are XXH3-64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "store/thought_store.h"

namespace zoomr {

class MemoryStore final : public ThoughtStore {
 public:
  explicit MemoryStore(std::size_t capacity = std::numeric_limits<std::size_t>::max())
      : capacity_(capacity) {}

  [[nodiscard]] Status put(const StoreKey& key, std::uint64_t fingerprint,
                           std::span<const std::byte> blob) override;
  [[nodiscard]] Found get(const StoreKey& key, std::uint64_t fingerprint) override;
  [[nodiscard]] bool contains(const StoreKey& key) const override { return records_.contains(key); }
  void erase(const StoreKey& key) override;
  void erase_session(std::uint64_t session) override;
  [[nodiscard]] std::size_t bytes() const override { return bytes_; }

 private:
  struct Record {
    std::vector<std::byte> blob;
    std::uint64_t checksum = 0;
    std::uint64_t fingerprint = 0;
  };
  std::map<StoreKey, Record> records_;
  std::size_t capacity_;
  std::size_t bytes_ = 0;
};

}  // namespace zoomr
