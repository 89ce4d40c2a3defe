#include "core/thought_tree.h"

#include <gtest/gtest.h>

#include "core/columns.h"
#include "unit/recorded_run.h"

namespace zoomr {
namespace {

using Rows = std::vector<std::string>;

constexpr TreeStyle kPlain{.width = 100};
constexpr TreeStyle kAscii{.width = 100, .ascii = true};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// A thought of `n_all` tokens; [0, n_out) is stored, [n_out, n_out + n_drop) dropped.
Replay with_shares(Pos n_out, Pos n_drop, Pos n_all) {
  Events events = {
      RunEvent{.zoomr = "0", .llama = "0", .model = "m", .policy = "p", .options = {}}};
  for (Pos pos = 0; pos < n_all; ++pos) events.push_back(TokenEvent{.pos = pos, .piece = "w "});
  events.push_back(DecodeEvent{{0, n_all}, 1});
  if (n_out > 0) events.push_back(EditEvent{.kind = EditKind::out, .span = {0, n_out}});
  if (n_drop > 0) {
    events.push_back(EditEvent{.kind = EditKind::drop, .span = {n_out, n_out + n_drop}});
  }
  return replay(events);
}

TEST(ThoughtTree, IsARowASegment) {
  const Rows rows = thought_tree(replay(recorded_run()), kAscii);
  EXPECT_EQ(rows, (Rows{
                      "- prompt      [0,4)       ##########    4 /   4  \"Add 1 and 2\"",
                      "+ thought 1   [4,12)      .....xxxxx    0 /   8  \"One and two.\"",
                      " `- summary   [12,16)     ##########    4 /   4  \"sum 3\"",
                      "- answer      [16,20)     ########__    3 /   4  \"It is caf?.\"",
                  }));
}

TEST(ThoughtTree, DrawsTheSameWithBoxCharacters) {
  const Rows rows = thought_tree(replay(recorded_run()), kPlain);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[1],
            "\u25b8 thought 1   [4,12)      "
            "\u2591\u2591\u2591\u2591\u2591\u00b7\u00b7\u00b7\u00b7\u00b7    0 /   8  \"One and "
            "two.\"");
  EXPECT_TRUE(rows[2].starts_with(" \u2514\u2574 summary"));
  EXPECT_TRUE(rows[3].ends_with("\"It is caf\u00e9.\""));
}

TEST(ThoughtTree, ShowsLinesUnderTheirSegment) {
  const Rows rows =
      thought_tree(replay(recorded_run()), {.width = 100, .lines = true, .ascii = true});
  ASSERT_EQ(rows.size(), 9U);
  EXPECT_EQ(rows[3], "    |         [4,8)       ..........    0 /   4  \"One and two.\"");
  EXPECT_EQ(rows[4], "    |         [8,12)      xxxxxxxxxx    0 /   4  \"That is 3.\"");
  EXPECT_NE(rows[5].find("summary"), std::string::npos);
}

TEST(ThoughtTree, ASegmentIsToldByItsFirstLineThatSaysAnything) {
  Events events = recorded_run();
  for (std::size_t i = 4; i < 8; ++i) find<TokenEvent>(events, i).piece = "\n";
  events.pop_back();  // the hash is another now
  EXPECT_TRUE(thought_tree(replay(events), kAscii).at(1).ends_with("\"That is 3.\""));
  for (std::size_t i = 8; i < 12; ++i) find<TokenEvent>(events, i).piece = " ";
  EXPECT_TRUE(thought_tree(replay(events), kAscii).at(1).ends_with(" 0 /   8"));
}

TEST(ThoughtTree, MarksWhatIsGoneForGood) {
  const Rows rows = thought_tree(with_shares(0, 9, 9), kAscii);
  EXPECT_TRUE(rows.at(0).starts_with("x thought 1"));
  EXPECT_TRUE(thought_tree(with_shares(0, 9, 9), kPlain).at(0).starts_with("\u00d7 thought 1"));
}

struct Bar {
  Pos n_out, n_drop, n_all;
  const char* cells;
};

class TreeBar : public ::testing::TestWithParam<Bar> {};

TEST_P(TreeBar, ShowsTheShares) {
  const Bar& b = GetParam();
  const std::string row = thought_tree(with_shares(b.n_out, b.n_drop, b.n_all), kAscii).at(0);
  EXPECT_NE(row.find(std::string("  ") + b.cells + "  "), std::string::npos) << row;
}

INSTANTIATE_TEST_SUITE_P(Cases, TreeBar,
                         ::testing::Values(Bar{0, 0, 1, "##########"}, Bar{10, 0, 10, ".........."},
                                           Bar{40, 0, 100, "######...."},
                                           Bar{1, 0, 1000, "#########."},    // one cell at least
                                           Bar{999, 0, 1000, "#........."},  // on either side
                                           Bar{1, 1, 1000, "########.x"},
                                           Bar{33, 33, 99, "####...xxx"}));

TEST(ThoughtTree, FitsItsWidth) {
  const Replay r = replay(recorded_run());
  for (int width = 60; width < 140; width += 7) {
    for (const bool ascii : {false, true}) {
      for (const std::string& row :
           thought_tree(r, {.width = width, .lines = true, .ascii = ascii})) {
        EXPECT_LE(columns_of(row), width);
      }
    }
  }
}

TEST(ThoughtTree, ShortensALongText) {
  Events events = recorded_run();
  find<TokenEvent>(events, 4).piece = std::string(500, 'y');
  events.pop_back();  // the hash is another now
  const Rows plain = thought_tree(replay(events), kPlain);
  EXPECT_TRUE(plain.at(1).ends_with("yyy\u2026\""));
  EXPECT_EQ(columns_of(plain[1]), 100);
  const Rows ascii = thought_tree(replay(events), kAscii);
  EXPECT_TRUE(ascii.at(1).ends_with("yyy...\""));
  EXPECT_EQ(ascii[1].size(), 100U);
}

TEST(ThoughtTree, AsciiIsPrintableAscii) {
  Events events = recorded_run();
  find<TokenEvent>(events, 4).piece = "\x1b[31m\u5929\xff\t";
  events.pop_back();
  for (const std::string& row :
       thought_tree(replay(events), {.width = 100, .lines = true, .ascii = true})) {
    for (const char c : row) EXPECT_TRUE(c >= ' ' && c < 0x7f) << row;
  }
}

TEST(ThoughtTree, TextNeverReachesTheTerminalAsAnEscape) {
  Events events = recorded_run();
  find<TokenEvent>(events, 4).piece = "\x1b]0;title\x07";
  events.pop_back();
  for (const std::string& row : thought_tree(replay(events), kPlain)) {
    EXPECT_EQ(row.find('\x1b'), std::string::npos);
  }
}

TEST(ThoughtTree, ColorsAddNothingElse) {
  const Replay r = replay(recorded_run());
  const Rows plain = thought_tree(r, kPlain);
  Rows colored = thought_tree(r, {.width = 100, .color = true});
  ASSERT_EQ(colored.size(), plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(count(colored[i], "\x1b[0m") * 2, count(colored[i], "\x1b["));  // each ends
    for (std::size_t at; (at = colored[i].find('\x1b')) != std::string::npos;) {
      colored[i].erase(at, colored[i].find('m', at) - at + 1);
    }
    EXPECT_EQ(colored[i], plain[i]);
  }
}

TEST(ThoughtTree, TheLegendNamesEveryState) {
  EXPECT_EQ(tree_legend(kAscii), "# resident   . stored (folded)   x dropped");
  EXPECT_EQ(columns_of(tree_legend(kPlain)), columns_of(tree_legend(kAscii)));
}

}  // namespace
}  // namespace zoomr
