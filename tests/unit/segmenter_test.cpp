#include "core/segmenter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "zoomr/error.h"

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

TEST(Segmenter, RefusesLengthsThatMakeNoSense) {
  const SegmenterOptions good;
  for (const auto& spoil : std::vector<void (*)(SegmenterOptions&)>{
           [](SegmenterOptions& o) { o.line_min = 0; },
           [](SegmenterOptions& o) { o.line_max = o.line_min - 1; },
           [](SegmenterOptions& o) { o.thought_max = 0; },
           [](SegmenterOptions& o) { o.summary_max = -1; }}) {
    SegmenterOptions options = good;
    spoil(options);
    EXPECT_THROW((void)Segmenter(options), Error);
  }
  EXPECT_NO_THROW((void)Segmenter(good));
}

TEST(Segmenter, IndentationBelongsToTheLineItIndents) {
  const Cut c = cut({"if", " x", ":", "\n", "    ", "return", " 1"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"if x:\n", "    return 1"}));
}

TEST(Segmenter, AnIndentedNewlineTokenEndsTheLineToo) {
  const Cut c = cut({"if", " x", ":", "\n    ", "return", " 1"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"if x:\n    ", "return 1"}));
}

TEST(Segmenter, ABlankLineWithSpacesEndsAParagraph) {
  for (const Pieces& gap : {Pieces{"\n \n"}, Pieces{"\n", " \n"}, Pieces{"\n\r\n"}, Pieces{" \n\n"},
                            Pieces{"\n", "\t\n"}, Pieces{"\n\n  "}}) {
    Pieces pieces = {"one", " two"};
    pieces.insert(pieces.end(), gap.begin(), gap.end());
    pieces.insert(pieces.end(), {"three", " four"});
    const Cut c = cut(pieces, small());
    ASSERT_EQ(c.segments().size(), 2U) << ::testing::PrintToString(pieces);
    EXPECT_TRUE(c.segments()[1].starts_with("thought:three"));
    EXPECT_TRUE(c.boundaries[1 + gap.size()].thought);
  }
}

TEST(Segmenter, AShortParagraphEndsNothing) {
  SegmenterOptions options = small();
  options.line_min = 4;
  const Cut c = cut({"So", ":", "\n\n", "a", " b", " c", "\n\n", "d"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"thought:So:\n\na b c\n\n", "thought:d"}));
}

TEST(Segmenter, AParagraphEndBehindAFullLineClosesTheThought) {
  Pieces pieces(8, " x");  // line_max
  pieces.insert(pieces.end(), {"\n\n", "y"});
  const Cut c = cut(pieces, small());
  EXPECT_EQ(c.timeline.segments()[0].span, (Span{0, 9}));
  EXPECT_EQ(c.timeline.lines()[1].span, (Span{8, 9}));  // a segment's tail may be short
}

TEST(Segmenter, AnEmptyPieceSettlesNothing) {
  const Cut c = cut({"It", " is", ".", "", "", " So", "", " be", " it"}, small());
  EXPECT_EQ(c.lines(), (Pieces{"It is.", " So be it"}));
  EXPECT_EQ(c.timeline.lines()[0].span, (Span{0, 5}));
}

TEST(Segmenter, EmphasisAndBracketsCloseASentence) {
  EXPECT_EQ(cut({"so", " **", "bold", ".**", " Then", " x"}, small()).lines(),
            (Pieces{"so **bold.**", " Then x"}));
  EXPECT_EQ(cut({"a", " (b", " c", "!)", "]", " Then", " x"}, small()).lines(),
            (Pieces{"a (b c!)]", " Then x"}));
  EXPECT_EQ(cut({"\u201cSo", " it", " is", ".", "\u201d", " Then", " x"}, small()).lines(),
            (Pieces{"\u201cSo it is.\u201d", " Then x"}));
}

TEST(Segmenter, AColonOrACommaEndsNoSentence) {
  EXPECT_EQ(cut({"a", " b", ",", " c", ":", " d", ";", " e"}, small()).lines().size(), 1U);
}

TEST(Segmenter, ASentenceEndThatBlanksFollowedIsGone) {
  // "1." was too short to be a line; the space behind it does not make one later.
  SegmenterOptions options = small();
  options.line_min = 3;
  const Cut c = cut({"1", ".", " ", " kite", " flies", "."}, options);
  EXPECT_EQ(c.lines(), (Pieces{"1.  kite flies."}));
}

TEST(Segmenter, AWideSentenceKeepsWhatClosesIt) {
  EXPECT_EQ(
      cut({"\u5929", "\u597d", "\uff01", "\uff1f", "\u300d", "\uff09", "\u5417"}, small()).lines(),
      (Pieces{"\u5929\u597d\uff01\uff1f\u300d\uff09", "\u5417"}));
  EXPECT_EQ(cut({"\u5929", "\u3002", "\n", "\u5417"}, small()).lines(),
            (Pieces{"\u5929\u3002\n", "\u5417"}));
}

TEST(Segmenter, AWideSentenceEndMayComeInBytes) {
  EXPECT_EQ(cut({"\xe5\xa4", "\xa9", "\xe3", "\x80", "\x82", "\xe5", "\x90\x97"}, small()).lines(),
            (Pieces{"\u5929\u3002", "\u5417"}));
}

TEST(Segmenter, ALongThoughtWithoutSentencesEndsWithAFullLine) {
  SegmenterOptions options = small();
  options.thought_max = 12;
  const Cut c = cut(Pieces(40, " x"), options);
  for (std::size_t i = 0; i + 1 < c.timeline.segments().size(); ++i) {
    EXPECT_EQ(c.timeline.segments()[i].span.size(), 16);
  }
  EXPECT_TRUE(c.boundaries[15].thought);
}

TEST(Segmenter, AnswersAreCutLikeThoughts) {
  SegmenterOptions options = with_thinking();
  options.thought_max = 4;
  const Cut c = cut({"a", " b", "\n\n", "c", " d", "\n", "e", " f", "\n", "g", " h"}, options);
  EXPECT_EQ(c.segments(), (Pieces{"answer:a b\n\n", "answer:c d\ne f\n", "answer:g h"}));
  for (const Boundary& b : c.boundaries) EXPECT_FALSE(b.thought);
}

TEST(Segmenter, CloseIfDueChangesNothingWhenItIsNot) {
  Timeline timeline;
  Segmenter segmenter(small());
  segmenter.end_prompt(timeline);
  for (const char* piece : {"It", " is", "."}) (void)segmenter.push(timeline, 0, piece);
  EXPECT_FALSE(segmenter.close_if_due(timeline, " So"));
  EXPECT_TRUE(timeline.lines().empty());
  EXPECT_TRUE(segmenter.push(timeline, 0, " So").sentence);  // the push itself tells of the line
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

TEST(Segmenter, AParagraphEndsAPromptsLine) {
  Timeline timeline;
  Segmenter segmenter(small());
  segmenter.push_prompt(timeline, std::vector<Token>(5, 1),
                        Pieces{"Be", " kind", "\n\n", "Answer", " me"});
  segmenter.end_prompt(timeline);
  EXPECT_EQ(timeline.segments().size(), 1U);
  ASSERT_EQ(timeline.lines().size(), 2U);
  EXPECT_EQ(timeline.lines()[0].span, (Span{0, 3}));
}

TEST(Segmenter, APromptNeedNotBePinned) {
  SegmenterOptions options = small();
  options.pin_prompt = false;
  Timeline timeline;
  Segmenter segmenter(options);
  segmenter.push_prompt(timeline, std::vector<Token>{1}, Pieces{"Hi"});
  segmenter.end_prompt(timeline);
  EXPECT_FALSE(timeline.segments()[0].pinned);
}

TEST(Segmenter, APromptMayComeInAnyParts) {
  std::mt19937 random(5);
  const Pieces words = {" a", " bc", ".", "\n", "\n\n", "!", " 3", ".14", "", "\""};
  Pieces pieces;
  for (int i = 0; i < 300; ++i) pieces.push_back(words[random() % words.size()]);
  const std::vector<Token> tokens(pieces.size(), 1);
  const auto spans = [&](std::size_t most) {
    Timeline timeline;
    Segmenter segmenter(small());
    for (std::size_t i = 0; i < pieces.size();) {
      const std::size_t n = std::min(pieces.size() - i, 1 + random() % most);
      segmenter.push_prompt(timeline, std::span(tokens).subspan(i, n),
                            std::span(pieces).subspan(i, n));
      i += n;
    }
    segmenter.end_prompt(timeline);
    std::vector<Span> result;
    for (const Line& line : timeline.lines()) result.push_back(line.span);
    return result;
  };
  const std::vector<Span> whole = spans(1000);
  EXPECT_GT(whole.size(), 20U);
  EXPECT_EQ(spans(1), whole);
  EXPECT_EQ(spans(7), whole);
}

TEST(Segmenter, TheOrderOfCallsIsChecked) {
  Timeline timeline;
  Segmenter segmenter(small());
  EXPECT_THROW((void)segmenter.push(timeline, 1, "a"), Error);
  segmenter.end_prompt(timeline);
  EXPECT_THROW(segmenter.end_prompt(timeline), Error);
  EXPECT_THROW(segmenter.push_prompt(timeline, std::vector<Token>{1}, Pieces{"a"}), Error);
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

// Random text, cut into random tokens.
class SegmenterRandom : public ::testing::TestWithParam<int> {
 protected:
  [[nodiscard]] Pieces random_pieces() {
    const Pieces words = {" a",     " bc", ".",    "\n",      "\n\n",     "!",  " 3",
                          ".14",    "<s>", "</s>", "<think>", "</think>", "\"", "\u3002",
                          "\u4e2d", " \n", "<",    " word",   " and",     ","};
    std::string text;
    for (int i = 0; i < 1500; ++i) {
      // Mostly words, so that lines, thoughts and summaries get long.
      text += random_() % 3 == 0 ? words[random_() % words.size()] : words[17 + random_() % 2];
    }
    Pieces pieces;
    const std::size_t most = 1 + random_() % 8;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t n = random_() % 40 == 0 ? 0 : 1 + random_() % most;
      pieces.push_back(text.substr(i, n));
      i += n;
    }
    return pieces;
  }
  static SegmenterOptions options() {
    SegmenterOptions options;  // lines of 8 to 64 tokens
    options.delimiters = {.think_begin = "<think>",
                          .think_ends = {"</think>"},
                          .summary_begin = "<s>",
                          .summary_end = "</s>"};
    return options;
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
};

int n_closed_thoughts(const Timeline& timeline) {
  int n = 0;
  for (const Segment& s : timeline.segments()) {
    if (s.closed && s.kind == SegmentKind::thought) ++n;
  }
  return n;
}

// Lines tile the timeline within their bounds, segments tile it, and each lies in its segment.
void expect_tiled(const Timeline& timeline, const SegmenterOptions& options) {
  Pos at = 0;
  for (const Line& line : timeline.lines()) {
    ASSERT_EQ(line.span.begin, at);
    ASSERT_FALSE(line.span.empty());
    ASSERT_LE(line.span.size(), options.line_max);
    const Segment& segment = timeline.segment_of(line);
    ASSERT_TRUE(segment.span.contains(line.span));
    if (line.span.end != segment.span.end || !segment.closed) {
      ASSERT_GE(line.span.size(), options.line_min);
    }
    at = line.span.end;
  }
  ASSERT_LT(timeline.open_line().size(), options.line_max);
  at = 0;
  for (const Segment& segment : timeline.segments()) {
    ASSERT_EQ(segment.span.begin, at);
    ASSERT_FALSE(segment.span.empty());
    at = segment.span.end;
    if (segment.kind == SegmentKind::summary) {
      ASSERT_LE(segment.span.size(), options.summary_max);
    } else {
      ASSERT_LT(segment.span.size(), options.thought_max + options.line_max);
    }
  }
  ASSERT_EQ(at, timeline.size());
}

TEST_P(SegmenterRandom, TilesAndNeverChangesWhatIsClosed) {
  Timeline timeline;
  Segmenter segmenter(options());
  segmenter.end_prompt(timeline);
  std::vector<Line> lines;
  std::vector<Segment> segments;
  Token token = 0;
  for (const std::string& piece : random_pieces()) {
    const int n_thoughts = n_closed_thoughts(timeline);
    const Boundary boundary = segmenter.push(timeline, token++, piece);
    ASSERT_EQ(timeline.size(), token);
    ASSERT_NO_FATAL_FAILURE(expect_tiled(timeline, options()));
    ASSERT_EQ(boundary.sentence, timeline.lines().size() > lines.size());
    ASSERT_EQ(boundary.thought, n_closed_thoughts(timeline) > n_thoughts);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      ASSERT_EQ(timeline.lines()[i].span, lines[i].span);
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (!segments[i].closed) continue;
      ASSERT_EQ(timeline.segments()[i].span, segments[i].span);
      ASSERT_EQ(timeline.segments()[i].kind, segments[i].kind);
    }
    if (!timeline.segments().back().closed) {
      ASSERT_EQ(timeline.segments().back().kind, segmenter.kind());
    }
    lines.assign(timeline.lines().begin(), timeline.lines().end());
    segments.assign(timeline.segments().begin(), timeline.segments().end());
  }
  segmenter.finish(timeline);
  EXPECT_TRUE(timeline.open_line().empty());
  EXPECT_TRUE(timeline.segments().back().closed);
  EXPECT_GT(timeline.lines().size(), 5U);
}

TEST_P(SegmenterRandom, PairsAreThoughtsWithTheSummaryBehindThem) {
  const Pieces pieces = random_pieces();
  const Cut c = cut(pieces, options());
  const auto segments = c.timeline.segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].partner < 0) continue;
    const auto partner = static_cast<std::size_t>(segments[i].partner);
    EXPECT_EQ(segments[partner].partner, static_cast<int>(i));
    EXPECT_EQ(std::max(i, partner) - std::min(i, partner), 1U);
    EXPECT_EQ(segments[std::max(i, partner)].kind, SegmentKind::summary);
    EXPECT_EQ(segments[std::min(i, partner)].kind, SegmentKind::thought);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SegmenterRandom, ::testing::Range(0, 24));

}  // namespace
}  // namespace zoomr
