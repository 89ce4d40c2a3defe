#include "store/memory_store.h"

#include <gtest/gtest.h>

#include <cstring>

namespace zoomr {
namespace {

using Status = ThoughtStore::Status;

Blob blob_of(const std::string& text) {
  Blob blob(text.size());
  std::memcpy(blob.data(), text.data(), text.size());
  return blob;
}

const StoreKey kKey{1, {10, 20}};

TEST(MemoryStore, GivesBackWhatItWasGiven) {
  MemoryStore store;
  ASSERT_EQ(store.put(kKey, 7, blob_of("hello")), Status::ok);
  const auto found = store.get(kKey, 7);
  ASSERT_EQ(found.status, Status::ok);
  EXPECT_EQ(std::memcmp(found.blob.data(), "hello", 5), 0);
  EXPECT_EQ(store.bytes(), 5U);
}

TEST(MemoryStore, FindsEveryFlippedBit) {
  const std::string text = "the details of a thought";
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    MemoryStore store;
    ASSERT_EQ(store.put(kKey, 7, blob_of(text)), Status::ok);
    store.raw(kKey)[bit / 8] ^= std::byte{static_cast<unsigned char>(1U << (bit % 8))};
    ASSERT_EQ(store.get(kKey, 7).status, Status::damaged) << "bit " << bit;
  }
}

TEST(MemoryStore, RefusesAnotherContextsBlob) {
  MemoryStore store;
  ASSERT_EQ(store.put(kKey, 7, blob_of("x")), Status::ok);
  EXPECT_EQ(store.get(kKey, 8).status, Status::foreign);
}

TEST(MemoryStore, SaysWhatIsAbsent) {
  MemoryStore store;
  EXPECT_EQ(store.get(kKey, 7).status, Status::absent);
  EXPECT_FALSE(store.contains(kKey));
  store.erase(kKey);
  EXPECT_EQ(store.bytes(), 0U);
}

TEST(MemoryStore, IsFullAtItsCapacity) {
  MemoryStore store(8);
  EXPECT_EQ(store.put(kKey, 7, blob_of("12345678")), Status::ok);
  EXPECT_EQ(store.put({1, {0, 1}}, 7, blob_of("9")), Status::full);
  EXPECT_FALSE(store.contains({1, {0, 1}}));
  store.erase(kKey);
  EXPECT_EQ(store.put({1, {0, 1}}, 7, blob_of("9")), Status::ok);
}

TEST(MemoryStore, AReplacementThatDoesNotFitChangesNothing) {
  MemoryStore store(4);
  ASSERT_EQ(store.put(kKey, 7, blob_of("1234")), Status::ok);
  EXPECT_EQ(store.put(kKey, 7, blob_of("12345")), Status::full);
  EXPECT_EQ(store.get(kKey, 7).status, Status::ok);
  EXPECT_EQ(store.bytes(), 4U);
}

TEST(MemoryStore, ErasesOneSessionAlone) {
  MemoryStore store;
  ASSERT_EQ(store.put({1, {0, 5}}, 7, blob_of("a")), Status::ok);
  ASSERT_EQ(store.put({2, {0, 5}}, 7, blob_of("b")), Status::ok);
  ASSERT_EQ(store.put({1, {9, 12}}, 7, blob_of("c")), Status::ok);
  store.erase_session(1);
  EXPECT_EQ(store.bytes(), 1U);
  EXPECT_TRUE(store.contains({2, {0, 5}}));
}

}  // namespace
}  // namespace zoomr
