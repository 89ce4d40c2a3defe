#include "core/span_set.h"

#include <algorithm>

namespace zoomr {

namespace {

// The first span that ends behind pos.
std::vector<Span>::const_iterator first_ending_after(const std::vector<Span>& spans, Pos pos) {
  return std::upper_bound(spans.begin(), spans.end(), pos,
                          [](Pos value, const Span& span) { return value < span.end; });
}

}  // namespace

SpanSet::SpanSet(std::initializer_list<Span> spans) {
  for (const Span span : spans) insert(span);
}

void SpanSet::insert(Span span) {
  if (span.empty()) return;
  // Adjacent spans merge too, so the search is for the first one that ends at or behind span.begin.
  auto first = std::lower_bound(spans_.begin(), spans_.end(), span.begin,
                                [](const Span& s, Pos value) { return s.end < value; });
  auto last = first;
  while (last != spans_.end() && last->begin <= span.end) {
    span.begin = std::min(span.begin, last->begin);
    span.end = std::max(span.end, last->end);
    size_ -= last->size();
    ++last;
  }
  first = spans_.erase(first, last);
  spans_.insert(first, span);
  size_ += span.size();
}

void SpanSet::insert(const SpanSet& other) {
  for (const Span span : other.spans_) insert(span);
}

void SpanSet::erase(Span span) {
  if (span.empty()) return;
  auto first = spans_.begin() + (first_ending_after(spans_, span.begin) - spans_.cbegin());
  auto last = first;
  std::vector<Span> rest;  // at most the two ends that stick out
  while (last != spans_.end() && last->begin < span.end) {
    size_ -= last->size();
    if (last->begin < span.begin) rest.push_back({last->begin, span.begin});
    if (span.end < last->end) rest.push_back({span.end, last->end});
    ++last;
  }
  first = spans_.erase(first, last);
  for (const Span r : rest) size_ += r.size();
  spans_.insert(first, rest.begin(), rest.end());
}

void SpanSet::erase(const SpanSet& other) {
  for (const Span span : other.spans_) erase(span);
}

bool SpanSet::contains(Pos pos) const {
  const auto it = first_ending_after(spans_, pos);
  return it != spans_.end() && it->begin <= pos;
}

bool SpanSet::covers(Span span) const {
  if (span.empty()) return true;
  const auto it = first_ending_after(spans_, span.begin);
  return it != spans_.end() && it->contains(span);
}

bool SpanSet::overlaps(Span span) const {
  if (span.empty()) return false;
  const auto it = first_ending_after(spans_, span.begin);
  return it != spans_.end() && it->begin < span.end;
}

SpanSet SpanSet::minus(const SpanSet& other) const {
  SpanSet result = *this;
  result.erase(other);
  return result;
}

SpanSet SpanSet::intersection(const SpanSet& other) const {
  SpanSet result;
  auto a = spans_.begin();
  auto b = other.spans_.begin();
  while (a != spans_.end() && b != other.spans_.end()) {
    result.insert({std::max(a->begin, b->begin), std::min(a->end, b->end)});
    if (a->end < b->end) {
      ++a;
    } else {
      ++b;
    }
  }
  return result;
}

std::string to_string(Span span) {
  return '[' + std::to_string(span.begin) + ',' + std::to_string(span.end) + ')';
}

std::string SpanSet::to_string() const {
  std::string text;
  for (const Span span : spans_) {
    if (!text.empty()) text += ' ';
    text += zoomr::to_string(span);
  }
  return text;
}

}  // namespace zoomr
