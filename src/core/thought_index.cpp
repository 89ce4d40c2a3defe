#include "core/thought_index.h"

#include <algorithm>

#include "core/check.h"
#include "core/dot.h"

namespace zoomr {

void ThoughtIndex::add_key(Pos pos, const HeadLayout& layout, std::span<const float> keys) {
  if (layout_.row_size == 0) layout_ = layout;
  check(keys.size() == layout_.row_size, "a row of keys has the layout's size");
  const auto n_pending = static_cast<Pos>(pending_.size() / layout_.row_size);
  if (n_pending == 0) pending_begin_ = pos;
  check(pos == pending_begin_ + n_pending, "keys come position by position");
  pending_.insert(pending_.end(), keys.begin(), keys.end());
}

void ThoughtIndex::close_lines(const Timeline& timeline) {
  const std::size_t row = layout_.row_size;
  if (row == 0) return;
  const auto lines = timeline.lines();
  const Pos pending_end = pending_begin_ + static_cast<Pos>(pending_.size() / row);
  for (; n_lines_seen_ < lines.size(); ++n_lines_seen_) {
    const Span span = lines[n_lines_seen_].span;
    if (span.end > pending_end) break;          // not all of it is decoded yet
    if (span.begin < pending_begin_) continue;  // the prompt's, which has no keys
    std::vector<float> mean(row, 0);
    for (Pos pos = span.begin; pos < span.end; ++pos) {
      const float* key = pending_.data() + static_cast<std::size_t>(pos - pending_begin_) * row;
      for (std::size_t i = 0; i < row; ++i) mean[i] += key[i];
    }
    for (float& value : mean) value /= static_cast<float>(span.size());
    entries_.push_back({span, means_.size()});
    means_.insert(means_.end(), mean.begin(), mean.end());
    pending_.erase(
        pending_.begin(),
        pending_.begin() +
            static_cast<std::ptrdiff_t>(static_cast<std::size_t>(span.end - pending_begin_) * row));
    pending_begin_ = span.end;
  }
}

void ThoughtIndex::truncate(Pos pos, const Timeline& timeline) {
  const std::size_t row = layout_.row_size;
  if (row == 0) return;
  while (!entries_.empty() && entries_.back().span.end > pos) entries_.pop_back();
  means_.resize(entries_.size() * row);
  const auto lines = timeline.lines();
  while (n_lines_seen_ > 0 &&
         (n_lines_seen_ > lines.size() || lines[n_lines_seen_ - 1].span.end > pos))
    --n_lines_seen_;
  const auto n_kept = static_cast<std::size_t>(std::max(0, pos - pending_begin_));
  pending_.resize(std::min(pending_.size(), n_kept * row));
}

const ThoughtIndex::Entry* ThoughtIndex::entry_at(Pos begin) const {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), begin,
                                   [](const Entry& e, Pos pos) { return e.span.begin < pos; });
  return it != entries_.end() && it->span.begin == begin ? &*it : nullptr;
}

bool ThoughtIndex::indexed(Span lines) const {
  for (Pos pos = lines.begin; pos < lines.end;) {
    const Entry* entry = entry_at(pos);
    if (entry == nullptr || entry->span.end > lines.end) return false;
    pos = entry->span.end;
  }
  return !lines.empty();
}

// A pointer to the span's mean key; of several lines it is made in `made`.
const float* ThoughtIndex::mean_of(Span lines, std::vector<float>& made) const {
  const Entry* first = entry_at(lines.begin);
  if (first->span == lines) return means_.data() + first->offset;
  made.assign(layout_.row_size, 0);
  for (const Entry* entry = first;
       entry < entries_.data() + entries_.size() && entry->span.begin < lines.end; ++entry) {
    const float weight = static_cast<float>(entry->span.size()) / static_cast<float>(lines.size());
    const float* mean = means_.data() + entry->offset;
    for (std::size_t i = 0; i < layout_.row_size; ++i) made[i] += weight * mean[i];
  }
  return made.data();
}

VoteResult ThoughtIndex::vote(Pos at, const VoteRule& rule, const HeadLayout& query_layout,
                              std::span<const float> queries) const {
  VoteResult result{.at = at};
  std::vector<RankedCandidate> ranked;
  std::vector<const float*> keys;
  std::vector<std::vector<float>> made;
  made.reserve(rule.candidates.size());  // pointers into it stay valid
  for (const Candidate& candidate : rule.candidates) {
    if (!indexed(candidate.key)) continue;
    made.emplace_back();
    keys.push_back(mean_of(candidate.key, made.back()));
    ranked.push_back({candidate, 0});
  }
  if (ranked.empty()) return result;
  std::vector<std::pair<float, std::size_t>> scores;
  for (const HeadLayout::Item& item : query_layout.items) {
    const HeadLayout::Item* key = query_layout.key_of(item, layout_);
    if (key == nullptr) continue;
    const Pos first_seen =
        query_layout.layers[static_cast<std::size_t>(item.head.layer)].first_seen(at);
    scores.clear();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (ranked[i].candidate.key.end <= first_seen) continue;  // behind the head's sliding window
      // Ties go to the more recent one, here and below.
      scores.emplace_back(dot(queries.data() + item.offset, keys[i] + key->offset, item.d), i);
    }
    const auto k = std::min(static_cast<std::size_t>(rule.k), scores.size());
    std::partial_sort(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(k), scores.end(),
                      std::greater<>());
    for (std::size_t i = 0; i < k; ++i) ++ranked[scores[i].second].votes;
    result.total_votes += static_cast<int>(k);
  }
  std::reverse(ranked.begin(), ranked.end());
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.votes > b.votes; });
  while (!ranked.empty() && ranked.back().votes == 0) ranked.pop_back();
  result.consensus = std::min(rule.consensus, static_cast<int>(ranked.size()));
  int on_winners = 0;
  for (int i = 0; i < result.consensus; ++i)
    on_winners += ranked[static_cast<std::size_t>(i)].votes;
  result.ranked = std::move(ranked);
  if (result.total_votes > 0) result.agreeability = double(on_winners) / result.total_votes;
  return result;
}

std::size_t ThoughtIndex::bytes() const {
  return (means_.size() + pending_.size()) * sizeof(float) + entries_.size() * sizeof(Entry);
}

}  // namespace zoomr
