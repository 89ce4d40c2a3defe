// The second look: a token that was decoded without what it asked for is decoded again, once.
#include <map>

#include "engine/planted.h"

namespace zoomr {
namespace {

Scene looking(SeqId seq = 0, float second_look = 0.15F) {
  return {.policy = "zoomr",
          .seq = seq,
          .select = "retrieval",
          .heads = {{.layer = 1, .head = 2, .key_head = 1}},
          .second_look = second_look,
          .next = random_words(3)};
}

struct Stage {
  explicit Stage(const FakeKv::Options& options) : kv(options), engine(kv, store) {
    kv.plant(plant);
  }
  FakeKv kv;
  MemoryStore store;
  Engine engine;
};

void run(Stage& stage, const std::vector<Thinker*>& thinkers) {
  std::vector<Session*> sessions;
  for (Thinker* t : thinkers) sessions.push_back(t->session.get());
  const auto any = [&] {
    return std::any_of(sessions.begin(), sessions.end(), [](Session* s) { return s->running(); });
  };
  while (any()) stage.engine.step(sessions);
}

std::map<Pos, int> looks(const Thinker& thinker) {
  std::map<Pos, int> counts;
  for (const EditEvent& edit : thinker.recorder.all<EditEvent>()) {
    if (edit.kind == EditKind::again) ++counts[edit.span.begin];
  }
  return counts;
}

TEST(SecondLook, ATokenSeesWhatItAskedFor) {
  Stage stage(planted_options(96));
  Thinker t(looking());
  run(stage, {&t});
  const std::map<Pos, int> counts = looks(t);
  EXPECT_GT(counts.size(), 30U);
  EXPECT_EQ(t.session->stats().second_looks, static_cast<int>(counts.size()));
  for (const auto& [pos, n] : counts) EXPECT_EQ(n, 1) << pos;
  // What a decode missed, by position: the second one misses less.
  std::map<Pos, std::vector<double>> missed;
  for (const DecodeEvent& decode : t.recorder.all<DecodeEvent>()) {
    if (decode.missed >= 0) missed[decode.span.end - 1].push_back(decode.missed);
  }
  double before = 0;
  double after = 0;
  for (const auto& [pos, n] : counts) {
    ASSERT_EQ(missed[pos].size(), 2U);
    before += missed[pos][0];
    after += missed[pos][1];
  }
  EXPECT_GT(before, 3 * after);
  expect_same_residents(stage.kv, t);
  expect_nothing_lost(t);
  t.expect_true_trace();
}

TEST(SecondLook, TheMeterCountsTheLastDecodeOfAToken) {
  Stage stage(planted_options(96));
  Thinker t(looking());
  run(stage, {&t});
  std::map<Pos, double> last;
  for (const DecodeEvent& decode : t.recorder.all<DecodeEvent>()) {
    if (decode.missed >= 0) last[decode.span.end - 1] = decode.missed;
  }
  const Stats& stats = t.session->stats();
  ASSERT_EQ(stats.missed.size(), last.size());
  double sum = 0;
  for (const auto& [pos, missed] : last) sum += missed;
  EXPECT_NEAR(stats.missed_mean(), sum / static_cast<double>(last.size()), 1e-4);
  double by_line = 0;
  for (const float missed : stats.missed_of_line) by_line += missed;
  EXPECT_NEAR(by_line, sum, 1e-2);
}

TEST(SecondLook, AboveOneIsNever) {
  Stage stage(planted_options(96));
  Thinker t(looking(0, 1.1F));
  run(stage, {&t});
  EXPECT_TRUE(looks(t).empty());
  Stage other(planted_options(96));
  Thinker with(looking());
  run(other, {&with});
  EXPECT_GT(t.session->stats().missed_mean(), with.session->stats().missed_mean() + 0.05);
}

// The fake's logits lie between 0 and 1: of many tokens it is never sure.
TEST(SecondLook, NotWhereTheModelIsSureAllTheSame) {
  Stage stage(planted_options(96));
  Scene scene = looking();
  scene.sure = 0;
  Thinker sure(scene);
  run(stage, {&sure});
  EXPECT_TRUE(looks(sure).empty());
  EXPECT_GT(sure.session->stats().zoom_ins, 30);  // the lines come back for what follows
  expect_nothing_lost(sure);
  sure.expect_true_trace();
  Stage other(planted_options(96));
  Scene always = looking();
  always.sure = 1.1F;
  Thinker never_sure(always);
  run(other, {&never_sure});
  Stage third(planted_options(96));
  Thinker unsure(looking());
  run(third, {&unsure});
  EXPECT_EQ(looks(unsure), looks(never_sure));
}

// The head that looks back as a name head, beside a value head that looks nowhere.
TEST(SecondLook, ANameHeadsNeedIsNoMatterOfCertainty) {
  Stage stage(planted_options(96));
  Scene scene = looking(0, 1.1F);
  std::swap(scene.heads, scene.name_heads);
  scene.heads = {{.layer = 1, .head = 1, .key_head = 0}};
  scene.sure = 0;
  Thinker t(scene);
  run(stage, {&t});
  const std::map<Pos, int> counts = looks(t);
  EXPECT_GT(counts.size(), 30U);
  for (const auto& [pos, n] : counts) EXPECT_EQ(n, 1) << pos;
  expect_same_residents(stage.kv, t);
  expect_nothing_lost(t);
  t.expect_true_trace();
}

// The one after it is sampled from the second decode: the text is that of the last logits.
TEST(SecondLook, ThePositionsGoOnAsEver) {
  Stage stage(planted_options(96));
  Thinker t(looking());
  run(stage, {&t});
  EXPECT_EQ(t.session->finish_reason(), Finish::length);
  EXPECT_EQ(t.session->stats().n_generated, 300);
  EXPECT_EQ(t.session->timeline().size(), 312);
}

TEST(SecondLook, AStateThatCannotGoBackIsDecodedOnce) {
  FakeKv::Options options = planted_options(96);
  options.can_rewind = false;
  Stage stage(options);
  Thinker t(looking());
  run(stage, {&t});
  EXPECT_EQ(t.session->finish_reason(), Finish::length);
  EXPECT_TRUE(looks(t).empty());
  EXPECT_GT(t.session->stats().zoom_ins, 30);
}

TEST(SecondLook, SeveralSessionsLookAgainInOneBatch) {
  Stage alone_stage(planted_options(96));
  Thinker alone(looking(0));
  run(alone_stage, {&alone});
  Stage stage(planted_options(3 * 96));
  Thinker a(looking(0));
  Thinker b(looking(1));
  Thinker c(looking(2));
  run(stage, {&a, &b, &c});
  for (Thinker* t : {&a, &b, &c}) {
    EXPECT_EQ(looks(*t), looks(alone));  // needs depend on positions alone
    expect_same_residents(stage.kv, *t);
    expect_nothing_lost(*t);
    t->expect_true_trace();
  }
}

// Beside others it costs no decode of its own: it joins their next batch.
TEST(SecondLook, WaitsForTheNextBatchBesideOthers) {
  Stage stage(planted_options(2 * 96));
  Thinker looks_again(looking(0));
  Thinker never(looking(1, 1.1F));
  int n_decodes = 0;
  stage.kv.fail_when([&](FakeKv::Site site, int) {
    n_decodes += site == FakeKv::Site::decode ? 1 : 0;
    return DecodeStatus::ok;
  });
  const std::vector<Session*> sessions = {looks_again.session.get(), never.session.get()};
  int n_steps = 0;
  while (never.session->running()) {
    stage.engine.step(sessions, Engine::Looks::join);
    ++n_steps;
  }
  EXPECT_EQ(n_decodes, n_steps);
  const int n_looks = looks_again.session->stats().second_looks;
  EXPECT_GT(n_looks, 20);
  EXPECT_NEAR(looks_again.session->stats().n_generated, 300 - n_looks, 1);  // the last may wait
}

// The second decode fails: the session ends, its trace and what it holds stay true.
TEST(SecondLook, AFailureOfTheSecondDecodeEndsTheRunTruly) {
  for (const DecodeStatus status : {DecodeStatus::failed, DecodeStatus::aborted}) {
    Stage stage(planted_options(96));
    Thinker t(looking());
    bool failed = false;
    stage.kv.fail_when([&](FakeKv::Site site, int) {
      const bool second = site == FakeKv::Site::decode && !looks(t).empty();
      if (!second || failed) return DecodeStatus::ok;
      failed = true;
      return status;
    });
    run(stage, {&t});
    EXPECT_TRUE(failed);
    EXPECT_EQ(t.session->finish_reason(),
              status == DecodeStatus::failed ? Finish::error : Finish::interrupted);
    EXPECT_EQ(t.session->decoded(), looks(t).begin()->first);
    expect_nothing_lost(t);
    t.expect_true_trace();
  }
}

}  // namespace
}  // namespace zoomr
