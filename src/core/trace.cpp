#include "core/trace.h"

#include <array>

#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void bad(const std::string& what) { throw Error(ErrorCode::bad_input, what); }

Json to_json(Span span) { return Json::array({span.begin, span.end}); }

Span span_of(const Json& json) {
  if (!json.is_array() || json.size() != 2) bad("a span is [begin, end]");
  const Span span{json.at(0).get<Pos>(), json.at(1).get<Pos>()};
  if (span.begin < 0 || span.end < span.begin) bad("a span is [begin, end) with begin <= end");
  return span;
}

// A piece that is not UTF-8 on its own (a part of a character) is written as its bytes.
Json piece_json(const std::string& piece) {
  Json text = piece;
  try {
    (void)text.dump();
    return text;
  } catch (const Json::exception&) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const char c : piece) {
      hex += digits[static_cast<unsigned char>(c) >> 4];
      hex += digits[static_cast<unsigned char>(c) & 15];
    }
    return {{"hex", hex}};
  }
}

std::string piece_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  const std::string hex = json.at("hex").get<std::string>();
  if (hex.size() % 2 != 0) bad("a piece's hex has an odd number of digits");
  std::string piece;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    piece += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return piece;
}

template <typename Enum, std::size_t N>
struct Names {
  std::array<std::pair<Enum, std::string_view>, N> all;
  [[nodiscard]] std::string_view name(Enum value) const {
    for (const auto& [v, n] : all) {
      if (v == value) return n;
    }
    return "?";
  }
  [[nodiscard]] Enum value(const std::string& text) const {
    for (const auto& [v, n] : all) {
      if (n == text) return v;
    }
    bad("'" + text + "' is none of the names here");
  }
};

constexpr Names<SegmentKind, 4> kKinds{{{{SegmentKind::prompt, "prompt"},
                                         {SegmentKind::thought, "thought"},
                                         {SegmentKind::summary, "summary"},
                                         {SegmentKind::answer, "answer"}}}};
constexpr Names<EditKind, 4> kEdits{{{{EditKind::drop, "drop"},
                                      {EditKind::out, "out"},
                                      {EditKind::in, "in"},
                                      {EditKind::compact, "compact"}}}};
constexpr Names<Unit, 3> kUnits{
    {{{Unit::token, "token"}, {Unit::line, "line"}, {Unit::thought, "thought"}}}};

Json encode(const RunEvent& e) {
  return {{"t", "run"},         {"version", kTraceVersion},
          {"zoomr", e.zoomr},   {"llama", e.llama},
          {"model", e.model},   {"policy", e.policy},
          {"budget", e.budget}, {"unit", kUnits.name(e.unit)},
          {"n_ctx", e.n_ctx},   {"options", e.options}};
}

Json encode(const TokenEvent& e) {
  Json json = {{"t", "token"},
               {"pos", e.pos},
               {"id", e.id},
               {"piece", piece_json(e.piece)},
               {"kind", kKinds.name(e.kind)}};
  if (e.forced) json["forced"] = true;
  return json;
}

Json encode(const LineEvent& e) { return {{"t", "line"}, {"span", to_json(e.span)}}; }

Json encode(const SegmentEvent& e) {
  Json json = {{"t", "segment"},
               {"index", e.index},
               {"kind", kKinds.name(e.kind)},
               {"span", to_json(e.span)}};
  if (e.pinned) json["pinned"] = true;
  if (e.partner >= 0) json["partner"] = e.partner;
  return json;
}

Json encode(const DecodeEvent& e) {
  return {{"t", "decode"}, {"span", to_json(e.span)}, {"ms", e.ms}};
}

Json encode(const VoteEvent& e) {
  Json ranked = Json::array();
  for (const RankedCandidate& r : e.result.ranked) {
    ranked.push_back({{"key", to_json(r.candidate.key)},
                      {"details", to_json(r.candidate.details)},
                      {"votes", r.votes}});
  }
  return {{"t", "vote"},
          {"at", e.result.at},
          {"total", e.result.total_votes},
          {"consensus", e.result.consensus},
          {"agreeability", e.result.agreeability},
          {"ranked", std::move(ranked)}};
}

Json encode(const EditEvent& e) {
  Json json = {{"t", "edit"},
               {"op", kEdits.name(e.kind)},
               {"span", to_json(e.span)},
               {"bytes", e.bytes},
               {"us", e.us}};
  if (!e.ok) json["ok"] = false;
  if (!e.why.empty()) json["why"] = e.why;
  return json;
}

Json encode(const NoteEvent& e) { return {{"t", "note"}, {"at", e.at}, {"text", e.text}}; }

Json encode(const FinalEvent& e) { return {{"t", "final"}, {"record", e.record}}; }

RunEvent decode_run(const Json& j) {
  if (j.at("version").get<int>() != kTraceVersion) {
    bad("the trace is of version " + j.at("version").dump() + ", this program reads " +
        std::to_string(kTraceVersion));
  }
  return {j.at("zoomr"),  j.at("llama"),  j.at("model"),
          j.at("policy"), j.at("budget"), kUnits.value(j.at("unit")),
          j.at("n_ctx"),  j.at("options")};
}

VoteEvent decode_vote(const Json& j) {
  VoteEvent event;
  event.result.at = j.at("at");
  event.result.total_votes = j.at("total");
  event.result.consensus = j.at("consensus");
  event.result.agreeability = j.at("agreeability");
  for (const Json& r : j.at("ranked")) {
    event.result.ranked.push_back(
        {{span_of(r.at("key")), span_of(r.at("details"))}, r.at("votes").get<int>()});
  }
  return event;
}

TraceEvent decode(const Json& j) {
  const std::string type = j.at("t");
  if (type == "run") return decode_run(j);
  if (type == "token") {
    return TokenEvent{j.at("pos"), j.at("id"), piece_of(j.at("piece")), kKinds.value(j.at("kind")),
                      j.value("forced", false)};
  }
  if (type == "line") return LineEvent{span_of(j.at("span"))};
  if (type == "segment") {
    return SegmentEvent{j.at("index"), kKinds.value(j.at("kind")), span_of(j.at("span")),
                        j.value("pinned", false), j.value("partner", -1)};
  }
  if (type == "decode") return DecodeEvent{span_of(j.at("span")), j.at("ms")};
  if (type == "vote") return decode_vote(j);
  if (type == "edit") {
    return EditEvent{kEdits.value(j.at("op")), span_of(j.at("span")), j.at("bytes"), j.at("us"),
                     j.value("ok", true),      j.value("why", "")};
  }
  if (type == "note") return NoteEvent{j.at("at"), j.at("text")};
  if (type == "final") return FinalEvent{j.at("record")};
  bad("unknown event '" + type + "'");
}

}  // namespace

std::string to_json_line(const TraceEvent& event) {
  const Json json = std::visit([](const auto& e) { return encode(e); }, event);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

TraceEvent from_json_line(std::string_view line) {
  try {
    return decode(Json::parse(line));
  } catch (const Json::exception& e) {
    bad(std::string("not an event of a trace: ") + e.what());
  } catch (const std::logic_error&) {
    bad("not an event of a trace: a piece's hex has other digits");
  }
}

}  // namespace zoomr
