#include "core/columns.h"

#include <gtest/gtest.h>

namespace zoomr {
namespace {

using Rows = std::vector<std::string>;

TEST(Columns, CountsCharactersNotBytes) {
  EXPECT_EQ(columns_of("h\u00e9llo"), 5);
  EXPECT_EQ(columns_of("\u4e2d\u6587"), 4);
  EXPECT_EQ(columns_of("\xff\xfe"
                       "a"),
            1);
}

TEST(Columns, OneLineFoldsWhiteSpace) {
  EXPECT_EQ(one_line("  a\n\tb \x01 c  "), "a b c");
  EXPECT_EQ(one_line("caf\xc3"), "caf");
}

TEST(Columns, ShortensWithAnEllipsis) {
  EXPECT_EQ(shorten("hello", 5), "hello");
  EXPECT_EQ(shorten("hello!", 5), "hell\u2026");
  EXPECT_EQ(columns_of(shorten("\u4e2d\u6587\u5b57", 4)), 3);
}

TEST(Columns, WrapsAtSpaces) {
  EXPECT_EQ(wrap("the quick brown fox", 10), (Rows{"the quick", "brown fox"}));
  EXPECT_EQ(wrap("a\nb\n", 10), (Rows{"a", "b"}));
  EXPECT_EQ(wrap("abcdefgh", 3), (Rows{"abc", "def", "gh"}));
}

TEST(Columns, EveryRowFits) {
  const std::string text =
      "one two three four five six seven eight nine ten \u4e2d\u6587\u4e2d\u6587";
  for (int width = 4; width < 30; ++width) {
    for (const std::string& row : wrap(text, width)) EXPECT_LE(columns_of(row), width);
  }
}

}  // namespace
}  // namespace zoomr
