#include "engine/run_result.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/text_hash.h"

namespace zoomr {

namespace {

std::vector<RunResult::MissedLine> missed_lines(const Session& session) {
  constexpr std::size_t kMost = 5;
  std::vector<RunResult::MissedLine> lines;
  for (const std::size_t i : session.stats().most_missed(kMost)) {
    lines.push_back({session.timeline().lines()[i].span, session.stats().missed_of_line[i]});
  }
  return lines;
}

}  // namespace

RunResult result_of(const Session& session, const ThoughtStore& store, const Kv& kv, int n_cells) {
  const Stats& stats = session.stats();
  return {.text = session.text(),
          .n_prompt = session.n_prompt(),
          .n_generated = stats.n_generated,
          .n_summary = stats.n_summary,
          .finish_reason = std::string(to_string(session.finish_reason())),
          .failure = session.failure(),
          .budget = session.policy().bounded() ? session.options().budget : 0,
          .n_ctx = n_cells,
          .peak_resident_tokens = stats.peak_resident,
          .mean_resident_tokens = stats.mean_resident(),
          .peak_kv_bytes = kv.allocated_bytes() / static_cast<std::size_t>(kv.n_cells()) *
                           static_cast<std::size_t>(n_cells),
          .stored_tokens = session.residency().stored.size(),
          .stored_bytes = store.bytes_of(session.id()),
          .index_bytes = session.index_bytes(),
          .zoom_ins = stats.zoom_ins,
          .zoom_outs = stats.zoom_outs,
          .second_looks = stats.second_looks,
          .missed_mass = stats.missed_mean(),
          .missed_mass_p95 = stats.missed_p95(),
          .missed_lines = missed_lines(session),
          .bytes_moved = stats.bytes_moved,
          .tokens_per_second = stats.tokens_per_second(),
          .tokens_per_second_last_quarter = stats.tokens_per_second_last_quarter(),
          .prompt_tokens_per_second = stats.prompt_tokens_per_second(),
          .agreeability = stats.agreeability(),
          .votes = stats.n_votes,
          .move_ms = stats.move_us / 1000,
          .text_hash = text_hash(session.text())};
}

FinalEvent final_event(const RunResult& result) {
  return {nlohmann::ordered_json::parse(result.to_json())};
}

std::string RunResult::to_json() const {
  auto missed = nlohmann::ordered_json::array();
  for (const MissedLine& line : missed_lines) {
    missed.push_back({{"span", {line.span.begin, line.span.end}}, {"mass", line.mass}});
  }
  nlohmann::ordered_json json = {{"text", text},
                                 {"n_prompt", n_prompt},
                                 {"n_generated", n_generated},
                                 {"n_summary", n_summary},
                                 {"finish_reason", finish_reason},
                                 {"budget", budget},
                                 {"n_ctx", n_ctx},
                                 {"peak_resident_tokens", peak_resident_tokens},
                                 {"mean_resident_tokens", mean_resident_tokens},
                                 {"peak_kv_bytes", peak_kv_bytes},
                                 {"stored_tokens", stored_tokens},
                                 {"stored_bytes", stored_bytes},
                                 {"index_bytes", index_bytes},
                                 {"zoom_ins", zoom_ins},
                                 {"zoom_outs", zoom_outs},
                                 {"second_looks", second_looks},
                                 {"missed_mass", missed_mass},
                                 {"missed_mass_p95", missed_mass_p95},
                                 {"missed_lines", std::move(missed)},
                                 {"bytes_moved", bytes_moved},
                                 {"tokens_per_second", tokens_per_second},
                                 {"tokens_per_second_last_quarter", tokens_per_second_last_quarter},
                                 {"prompt_tokens_per_second", prompt_tokens_per_second},
                                 {"agreeability", agreeability},
                                 {"votes", votes},
                                 {"move_ms", move_ms},
                                 {"seed", seed},
                                 {"text_hash", text_hash}};
  if (!failure.empty()) json["failure"] = failure;
  // A text that was cut inside a character is still JSON: the stray bytes become U+FFFD.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace zoomr
