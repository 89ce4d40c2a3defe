#include "core/trace.h"

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void bad(const std::string& what) { throw Error(ErrorCode::bad_input, what); }

// --- values ---

const Json& member(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) bad(std::string("'") + key + "' is missing");
  return *it;
}

// A whole number of type T, at least `least`.
template <typename T>
T whole(const Json& json, const char* what, T least = 0) {
  if (json.is_number_unsigned()) {
    const auto value = json.get<std::uint64_t>();
    if (std::in_range<T>(value) && static_cast<T>(value) >= least) return static_cast<T>(value);
  } else if (json.is_number_integer()) {
    const auto value = json.get<std::int64_t>();
    if (std::in_range<T>(value) && static_cast<T>(value) >= least) return static_cast<T>(value);
  }
  bad(std::string("'") + what + "' is no whole number in its range");
}

template <typename T>
T whole_member(const Json& object, const char* key, T least = 0) {
  return whole<T>(member(object, key), key, least);
}

double number_member(const Json& object, const char* key) {
  const Json& json = member(object, key);
  if (!json.is_number()) bad(std::string("'") + key + "' is no number");
  return json.get<double>();
}

std::string text_member(const Json& object, const char* key) {
  const Json& json = member(object, key);
  if (!json.is_string()) bad(std::string("'") + key + "' is no text");
  return json.get<std::string>();
}

const Json& object_member(const Json& object, const char* key) {
  const Json& json = member(object, key);
  if (!json.is_object()) bad(std::string("'") + key + "' is no object");
  return json;
}

bool flag_member(const Json& object, const char* key, bool otherwise) {
  const auto it = object.find(key);
  if (it == object.end()) return otherwise;
  if (!it->is_boolean()) bad(std::string("'") + key + "' is neither true nor false");
  return it->get<bool>();
}

// Milliseconds and microseconds are measurements: three decimals of them say all.
Json rounded(double value) { return std::isfinite(value) ? std::round(value * 1000) / 1000 : 0.0; }

Json to_json(Span span) { return Json::array({span.begin, span.end}); }

Span span_member(const Json& object, const char* key) {
  const Json& json = member(object, key);
  if (!json.is_array() || json.size() != 2) bad(std::string("'") + key + "' is no [begin, end]");
  const Span span{whole<Pos>(json[0], key), whole<Pos>(json[1], key)};
  if (span.end < span.begin) bad(std::string("'") + key + "' ends before it begins");
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
      hex += digits[static_cast<unsigned char>(c) >> 4U];
      hex += digits[static_cast<unsigned char>(c) & 15U];
    }
    return {{"hex", hex}};
  }
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

std::string piece_member(const Json& object) {
  const Json& json = member(object, "piece");
  if (json.is_string()) return json.get<std::string>();
  const std::string hex = text_member(json, "hex");
  if (hex.size() % 2 != 0) bad("a piece's 'hex' has an odd number of digits");
  std::string piece;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const auto high = hex_digit(hex[i]);
    const auto low = hex_digit(hex[i + 1]);
    if (!high || !low) bad("a piece's 'hex' has other digits than 0-9 and a-f");
    piece += static_cast<char>(*high * 16 + *low);
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
  [[nodiscard]] Enum member(const Json& object, const char* key) const {
    const std::string text = text_member(object, key);
    for (const auto& [v, n] : all) {
      if (n == text) return v;
    }
    bad(std::string("'") + key + "' cannot be '" + text + "'");
  }
};

constexpr Names<SegmentKind, 4> kKinds{{{{SegmentKind::prompt, "prompt"},
                                         {SegmentKind::thought, "thought"},
                                         {SegmentKind::summary, "summary"},
                                         {SegmentKind::answer, "answer"}}}};
constexpr Names<EditKind, 5> kEdits{{{{EditKind::drop, "drop"},
                                      {EditKind::out, "out"},
                                      {EditKind::in, "in"},
                                      {EditKind::compact, "compact"},
                                      {EditKind::again, "again"}}}};
constexpr Names<Unit, 3> kUnits{
    {{{Unit::token, "token"}, {Unit::line, "line"}, {Unit::thought, "thought"}}}};

// --- events ---

Json encode(const RunEvent& e) {
  return {{"t", "run"},         {"version", kTraceVersion},
          {"zoomr", e.zoomr},   {"llama", e.llama},
          {"model", e.model},   {"policy", e.policy},
          {"budget", e.budget}, {"unit", kUnits.name(e.unit)},
          {"n_ctx", e.n_ctx},   {"options", e.options.is_null() ? Json::object() : e.options}};
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
  Json json = {{"t", "decode"}, {"span", to_json(e.span)}, {"ms", rounded(e.ms)}};
  if (e.missed >= 0) json["missed"] = rounded(e.missed);
  return json;
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
               {"us", rounded(e.us)}};
  if (!e.ok) json["ok"] = false;
  if (!e.why.empty()) json["why"] = e.why;
  return json;
}

Json encode(const NoteEvent& e) { return {{"t", "note"}, {"at", e.at}, {"text", e.text}}; }

Json encode(const FinalEvent& e) {
  return {{"t", "final"}, {"record", e.record.is_null() ? Json::object() : e.record}};
}

Json encode(const TurnEvent& e) {
  return {{"t", "turn"},
          {"at", e.at},
          {"pinned", e.pinned},
          {"budget", e.budget},
          {"options", e.options.is_null() ? Json::object() : e.options}};
}

RunEvent decode_run(const Json& j) {
  if (const Json& version = member(j, "version"); version != 1 && version != kTraceVersion) {
    bad("the trace is of version " + version.dump(-1, ' ', true) +
        ", this program reads versions 1 and " + std::to_string(kTraceVersion));
  }
  return {.zoomr = text_member(j, "zoomr"),
          .llama = text_member(j, "llama"),
          .model = text_member(j, "model"),
          .policy = text_member(j, "policy"),
          .budget = whole_member<Pos>(j, "budget"),
          .unit = kUnits.member(j, "unit"),
          .n_ctx = whole_member<int>(j, "n_ctx"),
          .options = object_member(j, "options")};
}

TokenEvent decode_token(const Json& j) {
  return {.pos = whole_member<Pos>(j, "pos"),
          .id = whole_member<Token>(j, "id", std::numeric_limits<Token>::min()),
          .piece = piece_member(j),
          .kind = kKinds.member(j, "kind"),
          .forced = flag_member(j, "forced", false)};
}

SegmentEvent decode_segment(const Json& j) {
  return {.index = whole_member<int>(j, "index"),
          .kind = kKinds.member(j, "kind"),
          .span = span_member(j, "span"),
          .pinned = flag_member(j, "pinned", false),
          .partner = j.contains("partner") ? whole_member<int>(j, "partner") : -1};
}

VoteEvent decode_vote(const Json& j) {
  VoteEvent event;
  event.result.at = whole_member<Pos>(j, "at");
  event.result.total_votes = whole_member<int>(j, "total");
  event.result.consensus = whole_member<int>(j, "consensus");
  event.result.agreeability = number_member(j, "agreeability");
  const Json& ranked = member(j, "ranked");
  if (!ranked.is_array()) bad("'ranked' is no list");
  for (const Json& r : ranked) {
    event.result.ranked.push_back(
        {.candidate = {.key = span_member(r, "key"), .details = span_member(r, "details")},
         .votes = whole_member<int>(r, "votes")});
  }
  return event;
}

EditEvent decode_edit(const Json& j) {
  return {.kind = kEdits.member(j, "op"),
          .span = span_member(j, "span"),
          .bytes = whole_member<std::size_t>(j, "bytes"),
          .us = number_member(j, "us"),
          .ok = flag_member(j, "ok", true),
          .why = j.contains("why") ? text_member(j, "why") : ""};
}

TurnEvent decode_turn(const Json& j) {
  return {.at = whole_member<Pos>(j, "at"),
          .pinned = whole_member<Pos>(j, "pinned"),
          .budget = whole_member<Pos>(j, "budget"),
          .options = object_member(j, "options")};
}

TraceEvent decode(const Json& j) {
  if (!j.is_object()) bad("it is no JSON object");
  const std::string type = text_member(j, "t");
  if (type == "run") return decode_run(j);
  if (type == "token") return decode_token(j);
  if (type == "line") return LineEvent{span_member(j, "span")};
  if (type == "segment") return decode_segment(j);
  if (type == "decode") {
    return DecodeEvent{.span = span_member(j, "span"),
                       .ms = number_member(j, "ms"),
                       .missed = j.contains("missed") ? number_member(j, "missed") : -1};
  }
  if (type == "vote") return decode_vote(j);
  if (type == "edit") return decode_edit(j);
  if (type == "note") return NoteEvent{whole_member<Pos>(j, "at"), text_member(j, "text")};
  if (type == "final") return FinalEvent{object_member(j, "record")};
  if (type == "turn") return decode_turn(j);
  bad("there is no event '" + type + "'");
}

}  // namespace

std::string to_json_line(const TraceEvent& event) {
  const Json json = std::visit([](const auto& e) { return encode(e); }, event);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

TraceEvent from_json_line(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  try {
    if (json.is_discarded()) bad("it is no JSON");
    return decode(json);
  } catch (const Error& e) {
    bad(std::string("not an event of a trace: ") + e.what());
  }
}

}  // namespace zoomr
