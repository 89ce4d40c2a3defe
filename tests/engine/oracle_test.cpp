// On a fake whose every token needs one old passage, planted, no policy holds
// more of what is needed than the oracle.
#include "engine/planted.h"

namespace zoomr {
namespace {

// Share of the needed tokens that were resident when they were needed.
double share_held(const std::string& policy, const std::string& select = "paper") {
  FakeKv kv(planted_options(policy == "full" ? 1024 : 96));
  FakeKv unhidden(planted_options(1024));
  kv.plant(plant);
  unhidden.plant(plant);
  MemoryStore store;
  Engine engine(kv, store, &unhidden);
  Thinker thinker(
      {.policy = policy,
       .select = select,
       .heads = {{.layer = 1, .head = 2, .key_head = 1}},
       .summaries = policy == "summary-only" ? SummaryMode::native : SummaryMode::none});
  double held = 0;
  double of = 0;
  kv.fail_when([&](FakeKv::Site site, int) {
    const Pos pos = thinker.session->decoded();
    if (site == FakeKv::Site::decode && needed(pos) >= 0) {
      const Pos begin = needed(pos) * kPassage;
      held +=
          thinker.session->residency().resident.intersection({{begin, begin + kPassage}}).size();
      of += kPassage;
    }
    return DecodeStatus::ok;
  });
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) engine.step(sessions);
  return held / of;
}

TEST(Oracle, HoldsMoreOfWhatIsNeededThanAnyOther) {
  const double oracle = share_held("oracle");
  EXPECT_GT(oracle, 0.8);
  EXPECT_EQ(share_held("full"), 1);
  for (const PolicyInfo& info : policies()) {
    const std::string name(info.name);
    if (name == "full" || name == "oracle") continue;
    EXPECT_LT(share_held(name), oracle - 0.1) << name;
  }
  EXPECT_LT(share_held("zoomr", "retrieval"), oracle);
}

// The head that looks back says what it misses: from the second token on the passage is there.
TEST(Retrieval, HoldsWhatItsHeadLooksFor) {
  EXPECT_GT(share_held("zoomr", "retrieval"), 0.6);
  EXPECT_GT(share_held("zoomr", "retrieval"), share_held("zoomr", "paper") + 0.2);
}

// Its second context fails: the session ends, and what it held is told truly.
TEST(Oracle, AFailureOfItsSecondContextEndsTheSession) {
  FakeKv kv({.n_cells = 96});
  FakeKv unhidden({.n_cells = 1024});
  unhidden.fail_when(
      [](FakeKv::Site, int call) { return call == 60 ? DecodeStatus::failed : DecodeStatus::ok; });
  MemoryStore store;
  Engine engine(kv, store, &unhidden);
  Thinker thinker({.policy = "oracle"});
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) engine.step(sessions);
  EXPECT_EQ(thinker.session->finish_reason(), Finish::error);
  expect_same_residents(kv, thinker);
  expect_nothing_lost(thinker);
  thinker.expect_true_trace();
}

}  // namespace
}  // namespace zoomr
