#include "cli/heads.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "api/heads.h"
#include "cli/options.h"
#include "llama/model.h"

namespace zoomr {

namespace {

constexpr int kRows = 10;  // of a table

struct KindInWords {
  HeadKind kind;
  const char* word;
  const char* title;
};
constexpr KindInWords kKinds[] = {
    {HeadKind::value, "value", "value heads: what is needed now"},
    {HeadKind::name, "name", "name heads: what is needed soon"},
    {HeadKind::order, "order", "order heads: which item of a list was the last"}};

template <typename... Values>
std::string format(const char* form, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, form, values...);
  return text;
}

bool is_chosen(const std::vector<RetrievalHead>& chosen, const HeadScore& score) {
  return std::any_of(chosen.begin(), chosen.end(), [&score](const RetrievalHead& head) {
    return head.layer == score.head.layer && head.head == score.head.head;
  });
}

void print_table(const HeadProbe& probe, const KindInWords& kind, std::ostream& out) {
  const std::vector<HeadScore> scores = ranked(probe.scores, kind.kind);
  const std::vector<RetrievalHead> chosen = choose_heads(probe.scores, kind.kind);
  out << '\n' << kind.title << "\n  rank    head   key head   value   name   order   chosen\n";
  for (std::size_t i = 0; i < scores.size() && i < kRows; ++i) {
    const HeadScore& s = scores[i];
    out << format("  %4d  %6s   %8d    %.2f   %.2f    %.2f   %s\n", static_cast<int>(i) + 1,
                  head_name(s.head.layer, s.head.head).c_str(), s.key_head, s.value, s.name,
                  s.order, is_chosen(chosen, s) ? "yes" : "");
  }
}

// One character for a score; layers with a sliding window are not scored.
std::string mark(const HeadScore& score, HeadKind kind, bool ascii) {
  static const char* const blocks[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static const char* const letters[] = {".", "1", "2", "3", "4", "5", "6", "7", "8"};
  if (score.windowed) return "~";
  const int level = std::clamp(static_cast<int>(score_of(score, kind) * 9), 0, 8);
  return ascii ? letters[level] : blocks[level];
}

void print_picture(const HeadProbe& probe, bool ascii, std::ostream& out) {
  std::map<int, std::vector<HeadScore>> layers;
  std::size_t width = 0;  // characters of one part
  for (const HeadScore& s : probe.scores) layers[s.head.layer].push_back(s);
  for (const auto& [layer, heads] : layers) width = std::max(width, heads.size());
  width = std::max<std::size_t>(width, 5);
  out << "\nevery head, a row a layer\n  layer";
  for (const KindInWords& kind : kKinds) {
    out << "  " << kind.word << std::string(width - std::string(kind.word).size(), ' ');
  }
  out << '\n';
  for (const auto& [layer, heads] : layers) {
    out << format("  %5d", layer);
    for (const KindInWords& kind : kKinds) {
      out << "  ";
      for (const HeadScore& s : heads) out << mark(s, kind.kind, ascii);
      out << std::string(width - heads.size(), ' ');
    }
    out << '\n';
  }
  out << (ascii ? "  . below 0.11, 8 above 0.88" : "  · below 0.11, █ above 0.88")
      << ", ~ a sliding window: not scored\n";
}

void print_text(const FoundHeads& found, bool ascii, std::ostream& out) {
  const HeadProbe& probe = found.file.probe;
  out << found.file.model << ": " << probe.scores.size() << " heads, " << probe.n_tokens
      << format(" tokens read in %.1f s", probe.seconds);
  if (!found.path.empty()) out << (found.kept ? ", kept in " : ", now kept in ") << found.path;
  out << '\n';
  for (const KindInWords& kind : kKinds) print_table(probe, kind, out);
  print_picture(probe, ascii, out);
  const double best = best_score(probe.scores, HeadKind::value);
  if (best >= kClearScore) return;
  out << format("\nno head stands out (best value score %.2f, clear is %.2f)%s\n", best,
                kClearScore,
                choose_heads(probe.scores, HeadKind::value).empty()
                    ? ": --select retrieval has none to follow"
                    : "");
}

}  // namespace

void add_flags(CLI::App& app, HeadsCommand& c) {
  app.add_option("model", c.model.path, "GGUF file or known name; same as -m");
  app.add_flag("--refresh", c.refresh, "Probe again, whatever is kept");
  app.add_flag("--json", c.json, "Print JSON, also for run --heads FILE");
  app.add_flag("--ascii", c.ascii, "Draw with ASCII only");
  add_model_flags(app, c.model);
  add_context_flags(app, c.run);
}

int heads_command(HeadsCommand& command, std::ostream& out) {
  const Model model(command.model);
  const FoundHeads found = find_heads(model.impl(), command.run.context, command.refresh, tell);
  if (command.json) {
    out << to_json(found.file).dump() << '\n';
  } else {
    print_text(found, command.ascii, out);
  }
  return 0;
}

}  // namespace zoomr
