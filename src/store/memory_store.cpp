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
  const auto old = records_.find(key);
  const std::size_t others = bytes_ - (old == records_.end() ? 0 : old->second.blob.size());
  if (blob.size() > capacity_ - others) return Status::full;
  bytes_ = others + blob.size();
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

// The first touch of fresh memory costs twice what saving into it does. So the heap is touched
// ahead of need, between steps; the program keeps freed memory (cli/main.cpp), so that this lasts.
void MemoryStore::prepare() {
  constexpr std::size_t kSlab = std::size_t{32} << 20;
  constexpr std::size_t kPage = 4096;
  if (bytes_ == 0 || bytes_ + kSlab / 2 < warm_bytes_) return;
  Blob slab(kSlab);
  for (std::size_t i = 0; i < slab.size(); i += kPage) slab.data()[i] = std::byte{1};
  asm volatile("" : : "r"(slab.data()) : "memory");  // not optimised away
  warm_bytes_ = bytes_ + kSlab;
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

std::size_t MemoryStore::bytes_of(std::uint64_t session) const {
  std::size_t bytes = 0;
  for (auto it = records_.lower_bound({session, {0, 0}});
       it != records_.end() && it->first.session == session; ++it) {
    bytes += it->second.blob.size();
  }
  return bytes;
}

void MemoryStore::erase_session(std::uint64_t session) { erase_behind(session, 0); }

void MemoryStore::erase_behind(std::uint64_t session, Pos end) {
  auto it = records_.lower_bound({session, {0, 0}});
  while (it != records_.end() && it->first.session == session) {
    if (it->first.span.end <= end) {
      ++it;
      continue;
    }
    bytes_ -= it->second.blob.size();
    it = records_.erase(it);
  }
}

}  // namespace zoomr
