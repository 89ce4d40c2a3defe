#include "engine/summaries.h"

#include "engine/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

std::vector<Token> paragraph(int n_words) {
  std::vector<Token> tokens(static_cast<std::size_t>(n_words), Words::id(" bee"));
  tokens.push_back(Words::id("\n\n"));
  return tokens;
}

std::unique_ptr<Thinker> think(SummaryMode mode, std::vector<Token> tokens, FakeKv& kv,
                               MemoryStore& store) {
  auto t = std::make_unique<Thinker>(
      Scene{.budget = 400, .n_predict = 400, .summaries = mode, .next = script(std::move(tokens))});
  Engine engine(kv, store);
  Session* const sessions[] = {t->session.get()};
  while (t->session->running()) engine.step(sessions);
  return t;
}

class Injected : public ::testing::Test {
 protected:
  std::unique_ptr<Thinker> run(std::vector<Token> tokens) {
    return think(SummaryMode::injected, std::move(tokens), kv, store);
  }
  FakeKv kv{{.n_cells = 512}};
  MemoryStore store;
};

TEST_F(Injected, OpensBehindAThoughtAndIsHidden) {
  std::vector<Token> tokens = paragraph(50);
  for (const char* word : {" sea", " sea", "</s>", " a", " bee"}) tokens.push_back(Words::id(word));
  const auto t = run(tokens);
  const auto segments = t->session->timeline().segments();
  ASSERT_EQ(segments.size(), 4U);  // prompt, thought, summary, thought
  EXPECT_EQ(segments[2].kind, SegmentKind::summary);
  EXPECT_EQ(segments[1].partner, 2);
  EXPECT_EQ(t->session->text().find(" sea"), std::string::npos);
  EXPECT_TRUE(t->session->text().ends_with(" a bee"));
  EXPECT_EQ(t->session->stats().n_summary, 4);  // both delimiters and two words
  EXPECT_EQ(t->session->stats().n_generated, 57);
  t->expect_true_trace();
}

TEST_F(Injected, ClosesASummaryThatDoesNotEnd) {
  std::vector<Token> tokens = paragraph(50);
  for (int i = 0; i < 60; ++i) tokens.push_back(Words::id(" sea"));
  const auto t = run(tokens);
  const Segment& summary = t->session->timeline().segments()[2];
  EXPECT_EQ(summary.kind, SegmentKind::summary);
  EXPECT_EQ(summary.span.size(), SummaryWriter::kMostTokens + 2);
  EXPECT_EQ(t->session->delimiter_faults().unclosed, 0);  // the engine wrote the delimiter
}

TEST_F(Injected, AModelThatWantsToStopInsideFinishesItsThought) {
  std::vector<Token> tokens = paragraph(50);
  for (const Token token : {Words::id(" sea"), Words::kEnd, Words::id(" a")})
    tokens.push_back(token);
  const auto t = run(tokens);
  EXPECT_EQ(t->session->timeline().segments()[2].kind, SegmentKind::summary);
  EXPECT_TRUE(t->session->text().ends_with(" a"));
  EXPECT_EQ(t->session->finish_reason(), Finish::stop);
}

TEST_F(Injected, AShortThoughtGetsNone) {
  std::vector<Token> tokens = paragraph(10);
  tokens.push_back(Words::id(" a"));
  const auto t = run(tokens);
  EXPECT_EQ(t->session->stats().n_summary, 0);
}

TEST_F(Injected, AThoughtThatEndsByItsLengthGetsOneInFrontOfTheNextWord) {
  std::vector<Token> tokens;  // thought_max is 60: 64 words in lines of 8
  for (int i = 0; i < 64; ++i) tokens.push_back(Words::id(i % 8 == 7 ? "\n" : " bee"));
  tokens.push_back(Words::id(" a"));  // shows that the line ended: sampled anew behind the summary
  for (const char* word : {" sea", "</s>", " a"}) tokens.push_back(Words::id(word));
  const auto t = run(tokens);
  ASSERT_GE(t->session->timeline().segments().size(), 3U);
  EXPECT_EQ(t->session->timeline().segments()[1].span.size(), 64);
  EXPECT_EQ(t->session->timeline().segments()[2].kind, SegmentKind::summary);
  t->expect_true_trace();
}

TEST(Native, TheModelsOwnSummaryIsTextAndIndex) {
  FakeKv kv({.n_cells = 512});
  MemoryStore store;
  std::vector<Token> tokens = paragraph(20);
  for (const char* word : {"<s>", " sea", "</s>", " a"}) tokens.push_back(Words::id(word));
  const auto t = think(SummaryMode::native, tokens, kv, store);
  EXPECT_EQ(t->session->timeline().segments()[1].partner, 2);
  EXPECT_NE(t->session->text().find("<s> sea</s>"), std::string::npos);
}

TEST(Native, FaultsAreLogged) {
  FakeKv kv({.n_cells = 512});
  MemoryStore store;
  std::vector<Token> tokens = {Words::id(" a"), Words::id("</s>"), Words::id(" a")};
  const auto t = think(SummaryMode::native, tokens, kv, store);
  EXPECT_EQ(t->session->delimiter_faults().stray, 1);
  ASSERT_EQ(t->recorder.all<NoteEvent>().size(), 1U);
  EXPECT_NE(t->recorder.all<NoteEvent>()[0].text.find("1 stray"), std::string::npos);
}

TEST(None, DelimitersAreJustText) {
  FakeKv kv({.n_cells = 512});
  MemoryStore store;
  std::vector<Token> tokens = {Words::id(" a"), Words::id("<s>"), Words::id(" sea"),
                               Words::id("</s>")};
  const auto t = think(SummaryMode::none, tokens, kv, store);
  EXPECT_EQ(t->session->timeline().segments().size(), 2U);
  EXPECT_EQ(t->session->stats().n_summary, 0);
}

TEST(SummaryModes, AnUnknownOneIsRefused) {
  EXPECT_EQ(parse_summary_mode("injected"), SummaryMode::injected);
  EXPECT_THROW((void)parse_summary_mode("auto"), Error);
}

}  // namespace
}  // namespace zoomr
