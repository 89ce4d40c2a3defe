#include "core/thought_tree.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>

#include "core/columns.h"

namespace zoomr {

namespace {

constexpr int kBarColumns = 10;
constexpr int kLeastText = 12;  // columns; a text with less room is left out

enum State : std::uint8_t { resident, stored, dropped, waiting, n_states };
using Shares = std::array<Pos, n_states>;  // tokens in each state

struct Look {
  std::string_view cell;        // of a bar
  std::string_view ascii_cell;  // the same without UTF-8
  std::string_view color;       // ANSI
};
constexpr std::array<Look, n_states> kLooks = {{{"\u2588", "#", "\x1b[32m"},    // resident: green
                                                {"\u2591", ".", "\x1b[33m"},    // stored: yellow
                                                {"\u00b7", "x", "\x1b[31m"},    // dropped: red
                                                {"\u2581", "_", "\x1b[36m"}}};  // waiting: cyan
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kReset = "\x1b[0m";

struct Row {
  std::string name;  // with its mark
  Span span;
  Shares shares{};
  std::string text;
  bool is_segment = false;
};

std::string padded(std::string text, int columns) {
  text.append(static_cast<std::size_t>(std::max(0, columns - columns_of(text))), ' ');
  return text;
}

std::string right(const std::string& text, int columns) {
  return std::string(static_cast<std::size_t>(std::max(0, columns - columns_of(text))), ' ') + text;
}

std::string in_color(std::string_view color, const std::string& text, const TreeStyle& style) {
  return style.color ? std::string(color) + text + std::string(kReset) : text;
}

Shares shares_of(const Replay& replay, Span span) {
  const SpanSet whole{span};
  Shares shares{};
  shares[resident] = replay.residency().resident.intersection(whole).size();
  shares[stored] = replay.residency().stored.intersection(whole).size();
  shares[waiting] = std::max(0, span.end - std::max(span.begin, replay.decoded()));
  shares[dropped] = span.size() - shares[resident] - shares[stored] - shares[waiting];
  return shares;
}

// How many of the bar's cells each state gets: in proportion, but one at least where there is any.
std::array<int, n_states> cells_of(const Shares& shares) {
  const Pos all = std::max(1, std::accumulate(shares.begin(), shares.end(), 0));
  std::array<int, n_states> cells{};
  for (std::size_t i = 0; i < n_states; ++i) {
    const auto exact = static_cast<int>(std::int64_t{shares[i]} * kBarColumns / all);
    cells[i] = shares[i] > 0 ? std::max(1, exact) : 0;
  }
  // What rounding left over or took too much is settled with the greatest share.
  const auto greatest =
      static_cast<std::size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
  cells[greatest] += kBarColumns - std::accumulate(cells.begin(), cells.end(), 0);
  return cells;
}

std::string bar(const Shares& shares, const TreeStyle& style) {
  const std::array<int, n_states> cells = cells_of(shares);
  std::string result;
  for (std::size_t i = 0; i < n_states; ++i) {
    std::string part;
    for (int n = 0; n < cells[i]; ++n) part += style.ascii ? kLooks[i].ascii_cell : kLooks[i].cell;
    if (!part.empty()) result += in_color(kLooks[i].color, part, style);
  }
  return result;
}

std::string to_ascii(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) result += c;
    if (byte >= 0xc0) result += '?';  // one a character
  }
  return result;
}

std::string quoted(const std::string& text, int columns, const TreeStyle& style) {
  if (text.empty() || columns < kLeastText) return "";
  if (!style.ascii) return '"' + shorten(text, columns - 2) + '"';
  std::string plain = to_ascii(text);
  const auto room = static_cast<std::size_t>(columns - 2);
  if (plain.size() > room) plain = plain.substr(0, room - 3) + "...";
  return '"' + plain + '"';
}

// A summary without its delimiters, as far as the run's options name them.
std::string summary_text(const Replay& replay, Span span) {
  std::string text = one_line(replay.text(span));
  const auto option = [&replay](const char* name) {
    const auto it = replay.run().options.find(name);
    return it != replay.run().options.end() && it->is_string() ? it->get<std::string>() : "";
  };
  const std::string begin = option("summary-begin");
  const std::string end = option("summary-end");
  if (!begin.empty() && text.starts_with(begin)) text.erase(0, begin.size());
  if (!end.empty() && text.ends_with(end)) text.resize(text.size() - end.size());
  return one_line(text);
}

// The first line of a segment that says anything.
std::string first_text(const Replay& replay, Span segment) {
  const auto lines = replay.lines();
  for (std::optional<int> i = replay.timeline().line_at(segment.begin);
       i && static_cast<std::size_t>(*i) < lines.size(); ++*i) {
    const Span line = lines[static_cast<std::size_t>(*i)].span;
    if (!segment.contains(line)) break;
    std::string text = one_line(replay.text(line));
    if (!text.empty()) return text;
  }
  return one_line(replay.text(segment));
}

std::string mark_of(const Shares& shares, const TreeStyle& style) {
  if (shares[resident] + shares[waiting] + shares[stored] == 0) {
    return style.ascii ? "x " : "\u00d7 ";  // gone for good
  }
  if (shares[resident] + shares[waiting] > 0) return style.ascii ? "- " : "\u25be ";  // unfolded
  return style.ascii ? "+ " : "\u25b8 ";                                              // folded
}

std::vector<Row> rows_of(const Replay& replay, const TreeStyle& style) {
  std::vector<Row> rows;
  std::array<int, 4> n_of_kind{};  // by SegmentKind
  const auto segments = replay.segments();
  const auto lines = replay.lines();
  std::size_t line = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const Shares shares = shares_of(replay, segment.span);
    const bool hangs = segment.kind == SegmentKind::summary;
    std::string name = hangs ? (style.ascii ? " `- " : " \u2514\u2574 ") : mark_of(shares, style);
    name += to_string(segment.kind);
    const int n = ++n_of_kind[static_cast<std::size_t>(segment.kind)];
    if (segment.kind == SegmentKind::thought) name += ' ' + std::to_string(n);
    rows.push_back(
        {.name = name,
         .span = segment.span,
         .shares = shares,
         .text = hangs ? summary_text(replay, segment.span) : first_text(replay, segment.span),
         .is_segment = true});
    for (; line < lines.size() && lines[line].segment == static_cast<int>(i); ++line) {
      if (!style.lines) continue;
      const Span span = lines[line].span;
      rows.push_back({.name = style.ascii ? "    |" : "    \u2502",
                      .span = span,
                      .shares = shares_of(replay, span),
                      .text = one_line(replay.text(span))});
    }
  }
  return rows;
}

}  // namespace

std::string tree_legend(const TreeStyle& style) {
  constexpr std::array<std::string_view, 3> names = {"resident", "stored (folded)", "dropped"};
  std::string legend;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) legend += "   ";
    const std::string cell(style.ascii ? kLooks[i].ascii_cell : kLooks[i].cell);
    legend += in_color(kLooks[i].color, cell, style) + ' ' + std::string(names[i]);
  }
  return legend;
}

std::vector<std::string> thought_tree(const Replay& replay, const TreeStyle& style) {
  const std::vector<Row> rows = rows_of(replay, style);
  int name_columns = 12;
  int span_columns = 10;
  int count_columns = 3;
  for (const Row& row : rows) {
    name_columns = std::max(name_columns, columns_of(row.name));
    span_columns = std::max(span_columns, columns_of(to_string(row.span)));
    count_columns = std::max(count_columns, columns_of(std::to_string(row.span.size())));
  }
  const int used =
      name_columns + 2 + span_columns + 2 + kBarColumns + 2 + count_columns + 3 + count_columns + 2;
  std::vector<std::string> result;
  for (const Row& row : rows) {
    const bool held = row.shares[resident] + row.shares[waiting] > 0;
    const std::string name = padded(row.name, name_columns);
    const std::string counts = right(std::to_string(row.shares[resident]), count_columns) + " / " +
                               right(std::to_string(row.span.size()), count_columns);
    const std::string text = quoted(row.text, style.width - used, style);
    result.push_back((row.is_segment ? in_color(kBold, name, style) : name) + "  " +
                     padded(to_string(row.span), span_columns) + "  " + bar(row.shares, style) +
                     "  " + counts);
    if (text.empty()) continue;
    result.back() += "  " + (held ? text : in_color(kDim, text, style));
  }
  return result;
}

}  // namespace zoomr
