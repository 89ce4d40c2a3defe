// What was resident when, in a form small enough to keep beside every sample: the report shows it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/trace.h"

namespace zoomr {

class ResidencyLog final : public TraceSink {
 public:
  void write(const TraceEvent& event) override;
  // {"lines": [[begin, end, kind, text], ...], "edits": [at, kind, begin, end, at, ...]}: lines
  // tile the generated tokens, the prompt's have no text; `at` is the number of decoded tokens when
  // it happened; kinds of edits are 0: dropped, 1: out, 2: in.
  [[nodiscard]] nlohmann::ordered_json to_json() const;

 private:
  std::vector<std::string> pieces_;
  std::vector<SegmentKind> kinds_;
  std::vector<Span> lines_;
  std::vector<int> edits_;
  Pos decoded_ = 0;
};

}  // namespace zoomr
