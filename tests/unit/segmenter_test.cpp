#include "core/segmenter.h"

#include <gtest/gtest.h>

#include <random>
#include <span>
#include <string>
#include <vector>

#include "unit/segmenter_text.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

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

SegmenterOptions with_clauses() {
  SegmenterOptions options = small();
  options.clause_min = 3;
  return options;
}

TEST(Segmenter, ALongClauseIsALineOfItsOwnButNoBoundaryToVoteAt) {
  const Pieces pieces = {"If", " it", ",", " then", " we", " go", ",", " or", " stay", ".", " So"};
  const Cut c = cut(pieces, with_clauses());
  EXPECT_EQ(c.lines(), (Pieces{"If it,", " then we go,", " or stay.", " So"}));
  for (std::size_t i = 0; i < pieces.size(); ++i) EXPECT_EQ(c.boundaries[i].sentence, i == 10) << i;
  SegmenterOptions none = small();
  none.clause_min = 0;
  EXPECT_EQ(cut(pieces, none).lines(), (Pieces{"If it, then we go, or", " stay.", " So"}));
}

TEST(Segmenter, AShortClauseGoesOn) {
  const Cut c = cut({"a", ",", " b", ";", " c", ":", " d"}, with_clauses());
  EXPECT_EQ(c.lines(), (Pieces{"a, b;", " c: d"}));
}

TEST(Segmenter, ACommaInsideANumberEndsNothing) {
  const Cut c = cut({"It", " is", " 10", ",", "000", " or", " 3", ":", "1"}, with_clauses());
  EXPECT_EQ(c.lines(), (Pieces{"It is 10,000 or 3:", "1"}));  // only at the greatest length, eight
}

TEST(Segmenter, WideClauseEndsNeedNoSpace) {
  const Cut c =
      cut({"\u5929", "\u6c14", "\uff0c", "\u597d", "\u5417", "\u3001", "\u662f"}, with_clauses());
  EXPECT_EQ(c.lines(), (Pieces{"\u5929\u6c14\uff0c", "\u597d\u5417\u3001", "\u662f"}));
}

// A thought that is due waits for the end of a sentence: a clause must not put it off for ever.
TEST(Segmenter, AClauseEndsNoThought) {
  SegmenterOptions options = with_clauses();
  options.thought_max = 8;
  Pieces pieces;
  for (int i = 0; i < 20; ++i) pieces.insert(pieces.end(), {" so", " on", ","});
  const Cut c = cut(pieces, options);
  EXPECT_EQ(c.lines()[0], " so on,");
  for (const Segment& s : c.timeline.segments()) {
    EXPECT_LT(s.span.size(), options.thought_max + options.line_max);
  }
  EXPECT_GT(c.timeline.segments().size(), 3U);
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
           [](SegmenterOptions& o) { o.clause_min = -1; },
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

TEST(Segmenter, CloseIfDueChangesNothingWhenItIsNot) {
  Timeline timeline;
  Segmenter segmenter(small());
  segmenter.end_prompt(timeline);
  for (const char* piece : {"It", " is", "."}) (void)segmenter.push(timeline, 0, piece);
  EXPECT_FALSE(segmenter.close_if_due(timeline, " So"));
  EXPECT_TRUE(timeline.lines().empty());
  EXPECT_TRUE(segmenter.push(timeline, 0, " So").sentence);  // the push itself tells of the line
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

}  // namespace
}  // namespace zoomr
