// The thought store: the KV of lines that left the context, each with a checksum and the
// fingerprint of the context that wrote it. A blob is put once, since a closed line never changes.
// One thread at a time; sizes in bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kv/blob.h"
#include "zoomr/types.h"

namespace zoomr {

struct StoreKey {
  std::uint64_t session = 0;
  Span span;
  auto operator<=>(const StoreKey&) const = default;
};

class ThoughtStore {
 public:
  enum class Status : std::uint8_t {
    ok,
    absent,
    damaged,  // the checksum does not match: never hand such bytes to libllama, a NaN in them
              // poisons other sequences
    foreign,  // written by a context of another fingerprint
    full,     // the store cannot take more
  };
  struct Found {
    Status status = Status::absent;
    std::span<const std::byte> blob;  // valid until the next call that changes the store
  };

  virtual ~ThoughtStore() = default;
  [[nodiscard]] virtual Status put(const StoreKey& key, std::uint64_t fingerprint, Blob blob) = 0;
  [[nodiscard]] virtual Found get(const StoreKey& key, std::uint64_t fingerprint) = 0;
  [[nodiscard]] virtual bool contains(const StoreKey& key) const = 0;
  // Called between steps: whatever makes the next put() quick. Nothing to see from outside.
  virtual void prepare() {}
  virtual void erase(const StoreKey& key) = 0;  // absent: nothing happens
  virtual void erase_session(std::uint64_t session) = 0;
  // All of the session's spans that reach behind `end`.
  virtual void erase_behind(std::uint64_t session, Pos end) = 0;
  [[nodiscard]] virtual std::size_t bytes() const = 0;
  [[nodiscard]] virtual std::size_t bytes_of(std::uint64_t session) const = 0;
};

}  // namespace zoomr
