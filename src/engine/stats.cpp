#include "engine/stats.h"

#include <algorithm>
#include <numeric>

namespace zoomr {

namespace {

double rate(const std::vector<double>& seconds, std::size_t first) {
  const double sum =
      std::accumulate(seconds.begin() + static_cast<std::ptrdiff_t>(first), seconds.end(), 0.0);
  return sum > 0 ? static_cast<double>(seconds.size() - first) / sum : 0;
}

}  // namespace

void Stats::count(const EditEvent& edit) {
  if (!edit.ok) {
    ++failed_moves;
    return;
  }
  if (edit.kind == EditKind::in) ++zoom_ins;
  if (edit.kind == EditKind::out) ++zoom_outs;
  if (edit.kind == EditKind::again) {
    second_looks += edit.span.size();
    if (!missed.empty()) missed.pop_back();  // the second look's count
    for (std::size_t i = 0; i < last_missed_.size(); ++i) missed_of_line[i] -= last_missed_[i];
    last_missed_.clear();
  }
  bytes_moved += edit.bytes;
  move_us += edit.us;
}

void Stats::count_decode(Pos resident, Pos n_tokens, double seconds, bool generated) {
  peak_resident = std::max(peak_resident, resident);
  if (!generated) {
    n_prompt_decoded += n_tokens;
    prompt_seconds += seconds;
    return;
  }
  resident_sum += resident;
  ++n_decodes;
}

void Stats::count_vote(double agreeability) {
  agreeability_sum += agreeability;
  ++n_votes;
}

void Stats::count_missed(std::span<const float> of_line) {
  missed_of_line.resize(of_line.size(), 0);
  for (std::size_t i = 0; i < of_line.size(); ++i) missed_of_line[i] += of_line[i];
  missed.push_back(std::accumulate(of_line.begin(), of_line.end(), 0.0F));
  last_missed_.assign(of_line.begin(), of_line.end());
}

double Stats::missed_mean() const {
  if (missed.empty()) return -1;
  return std::accumulate(missed.begin(), missed.end(), 0.0) / static_cast<double>(missed.size());
}

double Stats::missed_p95() const {
  if (missed.empty()) return -1;
  std::vector<float> sorted = missed;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(0.95 * (sorted.size() - 1));
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

std::vector<std::size_t> Stats::most_missed(std::size_t n) const {
  std::vector<std::size_t> lines;
  for (std::size_t i = 0; i < missed_of_line.size(); ++i) {
    if (missed_of_line[i] > 0) lines.push_back(i);
  }
  const auto end = lines.begin() + static_cast<std::ptrdiff_t>(std::min(n, lines.size()));
  std::partial_sort(lines.begin(), end, lines.end(), [this](std::size_t a, std::size_t b) {
    return missed_of_line[a] > missed_of_line[b];
  });
  lines.erase(end, lines.end());
  return lines;
}

double Stats::mean_resident() const { return n_decodes > 0 ? resident_sum / n_decodes : 0; }

double Stats::agreeability() const { return n_votes > 0 ? agreeability_sum / n_votes : 0; }

double Stats::tokens_per_second() const { return rate(token_seconds, 0); }

double Stats::prompt_tokens_per_second() const {
  return prompt_seconds > 0 ? n_prompt_decoded / prompt_seconds : 0;
}

double Stats::tokens_per_second_last_quarter() const {
  return rate_of_last(static_cast<int>((token_seconds.size() + 3) / 4));
}

double Stats::rate_of_last(int n_tokens) const {
  const auto n = static_cast<std::size_t>(n_tokens);
  return n > token_seconds.size() ? 0 : rate(token_seconds, token_seconds.size() - n);
}

}  // namespace zoomr
