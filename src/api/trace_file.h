// Writes a trace, one JSON object a line. A write that fails ends the run, not silently the trace.
#pragma once

#include <fstream>
#include <string>

#include "core/trace.h"

namespace zoomr {

class TraceFile final : public TraceSink {
 public:
  // Throws Error(bad_input) when the file cannot be opened for writing.
  explicit TraceFile(const std::string& path);
  void write(const TraceEvent& event) override;  // throws Error(failed) when the disk is full

 private:
  std::string path_;
  std::ofstream file_;
};

}  // namespace zoomr
