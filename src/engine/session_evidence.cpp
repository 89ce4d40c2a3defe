// What a session must see at a step, and what it makes of it: keys, votes, each line's need.
#include <algorithm>
#include <utility>

#include "core/attention_mass.h"
#include "engine/session.h"

namespace zoomr {

Needs Session::needs(Span batch) const {
  Needs needs = policy_->needs(view());
  if (needs.mass.any() || needs.recent > 0) needs.keys.all = true;
  if (needs.recent > 0) needs.queries.all = true;
  merge(needs.queries, needs.mass);
  merge(needs.queries, needs.lines);
  merge(needs.queries, needs.names);
  merge(needs.queries, needs.order);
  // A vote waits until the newest token's queries can be had.
  if (batch.end != timeline_.size() && !needs.every_token()) {
    needs.queries = {};
    needs.vote.reset();
  }
  if (options_.probe != nullptr) {
    merge(needs.keys, options_.probe->keys());
    if (batch.end == timeline_.size()) merge(needs.queries, options_.probe->queries());
  }
  return needs;
}

Pos Session::n_asking(Span batch, const Needs& needs) const {
  if (!needs.queries.any()) return 0;
  return reading_.in_pieces() && needs.lines.any() && batch.end <= n_prompt_ ? batch.size() : 1;
}

void Session::observe(Span batch, const Needs& needs, const Observation& seen, const Rows& rows,
                      double decode_ms) {
  if (seen_whole_ == batch.begin && residency_.resident.covers({0, batch.begin})) {
    seen_whole_ = batch.end;
  }
  decoded_ = batch.end;
  if (decoded_ > looked_again_) evidence_.lines.came = {};
  residency_.resident.insert(batch);
  stats_.count_decode(residency_.resident.size(), batch.size(), decode_ms / 1000,
                      batch.begin >= n_prompt_);
  double missed = -1;
  if (rows.n_queries > 0 && needs.lines.any()) {
    take_line_need(batch, needs, seen, rows);
    missed = batch.begin >= n_prompt_ ? count_missed() : -1;
  } else {
    take_keys(batch, needs, seen, rows);
  }
  write(DecodeEvent{.span = batch, .ms = decode_ms, .missed = missed});
  if (rows.n_queries > 0) take_queries(needs, seen, rows);
}

void Session::take_keys(Span batch, const Needs& needs, const Observation& seen, const Rows& rows) {
  for (std::size_t i = 0; i < rows.n_keys; ++i) {
    const Pos pos = batch.begin + static_cast<Pos>(i);
    take_key(pos, needs, seen.key_layout, seen.key_row(rows.first_key + i));
  }
  index_.close_lines(timeline_);
}

void Session::take_key(Pos pos, const Needs& needs, const HeadLayout& layout,
                       std::span<const float> keys) {
  if (options_.probe != nullptr) options_.probe->on_keys(pos, layout, keys);
  if (needs.lines.any())
    line_index_.append(pos, layout, keys);
  else if (needs.every_token())
    evidence_.keys.append(pos, layout, keys);
  else
    index_.add_key(pos, layout, keys);
}

void Session::take_queries(const Needs& needs, const Observation& seen, const Rows& rows) {
  const auto queries = seen.query_row(rows.first_query + rows.n_queries - 1);
  if (options_.probe != nullptr)
    options_.probe->on_queries(decoded_ - 1, seen.query_layout, queries);
  if (needs.mass.any()) {
    add_attention_mass(evidence_.keys, residency_.resident, seen.query_layout, queries, needs.mass,
                       evidence_.mass);
  }
  if (needs.recent > 0) {
    evidence_.query_layout = seen.query_layout;
    evidence_.queries.push_back({decoded_ - 1, {queries.begin(), queries.end()}});
    while (evidence_.queries.size() > needs.recent) evidence_.queries.pop_front();
  }
  if (needs.vote) {
    VoteResult result = index_.vote(decoded_ - 1, *needs.vote, seen.query_layout, queries);
    if (result.total_votes == 0) return;
    stats_.count_vote(result.agreeability);
    write(VoteEvent{result});
    evidence_.vote = std::move(result);
  }
}

// Each token's need is taken before the keys of the next one are there, which it cannot see.
void Session::take_line_need(Span batch, const Needs& needs, const Observation& seen,
                             const Rows& rows) {
  LineNeed& lines = evidence_.lines;
  lines.tokens = static_cast<Pos>(rows.n_queries);
  lines.now.assign(timeline_.lines().size(), 0);
  lines.soon = lines.order = lines.now;
  const std::size_t n_silent = rows.n_keys - rows.n_queries;
  for (std::size_t i = 0; i < rows.n_keys; ++i) {
    const Pos pos = batch.begin + static_cast<Pos>(i);
    take_key(pos, needs, seen.key_layout, seen.key_row(rows.first_key + i));
    if (i < n_silent) continue;
    const auto queries = seen.query_row(rows.first_query + i - n_silent);
    const auto raise = [&](std::vector<float>& need, const HeadSelection& heads) {
      const LineShares shares =
          line_index_.shares(timeline_.lines(), seen.query_layout, queries, heads);
      for (std::size_t line = 0; line < need.size(); ++line) {
        need[line] = std::max(need[line], shares.mean[line]);
      }
    };
    raise(lines.now, needs.lines);
    raise(lines.soon, needs.names);
    raise(lines.order, needs.order);
  }
  lines.kept.resize(lines.now.size(), 0);
  const bool again = decoded_ <= looked_again_;  // a second look: no token has passed
  for (std::size_t i = 0; i < lines.now.size(); ++i) {
    const float left = again ? lines.kept[i] : needs.fade * lines.kept[i];
    lines.kept[i] = std::max({left, lines.now[i], lines.soon[i]});
  }
}

// What the newest token would have read on lines that it did not see.
double Session::count_missed() {
  std::vector<float> missed = evidence_.lines.now;
  const auto lines = timeline_.lines();
  for (std::size_t i = 0; i < missed.size(); ++i) {
    if (residency_.resident.covers(lines[i].span)) missed[i] = 0;
  }
  stats_.count_missed(missed);
  return stats_.missed.back();
}

void Session::foresee(Span tokens, const Observation& seen) {
  for (Pos pos = tokens.begin; pos < tokens.end; ++pos) {
    const auto row = static_cast<std::size_t>(pos - tokens.begin);
    unhidden_keys_.append(pos, seen.key_layout, seen.key_row(row));
  }
  evidence_.foresight = line_mass(unhidden_keys_, timeline_.lines(), seen.query_layout,
                                  seen.query_row(0), {.all = true})
                            .peak;
}

}  // namespace zoomr
