#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/segmenter.h"
#include "unit/segmenter_text.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

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

TEST(Segmenter, AnswersAreCutLikeThoughts) {
  SegmenterOptions options = with_thinking();
  options.thought_max = 4;
  const Cut c = cut({"a", " b", "\n\n", "c", " d", "\n", "e", " f", "\n", "g", " h"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"answer:a b\n\n", "answer:c d\ne f\n", "answer:g h"}));
  for (const Boundary& b : c.boundaries) EXPECT_FALSE(b.thought);
}

TEST(Segmenter, CloseIfDueLeavesAnswersAlone) {
  SegmenterOptions options = with_thinking();
  options.thought_max = 2;
  Timeline timeline;
  Segmenter segmenter(options);
  segmenter.end_prompt(timeline);
  for (const char* piece : {"It", " is", "."}) (void)segmenter.push(timeline, 0, piece);
  EXPECT_FALSE(segmenter.close_if_due(timeline, " So"));
}

TEST(Segmenter, TellsTheKindOfWhatComesNext) {
  SegmenterOptions options = with_thinking();
  options.delimiters.summary_begin = "<s>";
  options.delimiters.summary_end = "</s>";
  Timeline timeline;
  Segmenter segmenter(options);
  EXPECT_EQ(segmenter.kind(), SegmentKind::prompt);
  segmenter.end_prompt(timeline);
  const std::vector<std::pair<const char*, SegmentKind>> steps = {
      {" ", SegmentKind::answer},        {"<think>", SegmentKind::thought},
      {" so", SegmentKind::thought},     {"<s>", SegmentKind::summary},
      {" x", SegmentKind::summary},      {"</s>", SegmentKind::thought},
      {"</think>", SegmentKind::answer}, {" 4", SegmentKind::answer},
      {"<think>", SegmentKind::thought}};
  for (const auto& [piece, kind] : steps) {
    (void)segmenter.push(timeline, 0, piece);
    EXPECT_EQ(segmenter.kind(), kind) << piece;
  }
}

TEST(Segmenter, AnyClosingDelimiterEndsTheThinking) {
  SegmenterOptions options = with_thinking();
  options.delimiters.think_ends = {"</think>", "<answer>"};
  EXPECT_EQ(cut({"<think>", "a", " b", "<answer>", "4"}, options).segments(),
            (Pieces{"thought:<think>a b<answer>", "answer:4"}));
}

TEST(Segmenter, ThinkingThatBeginsTwiceIsPlainText) {
  const Cut c = cut({"<think>", "a", " b", "<think>", "c", "</think>", "d"}, with_thinking());
  EXPECT_EQ(c.segments(), (Pieces{"thought:<think>a b<think>c</think>", "answer:d"}));
  EXPECT_EQ(c.faults, DelimiterFaults{});
}

TEST(Segmenter, ThinkingThatEndsTwiceIsStray) {
  const Cut c = cut({"<think>", "a", "</think>", "b", "</think>", "c"}, with_thinking());
  EXPECT_EQ(c.segments(), (Pieces{"thought:<think>a</think>", "answer:b</think>c"}));
  EXPECT_EQ(c.faults, DelimiterFaults{.stray = 1});
}

TEST(Segmenter, WhiteSpaceAloneMakesNoSegmentBeforeADelimiter) {
  EXPECT_EQ(cut({"\n", "<think>", "hm", "</think>", "4"}, with_thinking()).segments(),
            (Pieces{"thought:\n<think>hm</think>", "answer:4"}));
  const Cut c = cut({"a", " b", "\n\n", "\n", " <s>", "x", "</s>"}, with_summaries());
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b\n\n", "summary:\n <s>x</s>"}));
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
}

TEST(Segmenter, ThinkingThatEndsInsideASummaryClosesIt) {
  SegmenterOptions options = with_thinking();
  options.starts_thinking = true;
  options.delimiters.summary_begin = "<s>";
  options.delimiters.summary_end = "</s>";
  const Cut c = cut({"a", " b", "<s>", "x", "</think>", "4"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:<s>x</think>", "answer:4"}));
  EXPECT_EQ(c.faults, DelimiterFaults{.unclosed = 1});
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
}

TEST(Segmenter, ASummaryInsideASummaryIsStray) {
  const Cut c = cut({"a", " b", "<s>", "x", "<s>", "y", "</s>", "c"}, with_summaries());
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:<s>x<s>y</s>", "thought:c"}));
  EXPECT_EQ(c.faults, DelimiterFaults{.stray = 1});
}

TEST(Segmenter, ASecondSummaryOfOneThoughtIsAnOrphan) {
  const Cut c = cut({"a", " b", "<s>", "x", "</s>", "<s>", "y", "</s>"}, with_summaries());
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:<s>x</s>", "summary:<s>y</s>"}));
  EXPECT_EQ(c.faults, DelimiterFaults{.orphan = 1});
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
  EXPECT_EQ(c.timeline.segments()[2].partner, -1);
}

TEST(Segmenter, OneTextMayOpenAndClose) {
  SegmenterOptions options = with_summaries();
  options.delimiters.summary_begin = options.delimiters.summary_end = "***";
  const Cut c = cut({"a", " b", "***", "x", "***", "c"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:***x***", "thought:c"}));
  EXPECT_EQ(c.faults, DelimiterFaults{});
}

TEST(Segmenter, EmptyDelimitersAreNeverThere) {
  SegmenterOptions options = small();
  options.delimiters.think_ends = {"", "</think>"};  // of a model that does not think apart
  const Cut c = cut({"a", " b", "</think>", "", "c"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b</think>c"}));
  EXPECT_EQ(c.faults, DelimiterFaults{});
}

TEST(Segmenter, ASummaryThatIsCutEmptyPairsWithNothing) {
  SegmenterOptions options = with_summaries();
  options.summary_max = 3;
  const Cut forced = cut({"a", " b", "<s>", " ", "\n", "c"}, options);
  EXPECT_EQ(forced.faults, (DelimiterFaults{.unclosed = 1, .empty = 1}));
  EXPECT_EQ(forced.timeline.segments()[0].partner, -1);
  const Cut ended = cut({"a", " b", "<s>"}, with_summaries());
  EXPECT_EQ(ended.faults, (DelimiterFaults{.unclosed = 1, .empty = 1}));
}

TEST(Segmenter, TheClosingDelimiterAtTheGreatestLengthIsInTime) {
  SegmenterOptions options = with_summaries();
  options.summary_max = 3;
  EXPECT_EQ(cut({"a", " b", "<s>", "x", "</s>", "c"}, options).faults, DelimiterFaults{});
}

TEST(Segmenter, AnUnfinishedSummaryPairsWithItsThought) {
  const Cut c = cut({"a", " b", "<s>", "x"}, with_summaries());
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
}

TEST(Segmenter, FinishingTwiceChangesNothing) {
  Timeline timeline;
  Segmenter segmenter(with_summaries());
  segmenter.end_prompt(timeline);
  for (const char* piece : {"a", " b", "<s>", "x"}) (void)segmenter.push(timeline, 0, piece);
  segmenter.finish(timeline);
  segmenter.finish(timeline);
  EXPECT_EQ(segmenter.faults(), DelimiterFaults{.unclosed = 1});
  EXPECT_EQ(timeline.segments().size(), 2U);
}

TEST(Segmenter, ADelimiterMaySpanTheEndOfAParagraph) {
  SegmenterOptions options = with_summaries();
  options.delimiters.summary_begin = "\n\nSummary:";
  options.delimiters.summary_end = "\n\n";
  const Cut c = cut({"a", " b", "\n\n", "Sum", "mary", ":", " x", "\n\n", "c"}, options);
  // The paragraph's line is closed: the summary begins behind it.
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b\n\n", "summary:Summary: x\n\n", "thought:c"}));
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
}

TEST(Segmenter, ADelimiterThatAClosedLineBeganInStartsBehindIt) {
  SegmenterOptions options = with_summaries();
  options.line_max = 4;
  const Cut c = cut({"a", "b", "c", "<", "s", ">", "x", "</s>"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:abc<", "summary:s>x</s>"}));
  EXPECT_EQ(c.faults, DelimiterFaults{});
}

TEST(Segmenter, TheLongestLineHoldsBehindADelimiterToo) {
  SegmenterOptions options = with_summaries();
  options.delimiters.summary_begin = "<summary>";
  Pieces pieces = {"\n"};
  for (const char c : std::string("<summary>")) pieces.emplace_back(1, c);
  pieces.insert(pieces.end(), 20, "x");
  const Cut c = cut(pieces, options);
  ASSERT_GT(c.timeline.lines().size(), 3U);
  for (const Line& line : c.timeline.lines()) EXPECT_LE(line.span.size(), 8);
}

TEST(Segmenter, ATokenMayHoldAWholeSummary) {
  const Cut c = cut({"a", " b", "c<s>x</s>d", "e"}, with_summaries());
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:c<s>x</s>d", "thought:e"}));
  EXPECT_EQ(c.faults, DelimiterFaults{});
  EXPECT_EQ(c.timeline.segments()[0].partner, 1);
}

TEST(Segmenter, ATokenMayEndOneSummaryAndBeginAnother) {
  const Cut c = cut({"a", " b", "<s>", "x", "</s><s>", "y", "</s>"}, with_summaries());
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:<s>x</s><s>", "summary:y</s>"}));
  EXPECT_EQ(c.faults, DelimiterFaults{.orphan = 1});
}

TEST(Segmenter, ASummarysTextMayBeginInTheTokenThatEndedAnother) {
  const Cut c = cut({"a", " b", "<s>", "x", "</s><s>y        ", "</s>"}, with_summaries());
  EXPECT_EQ(c.faults, DelimiterFaults{.orphan = 1});  // and not empty
}

TEST(Segmenter, ADelimiterIsUsedUp) {
  SegmenterOptions options = with_summaries();
  options.delimiters.summary_begin = options.delimiters.summary_end = "***";
  const Cut c = cut({"a", " b", "*", "*", "*", "*", "x", "***"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:a b", "summary:****x***"}));
}

TEST(Segmenter, TheLongerOfTwoDelimitersCounts) {
  SegmenterOptions options = with_summaries();
  options.delimiters.summary_begin = "summary:";
  options.delimiters.summary_end = "end summary:";
  const Cut stray = cut({"a", " b", "end ", "summary:", "c"}, options);
  EXPECT_EQ(stray.faults, DelimiterFaults{.stray = 1});
  EXPECT_EQ(stray.segments(), (Pieces{"thought:a bend summary:c"}));
  const Cut pair = cut({"a", " b", "summary:", "x ", "end ", "summary:", "c"}, options);
  EXPECT_EQ(pair.segments(),
            (Pieces{"thought:a b", "summary:summary:x end summary:", "thought:c"}));
}

TEST(Segmenter, ATextOfOneTokenIsOneSegment) {
  const Cut c = cut({"first<s>one</s>then<s>two</s>last"}, with_summaries());
  EXPECT_EQ(c.timeline.segments().size(), 1U);
  EXPECT_EQ(c.timeline.segments()[0].kind, SegmentKind::summary);
  EXPECT_EQ(c.faults, DelimiterFaults{.orphan = 2});  // neither has a thought before it
}

TEST(Segmenter, ATokenMayEndTheThinkingAndBeginItAgain) {
  const Cut c = cut({"<think>", "a", "</think><think>", "b", "</think>", "4"}, with_thinking());
  EXPECT_EQ(c.segments(),
            (Pieces{"thought:<think>a</think><think>", "thought:b</think>", "answer:4"}));
}

TEST(Segmenter, NoDelimiterBeginsInThePrompt) {
  Timeline timeline;
  Segmenter segmenter(with_summaries());
  segmenter.push_prompt(timeline, std::vector<Token>{1, 2}, Pieces{"Use <s>x</s>, <", "s"});
  segmenter.end_prompt(timeline);
  (void)segmenter.push(timeline, 3, ">");
  EXPECT_EQ(segmenter.kind(), SegmentKind::thought);
  EXPECT_EQ(segmenter.faults(), DelimiterFaults{});
}

}  // namespace
}  // namespace zoomr
