#include "core/capture.h"

#include <gtest/gtest.h>

namespace zoomr {
namespace {

const std::vector<LayerShape> kLayers = {{.n_head = 4, .n_head_kv = 2, .d_head = 8},
                                         {},  // no attention
                                         {.n_head = 2, .n_head_kv = 1, .d_head = 16}};

TEST(Layout, PacksAllHeadsInOrder) {
  const HeadLayout queries = make_layout({.all = true}, kLayers, false);
  EXPECT_EQ(queries.items.size(), 6U);
  EXPECT_EQ(queries.row_size, 4U * 8 + 2 * 16);
  EXPECT_EQ(queries.find({2, 1})->offset, 4U * 8 + 16);
  const HeadLayout keys = make_layout({.all = true}, kLayers, true);
  EXPECT_EQ(keys.row_size, 2U * 8 + 16);
}

TEST(Layout, LeavesOutHeadsThatDoNotExist) {
  const HeadLayout layout =
      make_layout({.chosen = {{0, 3}, {0, 9}, {1, 0}, {7, 0}}}, kLayers, false);
  ASSERT_EQ(layout.items.size(), 1U);
  EXPECT_EQ(layout.items[0].head, (Head{0, 3}));
  EXPECT_EQ(layout.find({1, 0}), nullptr);
}

TEST(Selection, MergesToTheUnion) {
  HeadSelection a{.chosen = {{0, 1}, {2, 0}}};
  merge(a, {.chosen = {{0, 1}, {1, 5}}});
  EXPECT_EQ(a.chosen, (std::vector<Head>{{0, 1}, {1, 5}, {2, 0}}));
  merge(a, {.all = true});
  EXPECT_TRUE(a.all);
  EXPECT_TRUE(a.chosen.empty());
}

TEST(Selection, NothingIsNothing) {
  EXPECT_FALSE(HeadSelection{}.any());
  EXPECT_FALSE(Capture{}.any());
  EXPECT_TRUE((HeadSelection{.chosen = {{0, 0}}}.any()));
}

}  // namespace
}  // namespace zoomr
