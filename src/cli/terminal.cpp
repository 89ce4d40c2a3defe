#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/columns.h"

namespace zoomr {

namespace {

constexpr const char* kDim = "\x1b[2m";
constexpr const char* kBack = "\x1b[36m";  // a line that came back
constexpr const char* kReset = "\x1b[0m";

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string paint_row(std::string row, const char* style, bool color) {
  return color && style[0] != '\0' ? style + std::move(row) + kReset : row;
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return {};
  return {size.ws_col, size.ws_row};
}

void LiveText::write(const TraceEvent& event) {
  if (const auto* run = std::get_if<RunEvent>(&event)) {
    budget_ = run->budget;
    injected_ = run->options.value("summaries", "") == "injected";
  } else if (const auto* token = std::get_if<TokenEvent>(&event)) {
    add_token(*token);
  } else if (const auto* line = std::get_if<LineEvent>(&event)) {
    close_line(line->span);
  } else if (const auto* decode = std::get_if<DecodeEvent>(&event)) {
    resident_ += decode->span.size();
    missed_before_ = missed_;
    if (decode->missed >= 0) {
      missed_ = missed_ < 0 ? decode->missed : 0.95 * missed_ + 0.05 * decode->missed;
    }
  } else if (const auto* edit = std::get_if<EditEvent>(&event)) {
    mark(*edit);
  }
}

void LiveText::add_token(const TokenEvent& token) {
  if (lines_.empty() || lines_.back().closed) {
    const Pos begin = lines_.empty() ? 0 : lines_.back().span.end;
    lines_.push_back({.span = {begin, begin}, .text = {}, .kind = token.kind});
  }
  pieces_.push_back(token.piece);
  kinds_.push_back(token.kind);
  TextLine& line = lines_.back();
  line.span.end = token.pos + 1;
  line.kind = token.kind;
  if (token.kind != SegmentKind::prompt) {
    line.text += token.piece;
    ++n_generated_;
  }
}

// Lines close some tokens back: what lies behind the end starts the next one.
void LiveText::close_line(Span span) {
  while (!lines_.empty() && lines_.back().span.begin >= span.begin) lines_.pop_back();
  const auto add = [this](Span part, bool closed) {
    if (part.empty()) return;
    TextLine line{.span = part, .text = {}, .kind = kinds_[static_cast<std::size_t>(part.begin)]};
    line.closed = closed;
    for (Pos pos = part.begin; pos < part.end; ++pos) {
      const auto i = static_cast<std::size_t>(pos);
      if (kinds_[i] != SegmentKind::prompt) line.text += pieces_[i];
    }
    lines_.push_back(std::move(line));
  };
  add(span, true);
  add({span.end, static_cast<Pos>(pieces_.size())}, false);
}

void LiveText::mark(const EditEvent& edit) {
  if (!edit.ok || edit.kind == EditKind::compact) return;
  if (edit.kind == EditKind::again) {
    resident_ -= edit.span.size();
    missed_ = missed_before_;  // what counts is the second look
    return;
  }
  resident_ += edit.kind == EditKind::in ? edit.span.size() : -edit.span.size();
  zoom_ins_ += edit.kind == EditKind::in ? 1 : 0;
  zoom_outs_ += edit.kind == EditKind::out ? 1 : 0;
  drops_ += edit.kind == EditKind::drop ? edit.span.size() : 0;
  auto line = std::lower_bound(lines_.begin(), lines_.end(), edit.span.begin,
                               [](const TextLine& l, Pos pos) { return l.span.end <= pos; });
  for (; line != lines_.end() && line->span.overlaps(edit.span); ++line) {
    line->folded = edit.kind != EditKind::in;
    line->dropped = edit.kind == EditKind::drop;
    line->came_back = edit.kind == EditKind::in;
  }
}

bool LiveText::hidden(const TextLine& line) const {
  return line.text.empty() ||
         (line.kind == SegmentKind::summary && injected_ && !show_summaries_ && !line.folded);
}

std::string LiveText::folded_row(std::size_t first, std::size_t last, int width) const {
  const bool dropped = lines_[first].dropped;
  const std::size_t n = last - first;
  std::string head = dropped ? "\u2715 " : "\u25b8 ";
  head += std::to_string(n) + (n == 1 ? " line " : " lines ") + (dropped ? "dropped" : "folded");
  return shorten(head + "  " + one_line(lines_[first].text), width);
}

std::vector<std::string> LiveText::rows(int width, int height, bool color) const {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < lines_.size();) {
    const TextLine& line = lines_[i];
    if (hidden(line)) {
      ++i;
      continue;
    }
    if (line.folded) {
      std::size_t last = i + 1;
      while (last < lines_.size() && lines_[last].folded && lines_[last].dropped == line.dropped &&
             lines_[last].kind == line.kind) {
        ++last;
      }
      rows.push_back(paint_row(folded_row(i, last, width), kDim, color));
      i = last;
      continue;
    }
    const char* style = line.came_back ? kBack : line.kind == SegmentKind::answer ? "" : kDim;
    std::string text = line.text;
    if (line.came_back)
      text = "\u25be " + text.substr(std::min(text.find_first_not_of(' '), text.size()));
    for (const std::string& row : wrap(text, width)) {
      rows.push_back(paint_row(row, style, color));
    }
    ++i;
  }
  if (static_cast<int>(rows.size()) > height) {
    rows.erase(rows.begin(), rows.end() - std::max(height, 0));
  }
  return rows;
}

std::string LiveText::status(double tokens_per_second) const {
  std::string text = "resident " + std::to_string(resident_);
  if (budget_ > 0) text += "/" + std::to_string(budget_);
  text +=
      " \u00b7 zooms " + std::to_string(zoom_ins_) + " in, " + std::to_string(zoom_outs_) + " out";
  if (missed_ >= 0) {
    text += " \u00b7 missed " + std::to_string(static_cast<int>(std::lround(100 * missed_))) + " %";
  }
  if (drops_ > 0) text += " \u00b7 dropped " + std::to_string(drops_);
  text += " \u00b7 " + std::to_string(n_generated_) + " tokens \u00b7 " +
          one_decimal(tokens_per_second) + " tokens/s";
  return text;
}

TerminalView::TerminalView(std::ostream& out, bool show_summaries)
    : out_(out), text_(show_summaries) {}

void TerminalView::write(const TraceEvent& event) {
  text_.write(event);
  const auto now = std::chrono::steady_clock::now();
  if (!started_ && text_.n_generated() > 0) {
    start_ = now;
    started_ = true;
  }
  constexpr auto kFrame = std::chrono::milliseconds(80);
  if (!std::holds_alternative<TokenEvent>(event) || now - last_paint_ < kFrame) return;
  last_paint_ = now;
  paint();
}

void TerminalView::paint() {
  if (!started_) return;
  const TerminalSize size = terminal_size();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? (text_.n_generated() - 1) / seconds : 0;
  std::vector<std::string> rows = text_.rows(size.columns - 1, size.rows - 2, true);
  rows.push_back("\x1b[7m " + shorten(text_.status(rate), size.columns - 3) + " " + kReset);
  std::string frame;
  if (painted_rows_ > 0) frame += "\r\x1b[" + std::to_string(painted_rows_) + "A";
  frame += "\x1b[J";
  for (const std::string& row : rows) frame += row + "\n";
  painted_rows_ = static_cast<int>(rows.size());
  out_ << frame << std::flush;
}

void TerminalView::close() {
  if (painted_rows_ > 0) out_ << "\r\x1b[" << painted_rows_ << "A\x1b[J" << std::flush;
  painted_rows_ = 0;
}

void PlainText::write(const TraceEvent& event) {
  if (const auto* run = std::get_if<RunEvent>(&event)) {
    injected_ = run->options.value("summaries", "") == "injected";
  }
  const auto* token = std::get_if<TokenEvent>(&event);
  if (token == nullptr || token->kind == SegmentKind::prompt) return;
  if (token->kind == SegmentKind::summary && injected_ && !show_summaries_) return;
  out_ << token->piece << std::flush;
}

}  // namespace zoomr
