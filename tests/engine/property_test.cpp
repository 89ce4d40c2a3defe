// Every policy through one suite: random token streams, with one and with several sessions, with
// and without failures. The invariants hold at every step (the engine throws otherwise), the trace
// is true, the Kv holds what the session believes, and what is not dropped is never lost.
#include <limits>

#include "engine/testing.h"

namespace zoomr {
namespace {

struct Case {
  std::string policy;
  unsigned seed = 0;
  std::string select = "paper";
  float miss = 0;
};

SummaryMode summaries_of(const std::string& policy) {
  return policy == "summary-only" ? SummaryMode::native : SummaryMode::none;
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const PolicyInfo& info : policies()) {
    for (unsigned seed = 1; seed <= 3; ++seed) result.push_back({std::string(info.name), seed});
  }
  result.push_back({"zoomr", 4, "retrieval"});
  result.push_back({"zoomr", 5, "retrieval", 0.1F});
  return result;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return case_name(info.param.policy + "_" + std::to_string(info.param.seed));
}

class EveryPolicy : public ::testing::TestWithParam<Case> {
 protected:
  // What the sessions share; room for all that is written where the policy keeps all.
  struct World {
    explicit World(int n_cells, std::size_t store_bytes = std::numeric_limits<std::size_t>::max())
        : kv({.n_cells = GetParam().policy == "full" ? 2048 : n_cells}), store(store_bytes) {}
    FakeKv kv;
    MemoryStore store;
    FakeKv unhidden{{.n_cells = 2048}};
    Engine engine{kv, store, &unhidden};
  };
  [[nodiscard]] static bool drops(const std::string& policy) {
    return policy == "streaming-llm" || policy == "h2o" || policy == "r-kv" ||
           policy == "summary-only";
  }
  static Scene scene(SeqId seq = 0) {
    return {
        .policy = GetParam().policy,
        .seq = seq,
        .select = GetParam().select,
        .heads = {{.layer = 0, .head = 1, .key_head = 0}, {.layer = 1, .head = 3, .key_head = 1}},
        .name_heads = {{.layer = 0, .head = 2, .key_head = 1}},
        .order_heads = {{.layer = 1, .head = 0, .key_head = 0}},
        .miss = GetParam().miss,
        .summaries = summaries_of(GetParam().policy),
        .next = random_words(GetParam().seed + 100 * static_cast<unsigned>(seq))};
  }
  static void expect_sound(const FakeKv& kv, Thinker& thinker) {
    expect_same_residents(kv, thinker);
    if (!drops(GetParam().policy)) expect_nothing_lost(thinker);
    thinker.expect_true_trace();
  }
};

TEST_P(EveryPolicy, OneSession) {
  World world(96);
  Thinker thinker(scene());
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) {
    world.engine.step(sessions);
    if (GetParam().policy != "full") {
      ASSERT_LE(thinker.session->residency().resident.size(), 96);
    }
  }
  EXPECT_EQ(thinker.session->finish_reason(), Finish::length);
  EXPECT_EQ(thinker.session->stats().n_generated, 300);
  expect_sound(world.kv, thinker);
}

TEST_P(EveryPolicy, ThreeSessionsInOneMemory) {
  World world(3 * 96);
  Thinker a(scene(0));
  Thinker b(scene(1));
  Thinker c(scene(2));
  Session* const sessions[] = {a.session.get(), b.session.get(), c.session.get()};
  for (int i = 0;
       i < 2000 && (a.session->running() || b.session->running() || c.session->running()); ++i)
    world.engine.step(sessions);
  for (Thinker* thinker : {&a, &b, &c}) {
    EXPECT_EQ(thinker->session->finish_reason(), Finish::length);
    expect_sound(world.kv, *thinker);
  }
}

// Of the moves at one token, decoded once or twice: no more lines come in than may, and what comes
// in stays.
TEST_P(EveryPolicy, NothingComesInAndLeavesAtOnce) {
  World world(96);
  Thinker thinker(scene());
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) world.engine.step(sessions);
  SpanSet came;
  int n_came = 0;
  int n_all = 0;
  Pos decoded = 0;
  for (const TraceEvent& event : thinker.recorder.events) {
    const auto* decode = std::get_if<DecodeEvent>(&event);
    if (decode != nullptr && decode->span.end > std::exchange(decoded, decode->span.end)) {
      if (GetParam().select == "retrieval") {
        EXPECT_LE(n_came, PolicySettings{}.zoom_max);
      }
      n_all += std::exchange(n_came, 0);
      came = {};
    }
    const auto* edit = std::get_if<EditEvent>(&event);
    if (edit == nullptr || edit->kind == EditKind::compact || edit->kind == EditKind::again) {
      continue;
    }
    if (edit->kind == EditKind::in) {
      came.insert(edit->span);
      ++n_came;
    } else if (GetParam().policy != "oracle") {  // it plans behind a decode and before the next
      EXPECT_TRUE(came.intersection({edit->span}).empty()) << to_string(edit->span);
    }
  }
  if (GetParam().select == "retrieval") {
    EXPECT_GT(n_all, 10);
  }
}

// What one session writes does not depend on who thinks beside it.
TEST_P(EveryPolicy, NeighboursChangeNothing) {
  const auto think = [&](bool with_neighbour) {
    World world(2 * 96);
    Thinker a(scene(0));
    Thinker b(scene(1));
    Session* const both[] = {a.session.get(), b.session.get()};
    while (a.session->running()) world.engine.step(std::span(both).first(with_neighbour ? 2 : 1));
    std::vector<std::uint64_t> contents;
    for (const Pos pos : world.kv.resident(0)) contents.push_back(world.kv.content(0, pos));
    return std::pair(a.session->residency(), contents);
  };
  EXPECT_EQ(think(false), think(true));
}

TEST_P(EveryPolicy, ForcedTokensInChunksKeepTheBudget) {
  World world(128);
  Scene s = scene();
  s.budget = 128;
  s.forced_chunk = 16;
  Thinker thinker(s);
  std::vector<Token> taught;
  const auto next = random_words(GetParam().seed);
  for (int i = 0; i < 200; ++i) taught.push_back(next());
  thinker.session->teach(taught);
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) world.engine.step(sessions);
  EXPECT_EQ(thinker.session->stats().n_generated, 300);
  for (std::size_t i = 0; i < taught.size(); ++i)
    ASSERT_EQ(thinker.session->timeline().tokens()[12 + i], taught[i]);
  expect_sound(world.kv, thinker);
}

// A prompt that is not pinned is cut into lines, and leaves like any others.
TEST_P(EveryPolicy, AnUnpinnedPromptMayLeave) {
  World world(160);
  Scene s = scene();
  s.pin_prompt = false;
  s.n_prompt = 80;
  s.budget = 160;
  Thinker thinker(s);
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) world.engine.step(sessions);
  EXPECT_EQ(thinker.session->finish_reason(), Finish::length);
  expect_sound(world.kv, thinker);
}

// A failure at every call site, at every call: the run ends or goes on, but nothing is lost.
TEST_P(EveryPolicy, EveryFailureAtEveryCall) {
  using Site = FakeKv::Site;
  for (const Site site : {Site::decode, Site::save, Site::restore}) {
    for (const DecodeStatus status :
         {DecodeStatus::no_room, DecodeStatus::aborted, DecodeStatus::failed}) {
      if (site != Site::decode && status != DecodeStatus::failed) continue;
      for (int call = 0; call < 40; call += 3) {
        World world(96);
        world.kv.fail_when(
            [&](Site at, int n) { return at == site && n == call ? status : DecodeStatus::ok; });
        Scene s = scene();
        s.n_predict = 150;
        Thinker thinker(s);
        Session* const sessions[] = {thinker.session.get()};
        while (thinker.session->running()) world.engine.step(sessions);
        if (site == Site::decode) {
          ASSERT_EQ(thinker.session->finish_reason(),
                    status == DecodeStatus::aborted ? Finish::interrupted : Finish::error);
        }
        expect_sound(world.kv, thinker);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(EveryPolicy, RandomFailures) {
  World world(96);
  std::mt19937 random(GetParam().seed);
  world.kv.fail_when([&](FakeKv::Site site, int) {
    return site != FakeKv::Site::decode && random() % 5 == 0 ? DecodeStatus::failed
                                                             : DecodeStatus::ok;
  });
  Thinker thinker(scene());
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) world.engine.step(sessions);
  expect_sound(world.kv, thinker);
}

TEST_P(EveryPolicy, AFullStoreEndsTheRunWithoutLoss) {
  World world(96, 50 * sizeof(std::uint64_t));
  Thinker thinker(scene());
  Session* const sessions[] = {thinker.session.get()};
  while (thinker.session->running()) world.engine.step(sessions);
  const bool stores = !drops(GetParam().policy) && GetParam().policy != "full";
  EXPECT_EQ(thinker.session->finish_reason(), stores ? Finish::error : Finish::length);
  expect_sound(world.kv, thinker);
}

INSTANTIATE_TEST_SUITE_P(All, EveryPolicy, ::testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace zoomr
