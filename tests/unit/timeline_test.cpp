#include "core/timeline.h"

#include <gtest/gtest.h>

#include "zoomr/error.h"

namespace zoomr {
namespace {

Timeline with_tokens(int n) {
  Timeline timeline;
  timeline.open_segment(SegmentKind::thought, false);
  for (int i = 0; i < n; ++i) timeline.append(i);
  return timeline;
}

TEST(Timeline, LinesAndSegmentsTileIt) {
  Timeline t = with_tokens(10);
  t.close_line(4);
  t.close_segment(7);
  t.open_segment(SegmentKind::summary, false);
  t.append(99);
  t.close_segment(11);
  ASSERT_EQ(t.lines().size(), 3U);
  EXPECT_EQ(t.lines()[0].span, (Span{0, 4}));
  EXPECT_EQ(t.lines()[1].span, (Span{4, 7}));
  EXPECT_EQ(t.lines()[2].span, (Span{7, 11}));
  EXPECT_EQ(t.lines()[2].segment, 1);
  EXPECT_EQ(t.segments()[1].span, (Span{7, 11}));
}

TEST(Timeline, TheOpenLineIsWhatIsBehindTheLastClosedOne) {
  Timeline t = with_tokens(5);
  EXPECT_EQ(t.open_line(), (Span{0, 5}));
  t.close_line(5);
  EXPECT_TRUE(t.open_line().empty());
}

TEST(Timeline, FindsTheLineOfAPosition) {
  Timeline t = with_tokens(10);
  t.close_line(3);
  t.close_line(8);
  EXPECT_EQ(t.line_at(0), 0);
  EXPECT_EQ(t.line_at(2), 0);
  EXPECT_EQ(t.line_at(3), 1);
  EXPECT_EQ(t.line_at(8), std::nullopt);
  EXPECT_EQ(t.line_at(-1), std::nullopt);
  EXPECT_EQ(t.line_at(100), std::nullopt);
}

TEST(Timeline, ATokenNeedsAnOpenSegment) {
  Timeline t;
  EXPECT_THROW(t.append(1), Error);
  t = with_tokens(2);
  t.close_segment(2);
  EXPECT_THROW(t.append(1), Error);
}

TEST(Timeline, RefusesEditsThatBreakTheTiling) {
  Timeline t = with_tokens(6);
  t.close_line(4);
  EXPECT_THROW(t.close_line(4), Error);
  EXPECT_THROW(t.close_line(7), Error);
  EXPECT_THROW(t.close_segment(3), Error);
  EXPECT_THROW(t.open_segment(SegmentKind::answer, false), Error);
}

TEST(Timeline, PairsAThoughtWithItsSummary) {
  Timeline t = with_tokens(3);
  t.close_segment(3);
  t.open_segment(SegmentKind::summary, false);
  t.append(1);
  t.close_segment(4);
  t.pair(0, 1);
  EXPECT_EQ(t.segments()[0].partner, 1);
  EXPECT_EQ(t.segments()[1].partner, 0);
  EXPECT_THROW(t.pair(1, 0), Error);
}

}  // namespace
}  // namespace zoomr
