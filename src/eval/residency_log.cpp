#include "eval/residency_log.h"

namespace zoomr {

void ResidencyLog::write(const TraceEvent& event) {
  if (const auto* token = std::get_if<TokenEvent>(&event)) {
    pieces_.push_back(token->piece);
    kinds_.push_back(token->kind);
  } else if (const auto* line = std::get_if<LineEvent>(&event)) {
    lines_.push_back(line->span);
  } else if (const auto* decode = std::get_if<DecodeEvent>(&event)) {
    decoded_ = decode->span.end;
  } else if (const auto* edit = std::get_if<EditEvent>(&event)) {
    if (!edit->ok || edit->kind == EditKind::compact || edit->kind == EditKind::again) return;
    edits_.insert(edits_.end(),
                  {decoded_, static_cast<int>(edit->kind), edit->span.begin, edit->span.end});
  }
}

nlohmann::ordered_json ResidencyLog::to_json() const {
  auto lines = nlohmann::ordered_json::array();
  const auto add = [&](Span span) {
    if (span.empty()) return;
    std::string text;
    for (Pos pos = span.begin; pos < span.end; ++pos) {
      const auto i = static_cast<std::size_t>(pos);
      if (kinds_[i] != SegmentKind::prompt) text += pieces_[i];
    }
    lines.push_back({span.begin, span.end,
                     std::string(to_string(kinds_[static_cast<std::size_t>(span.begin)])), text});
  };
  Pos at = 0;
  for (const Span span : lines_) {
    add({at, span.begin});  // what no line covers: a pinned prompt
    add(span);
    at = span.end;
  }
  add({at, static_cast<Pos>(pieces_.size())});
  return {{"lines", lines}, {"edits", edits_}};
}

}  // namespace zoomr
