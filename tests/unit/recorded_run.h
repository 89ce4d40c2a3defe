// A small true run as a trace, and ways to change it, for the tests of replay and of what it shows.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/replay.h"
#include "core/text_hash.h"
#include "core/trace.h"

namespace zoomr {

using Events = std::vector<TraceEvent>;

// A prompt of 4 tokens, a thought of two lines of 4, its summary of 4, and an answer of 4 of which
// the last is not decoded. The thought's first line leaves, comes back and leaves again; then its
// second line is dropped. Budget 15, peak 15.
inline Events recorded_run(const std::string& summaries = "native") {
  Events events = {RunEvent{
      .zoomr = "0.1",
      .llama = "b1",
      .model = "toy 1M",
      .policy = "zoomr",
      .budget = 15,
      .unit = Unit::line,
      .n_ctx = 256,
      .options = {{"summaries", summaries}, {"summary-begin", "<s>"}, {"summary-end", "</s>"}}}};
  const std::vector<std::string> pieces = {"Add", " 1",   " and", " 2",  "One",      " and", " two",
                                           ".\n", "That", " is",  " 3",  ".\n",      "<s>",  "sum",
                                           " 3",  "</s>", "It",   " is", " caf\xc3", "\xa9."};
  const auto kind_at = [](Pos pos) {
    if (pos < 4) return SegmentKind::prompt;
    if (pos < 12) return SegmentKind::thought;
    return pos < 16 ? SegmentKind::summary : SegmentKind::answer;
  };
  const auto token = [&](Pos pos) {
    events.push_back(TokenEvent{.pos = pos,
                                .id = 100 + pos,
                                .piece = pieces[static_cast<std::size_t>(pos)],
                                .kind = kind_at(pos)});
  };
  const auto edit = [&](EditKind kind, Span span, std::size_t bytes) {
    events.push_back(EditEvent{.kind = kind, .span = span, .bytes = bytes, .us = 1.5});
  };
  for (Pos pos = 0; pos < 4; ++pos) token(pos);
  events.push_back(LineEvent{{0, 4}});
  events.push_back(
      SegmentEvent{.index = 0, .kind = SegmentKind::prompt, .span = {0, 4}, .pinned = true});
  events.push_back(DecodeEvent{{0, 4}, 8});
  for (Pos pos = 4; pos < 20; ++pos) {
    token(pos);
    if (pos == 8) events.push_back(LineEvent{{4, 8}});
    if (pos == 12) {
      events.push_back(LineEvent{{8, 12}});
      events.push_back(SegmentEvent{.index = 1, .kind = SegmentKind::thought, .span = {4, 12}});
    }
    if (pos == 15) {
      events.push_back(LineEvent{{12, 16}});
      events.push_back(
          SegmentEvent{.index = 2, .kind = SegmentKind::summary, .span = {12, 16}, .partner = 1});
    }
    if (pos == 19) break;
    events.push_back(DecodeEvent{{pos, pos + 1}, 2});
    if (pos == 9) edit(EditKind::out, {4, 8}, 100);
    if (pos == 13) {
      events.push_back(VoteEvent{{.at = 13,
                                  .ranked = {{{{4, 8}, {4, 8}}, 5}},
                                  .total_votes = 6,
                                  .consensus = 1,
                                  .agreeability = 5.0 / 6}});
      edit(EditKind::in, {4, 8}, 100);
    }
    if (pos == 14) edit(EditKind::out, {4, 8}, 0);
    if (pos == 17) edit(EditKind::drop, {8, 12}, 0);
  }
  events.push_back(LineEvent{{16, 20}});
  events.push_back(SegmentEvent{.index = 3, .kind = SegmentKind::answer, .span = {16, 20}});
  std::string text;
  for (Pos pos = 4; pos < 20; ++pos) {
    const bool hidden = summaries == "injected" && kind_at(pos) == SegmentKind::summary;
    if (!hidden) text += pieces[static_cast<std::size_t>(pos)];
  }
  events.push_back(FinalEvent{{{"text_hash", text_hash(text)},
                               {"finish_reason", "length"},
                               {"n_prompt", 4},
                               {"n_generated", 16},
                               {"peak_resident_tokens", 15},
                               {"stored_tokens", 4},
                               {"zoom_ins", 1},
                               {"zoom_outs", 2},
                               {"votes", 1},
                               {"bytes_moved", 200}}});
  return events;
}

inline Replay replay(const Events& events) {
  Replay result;
  for (const TraceEvent& event : events) result.apply(event);
  return result;
}

// Where the nth event of type T stands.
template <typename T>
std::size_t index_of(const Events& events, std::size_t nth = 0) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (std::holds_alternative<T>(events[i]) && nth-- == 0) return i;
  }
  throw std::logic_error("the run has no such event");
}

template <typename T>
T& find(Events& events, std::size_t nth = 0) {
  return std::get<T>(events[index_of<T>(events, nth)]);
}

template <typename T>
void erase(Events& events, std::size_t nth = 0) {
  events.erase(events.begin() + static_cast<std::ptrdiff_t>(index_of<T>(events, nth)));
}

// Puts an event in front of the nth of type T.
template <typename T>
void insert_before(Events& events, std::size_t nth, const TraceEvent& event) {
  events.insert(events.begin() + static_cast<std::ptrdiff_t>(index_of<T>(events, nth)), event);
}

}  // namespace zoomr
