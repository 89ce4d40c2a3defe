#include "core/segmenter.h"

#include <gtest/gtest.h>

#include <random>

namespace zoomr {
namespace {

using Pieces = std::vector<std::string>;

struct Cut {
  Timeline timeline;
  DelimiterFaults faults;
  Pieces pieces;
  std::vector<Boundary> boundaries;

  [[nodiscard]] std::string text(Span span) const {
    std::string text;
    for (Pos pos = span.begin; pos < span.end; ++pos) text += pieces[static_cast<std::size_t>(pos)];
    return text;
  }
  [[nodiscard]] Pieces lines() const {
    Pieces result;
    for (const Line& line : timeline.lines()) result.push_back(text(line.span));
    return result;
  }
  [[nodiscard]] Pieces segments() const {
    Pieces result;
    for (const Segment& s : timeline.segments()) {
      result.push_back(std::string(to_string(s.kind)) + ":" + text(s.span));
    }
    return result;
  }
};

// Bounds so small that a test's words reach them.
SegmenterOptions small() {
  return {.line_min = 2, .line_max = 8, .thought_max = 100, .summary_max = 20};
}

Cut cut(const Pieces& pieces, const SegmenterOptions& options, bool finish = true) {
  Cut result{.pieces = pieces};
  Segmenter segmenter(options);
  segmenter.end_prompt(result.timeline);
  Token token = 0;
  for (const std::string& piece : pieces) {
    result.boundaries.push_back(segmenter.push(result.timeline, token++, piece));
  }
  if (finish) segmenter.finish(result.timeline);
  result.faults = segmenter.faults();
  return result;
}

SegmenterOptions with_summaries() {
  SegmenterOptions options = small();
  options.delimiters = {.summary_begin = "<s>", .summary_end = "</s>"};
  return options;
}

SegmenterOptions with_thinking() {
  SegmenterOptions options = small();
  options.delimiters.think_begin = "<think>";
  options.delimiters.think_ends = {"</think>"};
  return options;
}

TEST(Segmenter, ASentenceEndsInFrontOfTheNextWord) {
  const Cut c = cut({"It", " rains", ".", " We", " stay", " in", "."}, small());
  EXPECT_EQ(c.lines(), (Pieces{"It rains.", " We stay in."}));
  EXPECT_TRUE(c.boundaries[3].sentence);
  EXPECT_FALSE(c.boundaries[2].sentence);
}

TEST(Segmenter, ADecimalPointEndsNothing) {
  const Cut c = cut({"Pi", " is", " 3", ".", "14", " here", "."}, small());
  EXPECT_EQ(c.lines(), (Pieces{"Pi is 3.14 here."}));
}

TEST(Segmenter, QuotesAndBracketsBelongToTheSentence) {
  const Cut c = cut({"He", " said", " \"no", ".\"", " Then", " left"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"He said \"no.\"", " Then left"}));
}

TEST(Segmenter, ANewlineEndsALine) {
  const Cut c = cut({"a", " =", " 1", "\n", "b", " =", " 2"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"a = 1\n", "b = 2"}));
}

TEST(Segmenter, ASentenceKeepsItsNewline) {
  const Cut c = cut({"a", " is", " b", ".", "\n", "c", " is", " d"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"a is b.\n", "c is d"}));
}

TEST(Segmenter, WideSentenceEndsNeedNoSpace) {
  const Cut c = cut({"\u5929", "\u6c14", "\u3002", "\u597d", "\u5417"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"\u5929\u6c14\u3002", "\u597d\u5417"}));
}

TEST(Segmenter, ShortSentencesJoin) {
  SegmenterOptions options = small();
  options.line_min = 5;
  const Cut c = cut({"No", ".", " Yes", ".", " So", " it", " is", ".", " Good"}, options);
  EXPECT_EQ(c.lines(), (Pieces{"No. Yes. So it is.", " Good"}));
}

TEST(Segmenter, ALineEndsAtItsGreatestLength) {
  const Cut c = cut(Pieces(20, " x"), small());
  ASSERT_EQ(c.timeline.lines().size(), 3U);
  EXPECT_EQ(c.timeline.lines()[0].span.size(), 8);
  EXPECT_TRUE(c.boundaries[7].sentence);
}

TEST(Segmenter, AParagraphEndsAThoughtAtOnce) {
  const Cut c = cut({"one", " two", ".", "\n\n", "three", " four"}, small());
  EXPECT_EQ(c.segments(), (Pieces{"thought:one two.\n\n", "thought:three four"}));
  EXPECT_TRUE(c.boundaries[3].thought);
}

TEST(Segmenter, AParagraphInTwoTokensEndsTheSame) {
  const Cut c = cut({"one", " two", "\n", "\n", "three", " four"}, small());
  EXPECT_EQ(c.segments(), (Pieces{"thought:one two\n\n", "thought:three four"}));
}

TEST(Segmenter, ALongThoughtEndsAtItsNextLine) {
  SegmenterOptions options = small();
  options.thought_max = 4;
  const Cut c = cut({"a", " b", "\n", "c", " d", "\n", "e", " f", "\n"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b\nc d\n", "thought:e f\n"}));
}

TEST(Segmenter, CloseIfDueClosesInFrontOfThePiece) {
  SegmenterOptions options = small();
  options.thought_max = 3;
  Timeline timeline;
  Segmenter segmenter(options);
  segmenter.end_prompt(timeline);
  for (const char* piece : {"a", " b", "\n"}) (void)segmenter.push(timeline, 0, piece);
  EXPECT_FALSE(segmenter.close_if_due(timeline, "\n"));
  EXPECT_TRUE(segmenter.close_if_due(timeline, "c"));
  EXPECT_TRUE(timeline.segments().back().closed);
  EXPECT_EQ(timeline.size(), 3);
}

TEST(Segmenter, ThinkingDelimitersPartThoughtsFromTheAnswer) {
  const Cut c =
      cut({"<think>", "\n", "hm", " so", "</think>", "\n\n", "It", " is", " 4"}, with_thinking());
  EXPECT_EQ(c.segments(), (Pieces{"thought:<think>\nhm so</think>", "answer:\n\nIt is 4"}));
}

TEST(Segmenter, APromptThatOpensTheThinkingStartsInside) {
  SegmenterOptions options = with_thinking();
  options.starts_thinking = true;
  const Cut c = cut({"hm", " so", "</think>", "4", " then"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:hm so</think>", "answer:4 then"}));
}

TEST(Segmenter, ASummaryPairsWithTheThoughtBeforeIt) {
  const Cut c = cut({"long", " thought", "<s>", "short", "</s>", "next", " one"}, with_summaries());
  EXPECT_EQ(c.segments(),
            (Pieces{"thought:long thought", "summary:<s>short</s>", "thought:next one"}));
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
  EXPECT_EQ(c.timeline.segments()[1].partner, 0);
  EXPECT_EQ(c.faults, DelimiterFaults{});
}

TEST(Segmenter, AnEmptySummaryIsAFaultAndPairsWithNothing) {
  const Cut c = cut({"a", " b", "<s>", " ", "</s>", "c"}, with_summaries());
  EXPECT_EQ(c.faults.empty, 1);
  EXPECT_EQ(c.timeline.segments()[0].partner, -1);
}

TEST(Segmenter, AnEndlessSummaryIsClosed) {
  SegmenterOptions options = with_summaries();
  options.summary_max = 5;
  const Cut c = cut({"a", " b", "<s>", "1", "2", "3", "4", "c", " d"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:<s>1234", "thought:c d"}));
  EXPECT_EQ(c.faults.unclosed, 1);
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
}

TEST(Segmenter, ASummaryThatTheTextEndsInIsUnclosed) {
  const Cut c = cut({"a", " b", "<s>", "word"}, with_summaries());
  EXPECT_EQ(c.faults.unclosed, 1);
  EXPECT_TRUE(c.timeline.segments().back().closed);
}

TEST(Segmenter, AClosingDelimiterAloneIsStray) {
  const Cut c = cut({"a", " b", "</s>", " c"}, with_summaries());
  EXPECT_EQ(c.faults.stray, 1);
  EXPECT_EQ(c.timeline.segments().size(), 1U);
}

TEST(Segmenter, ASummaryDelimiterInTheAnswerIsStray) {
  SegmenterOptions options = with_thinking();
  options.delimiters.summary_begin = "<s>";
  options.delimiters.summary_end = "</s>";
  const Cut c = cut({"It", " is", "<s>", "x", "</s>"}, options);
  EXPECT_EQ(c.faults.stray, 2);
  EXPECT_EQ(c.segments(), (Pieces{"answer:It is<s>x</s>"}));
}

TEST(Segmenter, ASummaryBeforeAnyThoughtIsAnOrphan) {
  const Cut c = cut({"<s>", "x", "</s>", "a", " b"}, with_summaries());
  EXPECT_EQ(c.faults.orphan, 1);
  EXPECT_EQ(c.segments(), (Pieces{"summary:<s>x</s>", "thought:a b"}));
}

TEST(Segmenter, APromptIsCutIntoLinesToo) {
  Timeline timeline;
  Segmenter segmenter(small());
  const std::vector<Token> tokens(7, 1);
  segmenter.push_prompt(timeline, tokens,
                        Pieces{"Be", " kind", ".", " Answer", " me", " now", "!"});
  segmenter.end_prompt(timeline);
  ASSERT_EQ(timeline.lines().size(), 2U);
  EXPECT_EQ(timeline.segments()[0].kind, SegmentKind::prompt);
  EXPECT_TRUE(timeline.segments()[0].pinned);
}

// The delimiters cut anywhere, even into single characters, or glued to their neighbours.
class SegmenterSplit : public ::testing::TestWithParam<int> {};

TEST_P(SegmenterSplit, DelimitersAreFoundHoweverTheyAreSplit) {
  const std::string text = "first thought<s>its sum</s>second thought";
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  Pieces pieces;
  const std::size_t most = GetParam() == 0 ? 1 : 6;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = 1 + random() % most;
    pieces.push_back(text.substr(i, n));
    i += n;
  }
  SegmenterOptions options = with_summaries();
  options.line_max = 64;
  options.summary_max = 64;
  const Cut c = cut(pieces, options);
  ASSERT_EQ(c.timeline.segments().size(), 3U) << ::testing::PrintToString(pieces);
  EXPECT_EQ(c.timeline.segments()[1].kind, SegmentKind::summary);
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
  // A token that holds both sides of a delimiter's edge goes with the delimiter.
  EXPECT_NE(c.segments()[1].find("<s>its sum</s>"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SegmenterSplit, ::testing::Range(0, 12));

// Random text: the tiling and the bounds hold after every token, and nothing closed ever changes.
class SegmenterRandom : public ::testing::TestWithParam<int> {};

TEST_P(SegmenterRandom, LinesTileWithinTheirBounds) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const Pieces words = {" a",  " bc",  ".",       "\n",       "\n\n", "!",    " 3",      ".14",
                        "<s>", "</s>", "<think>", "</think>", "\"",   "\xe4", "\xb8\xad"};
  SegmenterOptions options = with_thinking();
  options.delimiters.summary_begin = "<s>";
  options.delimiters.summary_end = "</s>";
  Timeline timeline;
  Segmenter segmenter(options);
  segmenter.end_prompt(timeline);
  std::vector<Line> closed;
  for (int i = 0; i < 400; ++i) {
    (void)segmenter.push(timeline, i, words[random() % words.size()]);
    ASSERT_EQ(timeline.size(), i + 1);
    Pos at = 0;
    for (const Line& line : timeline.lines()) {
      ASSERT_EQ(line.span.begin, at);
      ASSERT_LE(line.span.size(), options.line_max);
      const Segment& segment = timeline.segment_of(line);
      ASSERT_TRUE(segment.span.contains(line.span));
      if (line.span.end != segment.span.end) {
        ASSERT_GE(line.span.size(), options.line_min);
      }
      at = line.span.end;
    }
    at = 0;
    for (const Segment& segment : timeline.segments()) {
      ASSERT_EQ(segment.span.begin, at);
      ASSERT_FALSE(segment.span.empty());
      at = segment.span.end;
    }
    ASSERT_EQ(at, timeline.size());
    for (std::size_t j = 0; j < closed.size(); ++j) {
      ASSERT_EQ(timeline.lines()[j].span, closed[j].span);
    }
    closed.assign(timeline.lines().begin(), timeline.lines().end());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SegmenterRandom, ::testing::Range(0, 8));

}  // namespace
}  // namespace zoomr
