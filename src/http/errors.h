// Errors as HTTP tells them: one table from ErrorCode to status and type, one form of body.
#pragma once

#include <string>

#include "http/json_fields.h"
#include "zoomr/error.h"

namespace zoomr {

struct HttpError {
  int status = 500;
  std::string type;            // invalid_request_error, ...
  std::string message;         // one line
  json more = json::object();  // further members of the error object
};

[[nodiscard]] HttpError as_http(const Error& error);
[[nodiscard]] HttpError http_error(int status, const std::string& message);
// {"error": {"code", "message", "type"}}
[[nodiscard]] json error_body(const HttpError& error);

// A prompt that fills all positions.
class ContextExceeded : public Error {
 public:
  ContextExceeded(int n_prompt_tokens, int n_ctx);
  [[nodiscard]] HttpError http() const;

 private:
  int n_prompt_tokens_;
  int n_ctx_;
};

}  // namespace zoomr
