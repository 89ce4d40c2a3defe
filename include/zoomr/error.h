// The one exception type. It ends one request or one command; what belongs to an algorithm (no room
// to restore) is a return value, and what is our own bug is a check (see src/core/check.h).
#pragma once

#include <stdexcept>
#include <string>

namespace zoomr {

enum class ErrorCode {
  bad_input,    // the user's flags, files or text; exit code 2, HTTP 400
  unsupported,  // a model or combination that cannot be served exactly; exit code 2, HTTP 501
  failed,       // the run itself failed: decode, store, disk; exit code 1, HTTP 500
  unavailable,  // no place now; exit code 1, HTTP 503
  bug,          // a broken invariant of ours; exit code 1, HTTP 500
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// The process exit code of an error: 2 where the input is at fault, 1 otherwise.
[[nodiscard]] constexpr int exit_code(ErrorCode code) {
  return code == ErrorCode::bad_input || code == ErrorCode::unsupported ? 2 : 1;
}

}  // namespace zoomr
