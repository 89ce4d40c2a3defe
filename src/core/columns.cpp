#include "core/columns.h"

#include <algorithm>
#include <cstdint>

namespace zoomr {

namespace {

struct Character {
  std::string_view bytes;
  int columns = 1;
  bool valid = true;
};

// The first character of a text that is not empty.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t n = lead < 0x80    ? 1
                        : lead >= 0xf0 ? 4
                        : lead >= 0xe0 ? 3
                        : lead >= 0xc2 ? 2
                                       : 0;
  if (n == 0 || n > text.size()) return {text.substr(0, 1), 0, false};
  std::uint32_t code = n == 1 ? lead : lead & (0x7fU >> n);
  for (std::size_t i = 1; i < n; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80U) return {text.substr(0, 1), 0, false};
    code = code << 6U | (byte & 0x3fU);
  }
  const bool wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
                    (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
                    (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
                    (code >= 0x1f300 && code <= 0x1faff);
  const bool mark = (code >= 0x300 && code <= 0x36f) || code == 0x200d || code == 0xfe0f;
  return {text.substr(0, n), mark ? 0 : wide ? 2 : 1, true};
}

bool is_blank(std::string_view bytes) {
  return bytes.size() == 1 && (static_cast<unsigned char>(bytes[0]) <= ' ' || bytes[0] == 0x7f);
}

}  // namespace

int columns_of(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    columns += c.columns;
    text.remove_prefix(c.bytes.size());
  }
  return columns;
}

std::string one_line(std::string_view text) {
  std::string line;
  bool gap = false;
  while (!text.empty()) {
    const Character c = first_character(text);
    text.remove_prefix(c.bytes.size());
    if (!c.valid) continue;
    if (is_blank(c.bytes)) {
      gap = true;
      continue;
    }
    if (gap && !line.empty()) line += ' ';
    gap = false;
    line += c.bytes;
  }
  return line;
}

std::string shorten(std::string_view text, int width) {
  if (columns_of(text) <= width) return std::string(text);
  std::string result;
  int columns = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    if (columns + c.columns > width - 1) break;
    columns += c.columns;
    result += c.bytes;
    text.remove_prefix(c.bytes.size());
  }
  return width > 0 ? result + "\u2026" : "";
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> rows;
  std::string row;
  int columns = 0;
  std::size_t last_space = std::string::npos;  // in row
  const auto end_row = [&] {
    rows.push_back(row);
    row.clear();
    columns = 0;
    last_space = std::string::npos;
  };
  while (!text.empty()) {
    const Character c = first_character(text);
    text.remove_prefix(c.bytes.size());
    if (!c.valid) continue;
    if (c.bytes == "\n") {
      end_row();
      continue;
    }
    const bool blank = is_blank(c.bytes);
    if (columns + c.columns > width && !row.empty()) {
      if (blank) {
        end_row();
        continue;
      }
      std::string rest;
      if (last_space != std::string::npos && last_space > 0) {
        rest = row.substr(last_space + 1);
        row.resize(last_space);
      }
      end_row();
      row = rest;
      columns = columns_of(rest);
    }
    if (blank) last_space = row.size();
    row += blank ? std::string_view(" ") : c.bytes;
    columns += c.columns;
  }
  if (!row.empty()) end_row();
  return rows;
}

}  // namespace zoomr
