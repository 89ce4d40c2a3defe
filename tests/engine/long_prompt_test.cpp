// A prompt longer than the budget: read in pieces, its two ends pinned, what lies between stored.
#include "engine/planted.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

constexpr Pos kBudget = 256;

Scene long_prompt(const std::string& policy, int n_prompt = 900) {
  return {.policy = policy,
          .budget = kBudget,
          .n_predict = 60,
          .n_prompt = n_prompt,
          .heads = {{.layer = 1, .head = 2, .key_head = 1}},
          .summaries = policy == "summary-only" ? SummaryMode::native : SummaryMode::none,
          .next = random_words(3)};
}

class LongPromptOf : public ::testing::TestWithParam<std::string> {};

TEST_P(LongPromptOf, IsReadWithinTheBudget) {
  FakeKv kv(planted_options(kBudget));
  FakeKv unhidden(planted_options(2048));
  MemoryStore store;
  Engine engine(kv, store, &unhidden);
  Thinker t(long_prompt(GetParam()));
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) engine.step(sessions);
  EXPECT_EQ(t.session->finish_reason(), Finish::length);
  EXPECT_EQ(t.session->stats().n_generated, 60);
  EXPECT_LE(t.session->stats().peak_resident, kBudget);
  EXPECT_TRUE(t.session->residency().resident.covers({0, kBudget / 8}));
  EXPECT_TRUE(t.session->residency().resident.covers({900 - kBudget / 4, 900}));
  expect_same_residents(kv, t);
  t.expect_true_trace();
}

INSTANTIATE_TEST_SUITE_P(All, LongPromptOf,
                         ::testing::Values("zoomr", "streaming-llm", "h2o", "r-kv", "random",
                                           "summary-only", "oracle"),
                         [](const auto& policy) { return case_name(policy.param); });

// What lies between the ends is stored, and what a head looks for comes back from there.
TEST(LongPrompt, LosesNothingAndFindsWhatItLooksFor) {
  FakeKv kv(planted_options(kBudget));
  kv.plant(plant);
  MemoryStore store;
  Engine engine(kv, store);
  Scene scene = long_prompt("zoomr");
  scene.select = "retrieval";
  Thinker t(scene);
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) engine.step(sessions);
  expect_nothing_lost(t);
  EXPECT_GT(t.session->residency().stored.size(), 500);
  EXPECT_GT(t.session->stats().zoom_ins, 20);
  EXPECT_LT(t.session->stats().missed_mean(), 0.2);
}

// One token of the question, not the last, names an old passage.
constexpr Pos kAsking = 885;
constexpr Pos kAskedFor = 20;  // passage

void plant_question(Token token, Pos pos, const HeadLayout& layout, bool keys,
                    std::span<float> row) {
  plant(token, keys ? pos : 0, layout, keys, row);
  if (keys || pos != kAsking) return;
  for (const HeadLayout::Item& item : layout.items) {
    if (item.head == Head{1, 2}) row[item.offset + kAskedFor] = 50;
  }
}

TEST(LongPrompt, WhatTheQuestionNamesIsThereWhenTheReplyBegins) {
  FakeKv::Options options = planted_options(kBudget);
  options.layers[1].d_head = 64;  // no two passages share a key
  FakeKv kv(options);
  kv.plant(plant_question);
  MemoryStore store;
  Engine engine(kv, store);
  Scene scene = long_prompt("zoomr");
  scene.select = "retrieval";
  scene.second_look = 0.05F;
  Thinker t(scene);
  Session* const sessions[] = {t.session.get()};
  while (t.session->decoded() < 900) engine.step(sessions);
  for (Pos pos = kAskedFor * kPassage; pos < (kAskedFor + 1) * kPassage; ++pos) {
    EXPECT_TRUE(t.session->residency().resident.contains(pos)) << pos;
  }
  // The question was read once more, with what it names; nothing else was.
  std::vector<Span> again;
  for (const EditEvent& edit : t.recorder.all<EditEvent>()) {
    if (edit.kind == EditKind::again) again.push_back(edit.span);
  }
  EXPECT_EQ(again, (std::vector<Span>{{900 - kBudget / 8, 900}}));
  expect_same_residents(kv, t);
  while (t.session->running()) engine.step(sessions);
  t.expect_true_trace();
}

TEST(LongPrompt, PiecesAreAnEighthOfTheBudget) {
  FakeKv kv(planted_options(kBudget));
  MemoryStore store;
  Engine engine(kv, store);
  Thinker t(long_prompt("streaming-llm"));
  Session* const sessions[] = {t.session.get()};
  while (t.session->running()) engine.step(sessions);
  Pos longest = 0;
  for (const DecodeEvent& decode : t.recorder.all<DecodeEvent>()) {
    longest = std::max(longest, decode.span.size());
  }
  EXPECT_EQ(longest, kBudget / 8);
}

TEST(LongPrompt, KeepsAsManyFirstTokensAsAsked) {
  Scene scene = long_prompt("streaming-llm");
  scene.keep = 5;
  Thinker t(scene);
  const auto segments = t.session->timeline().segments();
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_EQ(segments[0].span, (Span{0, 5}));
  EXPECT_TRUE(segments[0].pinned);
  EXPECT_FALSE(segments[1].pinned);
  EXPECT_EQ(segments[2].span, (Span{900 - kBudget / 4, 900}));
  EXPECT_TRUE(segments[2].pinned);
  scene.keep = 0;
  EXPECT_EQ(Thinker(scene).session->timeline().segments().size(), 2U);
  scene.keep = kBudget / 4 + 1;
  EXPECT_THROW((void)Thinker(scene), Error);
}

TEST(LongPrompt, NothingIsPinnedWhereThatIsAskedFor) {
  Scene scene = long_prompt("zoomr");
  scene.pin_prompt = false;
  Thinker t(scene);
  for (const Segment& segment : t.session->timeline().segments()) EXPECT_FALSE(segment.pinned);
}

TEST(LongPrompt, ASmallBudgetIsRefused) {
  Scene scene = long_prompt("zoomr");
  scene.budget = 255;
  try {
    Thinker t(scene);
    FAIL() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find("256"), std::string::npos) << e.what();
  }
}

// A prompt that just fits is read as ever.
TEST(LongPrompt, BeginsWhereTheBudgetEnds) {
  EXPECT_EQ(Thinker(long_prompt("zoomr", kBudget - 64)).session->timeline().segments().size(), 1U);
  EXPECT_EQ(Thinker(long_prompt("zoomr", kBudget - 63)).session->timeline().segments().size(), 3U);
}

}  // namespace
}  // namespace zoomr
