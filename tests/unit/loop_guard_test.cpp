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

}  // namespace
}  // namespace zoomr
