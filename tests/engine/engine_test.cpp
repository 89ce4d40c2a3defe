#include <set>

#include "engine/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

struct Stage {
  explicit Stage(int n_cells = 1024) : kv({.n_cells = n_cells}), engine(kv, store) {}
  void run(Thinker& thinker) {
    Session* const sessions[] = {thinker.session.get()};
    while (thinker.session->running()) engine.step(sessions);
  }
  FakeKv kv;
  MemoryStore store;
  Engine engine;
};

std::vector<Token> words(const std::vector<std::string>& text) {
  std::vector<Token> tokens;
  for (const std::string& word : text) tokens.push_back(Words::id(word));
  return tokens;
}

TEST(Session, WritesWhatIsSampled) {
  Stage stage;
  Thinker t({.policy = "full", .next = script(words({" a", " bee", " sees", "."}))});
  stage.run(t);
  EXPECT_EQ(t.session->text(), " a bee sees.");
  EXPECT_EQ(t.session->finish_reason(), Finish::stop);
  EXPECT_EQ(t.session->stats().n_generated, 4);
  EXPECT_EQ(t.sampler->accepted, words({" a", " bee", " sees", "."}));
}

TEST(Session, ReadsALongPromptInPieces) {
  Stage stage;
  Thinker t({.policy = "full", .n_predict = 3, .n_prompt = 150});
  stage.run(t);
  const auto decodes = t.recorder.all<DecodeEvent>();
  ASSERT_GE(decodes.size(), 3U);
  EXPECT_EQ(decodes[0].span, (Span{0, 64}));
  EXPECT_EQ(decodes[2].span, (Span{128, 150}));
}

TEST(Session, EndsAtItsLength) {
  Stage stage;
  Thinker t({.policy = "full", .n_predict = 7});
  stage.run(t);
  EXPECT_EQ(t.session->finish_reason(), Finish::length);
  EXPECT_EQ(t.session->stats().n_generated, 7);
}

TEST(Session, ALoopEndsIt) {
  std::vector<std::string> line(9, " a");
  line.push_back("\n");
  std::vector<std::string> text;
  for (int i = 0; i < 6; ++i) text.insert(text.end(), line.begin(), line.end());
  Stage stage;
  Thinker t({.policy = "full", .loop_guard = true, .next = script(words(text))});
  stage.run(t);
  EXPECT_EQ(t.session->finish_reason(), Finish::loop);
  EXPECT_EQ(t.session->stats().n_generated, 40);
  Thinker free({.policy = "full", .seq = 1, .next = script(words(text))});
  stage.run(free);
  EXPECT_EQ(free.session->finish_reason(), Finish::stop);
}

TEST(Session, RefusesABudgetWithoutRoom) {
  try {
    Thinker t({.budget = 70, .n_prompt = 12});
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find("76"), std::string::npos) << e.what();
  }
}

TEST(Session, RefusesAnEmptyPrompt) { EXPECT_THROW(Thinker({.n_prompt = 0}), Error); }

TEST(Engine, ALineComesBackBitForBit) {
  Stage stage(96);
  std::map<Pos, std::uint64_t> first;
  Thinker t({.next = random_words(4)});
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) {
    stage.engine.step(sessions);
    for (const Pos pos : stage.kv.resident(0)) {
      const auto [it, is_new] = first.emplace(pos, stage.kv.content(0, pos));
      ASSERT_EQ(it->second, stage.kv.content(0, pos)) << pos;
    }
  }
  EXPECT_GT(t.session->stats().zoom_ins, 0);
}

TEST(Engine, ALineIsSavedOnce) {
  Stage stage(96);
  Thinker t({.next = random_words(4)});
  stage.run(t);
  std::map<Pos, int> saves;
  int again = 0;
  for (const EditEvent& e : t.recorder.all<EditEvent>()) {
    if (e.kind != EditKind::out) continue;
    if (e.bytes > 0)
      ++saves[e.span.begin];
    else
      ++again;
  }
  for (const auto& [pos, n] : saves) EXPECT_EQ(n, 1) << pos;
  EXPECT_GT(again, 0);
}

TEST(Engine, ADamagedLineNeverReachesTheKv) {
  Stage stage(96);
  Thinker t({.next = random_words(4)});
  Session* const sessions[] = {t.session.get()};
  std::set<Pos> damaged;
  while (t.session->running()) {
    stage.engine.step(sessions);
    for (const Line& line : t.session->timeline().lines()) {
      const StoreKey key{t.session->id(), line.span};
      if (!stage.store.contains(key) || !damaged.insert(line.span.begin).second) continue;
      stage.store.raw(key)[3] ^= std::byte{16};
    }
  }
  EXPECT_EQ(t.session->finish_reason(), Finish::error);
  EXPECT_NE(t.session->failure().find("damaged"), std::string::npos);
}

TEST(Engine, PlantedEvidenceBringsTheRightLineBack) {
  // Every key is zero but those of the first generated line; queries point at them.
  FakeKv kv({.n_cells = 96});
  kv.plant([](Token, Pos pos, const HeadLayout&, bool keys, std::span<float> row) {
    for (float& value : row) value = !keys || (pos >= 12 && pos < 16) ? 1.0F : 0.0F;
  });
  MemoryStore store;
  Engine engine(kv, store);
  Thinker t({.n_predict = 200, .next = script([] {
                                 std::vector<Token> tokens;
                                 for (int i = 0; i < 200; ++i)
                                   tokens.push_back(Words::id(i % 5 == 3 ? "." : " a"));
                                 return tokens;
                               }())});
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) engine.step(sessions);
  EXPECT_TRUE(t.session->residency().resident.covers(t.session->timeline().lines()[1].span));
  // All heads vote for it, and with their second vote, a tie of zeros, for the most recent line.
  EXPECT_EQ(t.session->evidence().vote->ranked[1].candidate.details.begin, 12);
  EXPECT_EQ(t.session->evidence().vote->ranked[1].votes, 8);
}

TEST(Engine, DropsComeBeforeRestores) {
  Stage stage(96);
  Thinker t({.next = random_words(9)});
  stage.run(t);
  // Between two decodes no `out` or `drop` follows an `in`.
  bool in_seen = false;
  for (const TraceEvent& event : t.recorder.events) {
    if (std::holds_alternative<DecodeEvent>(event)) in_seen = false;
    const auto* edit = std::get_if<EditEvent>(&event);
    if (edit == nullptr || edit->kind == EditKind::compact) continue;
    if (edit->kind == EditKind::in)
      in_seen = true;
    else
      EXPECT_FALSE(in_seen);
  }
}

TEST(Engine, ASessionThatFailsLeavesTheOthers) {
  FakeKv kv({.n_cells = 2 * 96});
  MemoryStore store;
  Engine engine(kv, store);
  Thinker a({.seq = 0, .next = random_words(1)});
  Thinker b({.seq = 1, .next = random_words(2)});
  Session* const sessions[] = {a.session.get(), b.session.get()};
  for (int i = 0; i < 50; ++i) engine.step(sessions);
  a.session->fail("the client went away");
  for (int i = 0; i < 50; ++i) engine.step(sessions);
  EXPECT_EQ(a.session->finish_reason(), Finish::error);
  EXPECT_TRUE(b.session->running());
  EXPECT_GT(b.session->decoded(), a.session->decoded());
}

TEST(Engine, ForgettingFreesCellsAndStore) {
  Stage stage(96);
  Thinker t({.next = random_words(4)});
  stage.run(t);
  ASSERT_GT(stage.store.bytes(), 0U);
  stage.engine.forget(*t.session);
  EXPECT_EQ(stage.store.bytes(), 0U);
  EXPECT_EQ(stage.kv.used_width(), 0);
}

// A session that leaves holes high up: its neighbour's lines move down, so that attention is cheap.
TEST(Engine, CompactsWhenTheHighestCellDrifts) {
  FakeKv kv({.n_cells = 2048});
  MemoryStore store;
  Engine engine(kv, store);
  Thinker big({.policy = "full", .seq = 0, .n_predict = 1200, .next = random_words(1)});
  Thinker small({.seq = 1, .n_predict = 3000, .next = random_words(2)});
  Session* const both[] = {big.session.get(), small.session.get()};
  while (big.session->running()) engine.step(both);
  EXPECT_GT(kv.used_width(), 1200);
  engine.forget(*big.session);
  Session* const alone[] = {small.session.get()};
  for (int i = 0; i < 60; ++i) engine.step(alone);
  EXPECT_LE(kv.used_width(), 512);
  EXPECT_FALSE([&] {
    for (const EditEvent& e : small.recorder.all<EditEvent>()) {
      if (e.kind == EditKind::compact) return false;
    }
    return true;
  }());
  expect_same_residents(kv, small);
  expect_nothing_lost(small);
}

}  // namespace
}  // namespace zoomr
