#include "store/memory_store.h"

#include <xxhash.h>

#include <utility>

namespace zoomr {

namespace {

std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace

ThoughtStore::Status MemoryStore::put(const StoreKey& key, std::uint64_t fingerprint, Blob blob) {
  erase(key);
  if (blob.size() > capacity_ - bytes_) return Status::full;
  bytes_ += blob.size();
  const std::uint64_t checksum = checksum_of(blob.view());
  records_[key] = {std::move(blob), checksum, fingerprint};
  return Status::ok;
}

ThoughtStore::Found MemoryStore::get(const StoreKey& key, std::uint64_t fingerprint) {
  const auto it = records_.find(key);
  if (it == records_.end()) return {Status::absent, {}};
  const Record& record = it->second;
  if (record.fingerprint != fingerprint) return {Status::foreign, {}};
  if (checksum_of(record.blob.view()) != record.checksum) return {Status::damaged, {}};
  return {Status::ok, record.blob.view()};
}

std::span<std::byte> MemoryStore::raw(const StoreKey& key) {
  Blob& blob = records_.at(key).blob;
  return {blob.data(), blob.size()};
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
