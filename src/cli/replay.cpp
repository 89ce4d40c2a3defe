#include "cli/replay.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/replay.h"
#include "core/thought_tree.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// What became of the reading: where it stopped, and why.
struct Outcome {
  std::size_t n_lines = 0;
  std::string trouble;  // "" when all was read and true
};

// The moment of --at: its position is decoded and the edits behind that decode are applied.
bool is_past(const Replay& replay, const TraceEvent& next, const ReplayOptions& options) {
  if (!options.at || replay.decoded() <= *options.at) return false;
  return std::holds_alternative<DecodeEvent>(next) || std::holds_alternative<TokenEvent>(next) ||
         std::holds_alternative<FinalEvent>(next);
}

Outcome read(std::istream& file, const ReplayOptions& options, Replay& replay) {
  Outcome outcome;
  for (std::string line; std::getline(file, line);) {
    ++outcome.n_lines;
    const bool cut_off = file.eof();  // the last line lacks its newline
    const auto at_line = [&](const std::string& what) {
      return "line " + std::to_string(outcome.n_lines) + ": " + what;
    };
    try {
      const TraceEvent event = from_json_line(line);
      if (is_past(replay, event, options)) return outcome;
      replay.apply(event);
    } catch (const Error& e) {
      if (outcome.n_lines == 1)
        throw Error(ErrorCode::bad_input, options.path + " is not a trace: " + e.what());
      outcome.trouble = cut_off && e.code() == ErrorCode::bad_input
                            ? at_line("the trace is cut off here")
                            : at_line(e.what());
      return outcome;
    }
  }
  if (outcome.n_lines == 0) throw Error(ErrorCode::bad_input, options.path + " is empty");
  if (!options.at && !replay.complete())
    outcome.trouble = "the trace ends without its final record";
  return outcome;
}

nlohmann::ordered_json spans_json(const SpanSet& set) {
  auto list = nlohmann::ordered_json::array();
  for (const Span span : set.spans()) list.push_back({span.begin, span.end});
  return list;
}

SpanSet dropped(const Replay& replay) {
  SpanSet gone{{0, replay.decoded()}};
  gone.erase(replay.residency().resident);
  gone.erase(replay.residency().stored);
  return gone;
}

void print_json(const Replay& replay, const Outcome& outcome, std::ostream& out) {
  auto segments = nlohmann::ordered_json::array();
  for (const Segment& s : replay.segments()) {
    segments.push_back({{"kind", to_string(s.kind)},
                        {"span", {s.span.begin, s.span.end}},
                        {"pinned", s.pinned},
                        {"partner", s.partner}});
  }
  const nlohmann::ordered_json json = {{"policy", replay.run().policy},
                                       {"budget", replay.run().budget},
                                       {"decoded", replay.decoded()},
                                       {"resident", spans_json(replay.residency().resident)},
                                       {"stored", spans_json(replay.residency().stored)},
                                       {"dropped", spans_json(dropped(replay))},
                                       {"segments", std::move(segments)},
                                       {"edits", replay.counts().edits},
                                       {"votes", replay.counts().votes},
                                       {"peak_resident_tokens", replay.counts().peak_resident},
                                       {"ok", outcome.trouble.empty()}};
  out << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

void print_text(const Replay& replay, const ReplayOptions& options, std::ostream& out) {
  const RunEvent& run = replay.run();
  out << run.model << " \u00b7 policy " << run.policy;
  if (run.budget > 0) out << " \u00b7 budget " << run.budget << " tokens";
  out << '\n';
  const TreeStyle style{.width = options.width,
                        .lines = options.lines,
                        .color = options.color,
                        .ascii = options.ascii};
  for (const std::string& row : thought_tree(replay, style)) out << row << '\n';
  out << replay.decoded() << " tokens: " << replay.residency().resident.size() << " resident, "
      << replay.residency().stored.size() << " folded, " << dropped(replay).size()
      << " dropped; peak " << replay.counts().peak_resident << "; " << replay.counts().edits
      << " moves, " << replay.counts().votes << " votes\n";
}

}  // namespace

int replay_command(const ReplayOptions& options, std::ostream& out, std::ostream& err) {
  std::ifstream file(options.path);
  if (!file) throw Error(ErrorCode::bad_input, "cannot read the trace " + options.path);
  Replay replay;
  const Outcome outcome = read(file, options, replay);
  if (options.json) {
    print_json(replay, outcome, out);
  } else {
    print_text(replay, options, out);
  }
  if (outcome.trouble.empty()) return 0;
  err << "zoomr: " << options.path << ": " << outcome.trouble << '\n';
  return 1;
}

}  // namespace zoomr
