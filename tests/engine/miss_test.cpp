// --miss: the budget is a ceiling, and as little stays resident as holds the missed mass.
#include "engine/planted.h"

namespace zoomr {
namespace {

struct Sums {
  double resident = 0;  // mean
  double missed = 0;    // mean
  Pos peak = 0;
};

Sums run(float miss, unsigned seed) {
  FakeKv kv(planted_options(192));
  kv.plant(plant);
  MemoryStore store;
  Engine engine(kv, store);
  Thinker t({.policy = "zoomr",
             .budget = 192,
             .n_predict = 500,
             .select = "retrieval",
             .heads = {{.layer = 1, .head = 2, .key_head = 1}},
             .miss = miss,
             .zoom_max = 16,  // nothing waits only since too much came at once
             .next = random_words(seed)});
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) {
    engine.step(sessions);
    EXPECT_LE(t.session->residency().resident.size(), 192);
  }
  EXPECT_EQ(t.session->finish_reason(), Finish::length);
  expect_same_residents(kv, t);
  expect_nothing_lost(t);
  t.expect_true_trace();
  const Stats& stats = t.session->stats();
  return {stats.mean_resident(), stats.missed_mean(), stats.peak_resident};
}

TEST(Miss, LessStaysTheMoreMayBeMissed) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    Sums before = run(0, seed);
    EXPECT_GT(before.peak, 180);
    for (const float miss : {0.001F, 0.02F, 0.1F, 0.3F}) {
      const Sums sums = run(miss, seed);
      EXPECT_LT(sums.resident, before.resident) << miss;
      EXPECT_LT(sums.missed, miss + 0.01) << miss;
      before = sums;
    }
  }
}

}  // namespace
}  // namespace zoomr
