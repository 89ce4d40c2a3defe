#include "cli/replay.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/columns.h"
#include "core/replay.h"
#include "core/thought_tree.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

// How the reading of a trace ended.
enum class End : std::uint8_t {
  whole,    // all of it is read and true, or the moment asked for is reached
  cut_off,  // it ends in the middle of a run: what there is is true
  wrong,    // one of its lines is no event, or lies
};
struct Outcome {
  End end = End::whole;
  std::string trouble;
};

// Is the moment of --at over? Its position is decoded, and the step that did it is, too.
bool is_over(const Replay& replay, const TraceEvent& next, const ReplayOptions& options) {
  if (!options.at || replay.decoded() <= *options.at) return false;
  return std::holds_alternative<DecodeEvent>(next) || std::holds_alternative<FinalEvent>(next);
}

// Of the token sampled after that step, and of what it closed, the moment knows nothing yet.
bool is_ahead(const Replay& replay, const TraceEvent& next, const ReplayOptions& options) {
  if (!options.at || replay.decoded() <= *options.at) return false;
  return std::holds_alternative<TokenEvent>(next) || std::holds_alternative<LineEvent>(next) ||
         std::holds_alternative<SegmentEvent>(next);
}

// `events`, if any: what was read.
Outcome read(std::istream& file, const ReplayOptions& options, Replay& replay,
             std::vector<TraceEvent>* events = nullptr) {
  std::size_t n_lines = 0;
  for (std::string line; std::getline(file, line);) {
    ++n_lines;
    const bool ends_early = file.eof();  // the last line lacks its newline
    const std::string where = "line " + std::to_string(n_lines) + ": ";
    try {
      TraceEvent event = from_json_line(line);
      if (is_over(replay, event, options)) return {};
      if (!is_ahead(replay, event, options)) replay.apply(event);
      if (events != nullptr) events->push_back(std::move(event));
    } catch (const Error& e) {
      if (n_lines == 1) {
        throw Error(ErrorCode::bad_input, options.path + " is not a trace: " + one_line(e.what()));
      }
      if (ends_early && e.code() == ErrorCode::bad_input) {
        return {End::cut_off, where + "the trace is cut off here"};
      }
      return {End::wrong, where + one_line(e.what())};
    }
  }
  if (file.bad()) throw Error(ErrorCode::bad_input, "cannot read the trace " + options.path);
  if (n_lines == 0)
    throw Error(ErrorCode::bad_input, options.path + " is not a trace: it is empty");
  if (options.at && replay.decoded() > *options.at) return {};
  if (!replay.complete())
    return {End::cut_off, "the trace is cut off: its final record is missing"};
  return {};
}

Json spans_json(const SpanSet& set) {
  Json list = Json::array();
  for (const Span span : set.spans()) list.push_back({span.begin, span.end});
  return list;
}

void print_json(const Replay& replay, const Outcome& outcome, std::ostream& out) {
  const SpanSet& resident = replay.residency().resident;
  const SpanSet& stored = replay.residency().stored;
  const SpanSet dropped = replay.dropped();
  const Replay::Counts& counts = replay.counts();
  Json segments = Json::array();
  for (const Segment& s : replay.segments()) {
    segments.push_back({{"kind", to_string(s.kind)},
                        {"span", {s.span.begin, s.span.end}},
                        {"closed", s.closed},
                        {"pinned", s.pinned},
                        {"partner", s.partner},
                        {"resident_tokens", resident.intersection({s.span}).size()},
                        {"stored_tokens", stored.intersection({s.span}).size()},
                        {"dropped_tokens", dropped.intersection({s.span}).size()}});
  }
  const Json json = {{"model", replay.run().model},
                     {"policy", replay.run().policy},
                     {"budget", replay.run().budget},
                     {"decoded", replay.decoded()},
                     {"resident", spans_json(resident)},
                     {"stored", spans_json(stored)},
                     {"dropped", spans_json(dropped)},
                     {"segments", std::move(segments)},
                     {"resident_tokens", resident.size()},
                     {"stored_tokens", stored.size()},
                     {"dropped_tokens", dropped.size()},
                     {"peak_resident_tokens", counts.peak_resident},
                     {"n_prompt", counts.n_prompt},
                     {"n_generated", counts.n_generated},
                     {"edits", counts.edits},
                     {"failed_edits", counts.failed_edits},
                     {"zoom_ins", counts.zoom_ins},
                     {"zoom_outs", counts.zoom_outs},
                     {"second_looks", counts.second_looks},
                     {"bytes_moved", counts.bytes_moved},
                     {"votes", counts.votes},
                     {"turns", replay.n_turns()},
                     {"complete", replay.complete()},
                     {"ok", outcome.end == End::whole}};
  out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void print_text(const Replay& replay, const ReplayOptions& options, std::ostream& out) {
  const char* dot = options.ascii ? " | " : " \u00b7 ";
  const TreeStyle style{.width = options.width,
                        .lines = options.lines,
                        .color = options.color,
                        .ascii = options.ascii};
  const RunEvent& run = replay.run();
  out << one_line(run.model) << dot << one_line(run.policy) << dot;
  if (run.budget > 0) {
    out << "budget " << run.budget << " tokens";
  } else {
    out << "no budget";
  }
  if (replay.n_turns() > 1) out << dot << "turn " << replay.n_turns();
  if (options.at) out << dot << "after position " << *options.at;
  out << '\n' << tree_legend(style) << '\n';
  for (const std::string& row : thought_tree(replay, style)) out << row << '\n';
  const Replay::Counts& counts = replay.counts();
  out << replay.decoded() << " tokens: " << replay.residency().resident.size() << " resident, "
      << replay.residency().stored.size() << " stored, " << replay.dropped().size() << " dropped"
      << dot << "peak " << counts.peak_resident << dot << counts.edits << " edits, " << counts.votes
      << " votes";
  if (replay.complete()) out << dot << "text hash ok";
  out << '\n';
}

std::ifstream open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (file) return file;
  throw Error(ErrorCode::bad_input, "cannot read the trace " + path + ": " + std::strerror(errno));
}

}  // namespace

std::vector<TraceEvent> read_trace(const std::string& path) {
  std::ifstream file = open(path);
  Replay replay;
  std::vector<TraceEvent> events;
  const Outcome outcome = read(file, {.path = path}, replay, &events);
  if (outcome.end != End::whole) throw Error(ErrorCode::failed, path + ": " + outcome.trouble);
  return events;
}

int replay_command(const ReplayOptions& options, std::ostream& out, std::ostream& err) {
  std::ifstream file = open(options.path);
  Replay replay;
  const Outcome outcome = read(file, options, replay);
  if (outcome.end != End::wrong) {
    if (options.at && replay.decoded() <= *options.at && outcome.end == End::whole) {
      throw Error(ErrorCode::bad_input,
                  "position " + std::to_string(*options.at) +
                      " is not in the trace: " + std::to_string(replay.decoded()) + " are decoded");
    }
    options.json ? print_json(replay, outcome, out) : print_text(replay, options, out);
  }
  if (outcome.end == End::whole) return 0;
  err << "zoomr: " << options.path << ": " << outcome.trouble << '\n';
  return 1;
}

}  // namespace zoomr
