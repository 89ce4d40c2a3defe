#include "store/memory_store.h"

#include <xxhash.h>

namespace zoomr {

ThoughtStore::Status MemoryStore::put(const StoreKey& key, std::uint64_t fingerprint,
                                      std::span<const std::byte> blob) {
  erase(key);
  if (blob.size() > capacity_ - bytes_) return Status::full;
  records_[key] = {{blob.begin(), blob.end()}, XXH3_64bits(blob.data(), blob.size()), fingerprint};
  bytes_ += blob.size();
  return Status::ok;
}

ThoughtStore::Found MemoryStore::get(const StoreKey& key, std::uint64_t fingerprint) {
  const auto it = records_.find(key);
  if (it == records_.end()) return {Status::absent, {}};
  const Record& record = it->second;
  if (record.fingerprint != fingerprint) return {Status::foreign, {}};
  if (XXH3_64bits(record.blob.data(), record.blob.size()) != record.checksum) {
    return {Status::damaged, {}};
  }
  return {Status::ok, record.blob};
}

void MemoryStore::erase(const StoreKey& key) {
  const auto it = records_.find(key);
  if (it == records_.end()) return;
  bytes_ -= it->second.blob.size();
  records_.erase(it);
}

void MemoryStore::erase_session(std::uint64_t session) {
  auto it = records_.lower_bound({session, {0, 0}});
  while (it != records_.end() && it->first.session == session) {
    bytes_ -= it->second.blob.size();
    it = records_.erase(it);
  }
}

}  // namespace zoomr
