// zoomr inspect: what a model is, whether it can be zoomed, and what memory it needs.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

namespace zoomr {

struct InspectOptions {
  std::string path;              // GGUF file or known name
  std::size_t memory_bytes = 0;  // 0: no question
  bool json = false;
};

int inspect_command(const InspectOptions& options, std::ostream& out);

}  // namespace zoomr
