#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/segmenter.h"
#include "unit/segmenter_text.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

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
    SegmenterOptions options;  // lines of 8 to 64 tokens, some of a clause
    if (GetParam() % 2 == 0) options.clause_min = 0;
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
    const bool grown = timeline.lines().size() > lines.size();
    if (options().clause_min == 0) {
      ASSERT_EQ(boundary.sentence, grown);
    } else {
      ASSERT_LE(boundary.sentence, grown);  // a clause is a line, but no boundary
    }
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
