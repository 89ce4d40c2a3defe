// The thought store in host memory. Checksums are XXH3-64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>

#include "store/thought_store.h"

namespace zoomr {

class MemoryStore final : public ThoughtStore {
 public:
  explicit MemoryStore(std::size_t capacity = std::numeric_limits<std::size_t>::max())
      : capacity_(capacity) {}

  [[nodiscard]] Status put(const StoreKey& key, std::uint64_t fingerprint, Blob blob) override;
  [[nodiscard]] Found get(const StoreKey& key, std::uint64_t fingerprint) override;
  [[nodiscard]] bool contains(const StoreKey& key) const override { return records_.contains(key); }
  void prepare() override;
  void erase(const StoreKey& key) override;
  // For tests: the stored bytes themselves, to be damaged.
  [[nodiscard]] std::span<std::byte> raw(const StoreKey& key);
  void erase_session(std::uint64_t session) override;
  void erase_behind(std::uint64_t session, Pos end) override;
  [[nodiscard]] std::size_t bytes() const override { return bytes_; }
  [[nodiscard]] std::size_t bytes_of(std::uint64_t session) const override;

 private:
  struct Record {
    Blob blob;
    std::uint64_t checksum = 0;
    std::uint64_t fingerprint = 0;
  };
  std::map<StoreKey, Record> records_;
  std::size_t capacity_;
  std::size_t bytes_ = 0;
  std::size_t warm_bytes_ = 0;  // the heap has been touched up to about here
};

}  // namespace zoomr
