#include "api/trace_file.h"

#include <cerrno>
#include <cstring>

#include "zoomr/error.h"

namespace zoomr {

TraceFile::TraceFile(const std::string& path) : path_(path), file_(path, std::ios::trunc) {
  if (!file_) {
    throw Error(ErrorCode::bad_input,
                "cannot write the trace " + path + ": " + std::strerror(errno));
  }
}

void TraceFile::write(const TraceEvent& event) {
  file_ << to_json_line(event) << '\n';
  if (std::holds_alternative<FinalEvent>(event)) file_.flush();
  if (!file_) throw Error(ErrorCode::failed, "cannot write on to the trace " + path_);
}

}  // namespace zoomr
