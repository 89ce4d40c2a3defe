#include "core/loop_guard.h"

#include <gtest/gtest.h>

namespace zoomr {
namespace {

// Pushes a text line of n tokens; true when the guard spoke at it.
bool push_line(LoopGuard& guard, const std::string& word, int n_tokens) {
  bool looped = false;
  for (int i = 0; i + 1 < n_tokens; ++i) looped |= guard.push(" " + word);
  return guard.push("\n") || looped;
}

TEST(LoopGuard, SpeaksAtTheFourthEqualLine) {
  LoopGuard guard;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(push_line(guard, "x", 8)) << i;
  EXPECT_TRUE(push_line(guard, "x", 8));
}

TEST(LoopGuard, ShortLinesDoNotCount) {
  LoopGuard guard;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(push_line(guard, "x", 7));
}

TEST(LoopGuard, AnotherLineBreaksTheChain) {
  LoopGuard guard;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(push_line(guard, "x", 9));
  EXPECT_FALSE(push_line(guard, "y", 9));
  EXPECT_FALSE(push_line(guard, "x", 9));
}

TEST(LoopGuard, BlankLinesBetweenDoNot) {
  LoopGuard guard;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(push_line(guard, "x", 9));
    EXPECT_FALSE(guard.push("\n"));
  }
  EXPECT_TRUE(push_line(guard, "x", 9));
}

TEST(LoopGuard, SeesSeveralLinesInOneToken) {
  LoopGuard guard;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(push_line(guard, "x", 9));
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(guard.push(" x"));
  EXPECT_TRUE(guard.push("\n\nand"));
}

TEST(LoopGuard, ComparesLinesWithoutTheirEnds) {
  LoopGuard guard;
  const auto line = [&guard](const char* before, const char* behind) {
    (void)guard.push(before);
    for (int i = 0; i < 8; ++i) (void)guard.push("x ");
    return guard.push(behind);
  };
  EXPECT_FALSE(line("", "\n"));
  EXPECT_FALSE(line("  ", " \n"));
  EXPECT_FALSE(line("\t", "\r\n"));
  EXPECT_TRUE(line("", "\n"));
}

TEST(LoopGuard, ALineThatGoesOnFromTheTokenBeforeCountsIt) {
  LoopGuard guard;
  bool looped = false;
  // Eight tokens a line, the first of which ends the line before: "\nx".
  for (int line = 0; line < 5; ++line) {
    looped |= guard.push("\nx");
    for (int i = 0; i < 6; ++i) looped |= guard.push(" x");
  }
  EXPECT_TRUE(looped);
}

TEST(LoopGuard, AShortLineBetweenBreaksTheChain) {
  LoopGuard guard;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(push_line(guard, "x", 9));
  EXPECT_FALSE(push_line(guard, "no", 3));
  EXPECT_FALSE(push_line(guard, "x", 9));
}

TEST(LoopGuard, LinesThatOnlyCountUpAreNoLoop) {
  LoopGuard guard;
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(push_line(guard, std::to_string(i), 9));
}

TEST(LoopGuard, AnUnfinishedFourthLineIsNotOneYet) {
  LoopGuard guard;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(push_line(guard, "x", 9));
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(guard.push(" x"));
  EXPECT_FALSE(guard.push(" y"));
  EXPECT_FALSE(guard.push("\n"));
}

}  // namespace
}  // namespace zoomr
