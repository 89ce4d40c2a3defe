#include "http/errors.h"

namespace zoomr {

namespace {

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 501:
      return "not_supported_error";
    case 503:
      return "unavailable_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_input:
      return 400;
    case ErrorCode::unsupported:
      return 501;
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::failed:
    case ErrorCode::bug:
      return 500;
  }
  return 500;
}

}  // namespace

HttpError http_error(int status, const std::string& message) {
  return {.status = status, .type = type_of(status), .message = message};
}

HttpError as_http(const Error& error) {
  if (const auto* exceeded = dynamic_cast<const ContextExceeded*>(&error)) return exceeded->http();
  return http_error(status_of(error.code()), error.what());
}

json error_body(const HttpError& error) {
  json object = {{"code", error.status}, {"message", error.message}, {"type", error.type}};
  object.update(error.more);
  return {{"error", object}};
}

ContextExceeded::ContextExceeded(int n_prompt_tokens, int n_ctx)
    : Error(ErrorCode::bad_input, "the prompt has " + std::to_string(n_prompt_tokens) +
                                      " tokens, and all positions are " + std::to_string(n_ctx) +
                                      " (-c)"),
      n_prompt_tokens_(n_prompt_tokens),
      n_ctx_(n_ctx) {}

HttpError ContextExceeded::http() const {
  return {.status = 400,
          .type = "exceed_context_size_error",
          .message = what(),
          .more = {{"n_prompt_tokens", n_prompt_tokens_}, {"n_ctx", n_ctx_}}};
}

}  // namespace zoomr
