// A set of positions as sorted, disjoint, non-adjacent spans. Pure value type, any thread; sizes
// are in tokens.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "zoomr/types.h"

namespace zoomr {

[[nodiscard]] std::string to_string(Span span);  // "[0,4)"

class SpanSet {
 public:
  SpanSet() = default;
  SpanSet(std::initializer_list<Span> spans);

  void insert(Span span);  // an empty span changes nothing; touching spans are merged
  void insert(const SpanSet& other);
  void erase(Span span);
  void erase(const SpanSet& other);

  [[nodiscard]] bool contains(Pos pos) const;
  [[nodiscard]] bool covers(Span span) const;    // every position of span is in the set
  [[nodiscard]] bool overlaps(Span span) const;  // at least one position is
  [[nodiscard]] Pos size() const { return size_; }
  [[nodiscard]] bool empty() const { return spans_.empty(); }
  [[nodiscard]] const std::vector<Span>& spans() const& { return spans_; }
  [[nodiscard]] std::vector<Span> spans() && { return std::move(spans_); }  // of a temporary

  [[nodiscard]] SpanSet minus(const SpanSet& other) const;
  [[nodiscard]] SpanSet intersection(const SpanSet& other) const;
  [[nodiscard]] std::string to_string() const;  // "[0,4) [9,12)"

  bool operator==(const SpanSet&) const = default;

 private:
  std::vector<Span> spans_;
  Pos size_ = 0;
};

}  // namespace zoomr
