// Compaction's own failures: a line that was taken out to be moved and cannot be put back stays in
// the store.
#include "engine/testing.h"

namespace zoomr {
namespace {

TEST(Compaction, ALineThatCannotBePutBackIsStored) {
  FakeKv kv({.n_cells = 2048});
  MemoryStore store;
  Engine engine(kv, store);
  Thinker big({.policy = "full", .seq = 0, .n_predict = 1200, .next = random_words(1)});
  Thinker small({.seq = 1, .n_predict = 3000, .next = random_words(2)});
  Session* const both[] = {big.session.get(), small.session.get()};
  while (big.session->running()) engine.step(both);
  engine.forget(*big.session);
  bool failed = false;
  kv.fail_when([&](FakeKv::Site site, int) {
    if (site != FakeKv::Site::restore || failed) return DecodeStatus::ok;
    failed = true;
    return DecodeStatus::failed;
  });
  Session* const alone[] = {small.session.get()};
  for (int i = 0; i < 80 && small.session->running(); ++i) engine.step(alone);
  EXPECT_TRUE(failed);
  expect_same_residents(kv, small);
  expect_nothing_lost(small);
  small.expect_true_trace();
}

TEST(Failure, ARestoreThatIsRefusedLeavesTheLineStored) {
  FakeKv kv({.n_cells = 96});
  kv.fail_when([](FakeKv::Site site, int) {
    return site == FakeKv::Site::restore ? DecodeStatus::no_room : DecodeStatus::ok;
  });
  MemoryStore store;
  Engine engine(kv, store);
  Thinker t({.next = random_words(4)});
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) engine.step(sessions);
  EXPECT_EQ(t.session->finish_reason(), Finish::length);
  EXPECT_EQ(t.session->stats().zoom_ins, 0);
  EXPECT_GT(t.session->stats().failed_moves, 0);
  expect_nothing_lost(t);
  t.expect_true_trace();
}

TEST(Failure, ASaveThatFailsKeepsTheLineAndEndsTheRunInTime) {
  FakeKv kv({.n_cells = 96});
  kv.fail_when([](FakeKv::Site site, int) {
    return site == FakeKv::Site::save ? DecodeStatus::failed : DecodeStatus::ok;
  });
  MemoryStore store;
  Engine engine(kv, store);
  Thinker t({.next = random_words(4)});
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) engine.step(sessions);
  EXPECT_EQ(t.session->finish_reason(), Finish::error);
  EXPECT_NE(t.session->failure().find("could not be stored"), std::string::npos)
      << t.session->failure();
  EXPECT_LE(t.session->residency().resident.size(), 96);
  expect_same_residents(kv, t);
  expect_nothing_lost(t);
}

}  // namespace
}  // namespace zoomr
