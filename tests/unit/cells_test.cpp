#include "kv/cells.h"

#include <gtest/gtest.h>

namespace zoomr {
namespace {

TEST(Cells, TakesTheLowestFreeOnes) {
  Cells cells(8);
  ASSERT_TRUE(cells.place(0, {0, 6}));
  cells.free(0, {1, 3});
  ASSERT_TRUE(cells.place(0, {6, 9}));
  EXPECT_EQ(cells.cell_of(0, 6), 1);
  EXPECT_EQ(cells.cell_of(0, 7), 2);
  EXPECT_EQ(cells.cell_of(0, 8), 6);
}

TEST(Cells, AllOrNothing) {
  Cells cells(4);
  ASSERT_TRUE(cells.place(0, {0, 3}));
  EXPECT_FALSE(cells.place(0, {3, 5}));
  EXPECT_EQ(cells.n_free(), 1);
  EXPECT_EQ(cells.cell_of(0, 3), std::nullopt);
}

TEST(Cells, KnowsWhoSitsHighest) {
  Cells cells(8);
  EXPECT_EQ(cells.topmost(), std::nullopt);
  EXPECT_EQ(cells.width(), 0);
  ASSERT_TRUE(cells.place(0, {0, 2}));
  ASSERT_TRUE(cells.place(1, {5, 7}));
  EXPECT_EQ(cells.topmost(), (std::pair<SeqId, Pos>{1, 6}));
  EXPECT_EQ(cells.width(), 4);
  cells.free(1, {6, 7});
  EXPECT_EQ(cells.topmost(), (std::pair<SeqId, Pos>{1, 5}));
}

TEST(Cells, FreesOneSequenceAlone) {
  Cells cells(8);
  ASSERT_TRUE(cells.place(0, {0, 2}));
  ASSERT_TRUE(cells.place(1, {0, 2}));
  cells.free(0, {0, 100});
  EXPECT_EQ(cells.n_free(), 6);
  EXPECT_EQ(cells.cell_of(1, 0), 2);
}

TEST(Cells, ASharedOneIsFreeWhenAllHaveLeftIt) {
  Cells cells(8);
  ASSERT_TRUE(cells.place(0, {0, 4}));
  cells.share(0, 1, {0, 3});
  EXPECT_EQ(cells.n_free(), 4);
  EXPECT_EQ(cells.n_used_by(std::vector<SeqId>{0, 1}), 4);
  EXPECT_EQ(cells.n_used_by(std::vector<SeqId>{1}), 3);
  EXPECT_EQ(cells.n_used_by(std::vector<SeqId>{}), 0);
  EXPECT_EQ(cells.cell_of(1, 2), 2);
  EXPECT_EQ(cells.cell_of(1, 3), std::nullopt);
  cells.free(0, {0, 4});
  EXPECT_EQ(cells.n_free(), 5);
  EXPECT_EQ(cells.topmost(), (std::pair<SeqId, Pos>{1, 2}));
  cells.free(1, {0, 3});
  EXPECT_EQ(cells.n_free(), 8);
}

TEST(Cells, NoOneMovesASharedOne) {
  Cells cells(8);
  ASSERT_TRUE(cells.place(0, {0, 4}));
  cells.share(0, 1, {0, 4});
  EXPECT_EQ(cells.width(), 4);
  EXPECT_EQ(cells.topmost(), std::nullopt);
}

}  // namespace
}  // namespace zoomr
