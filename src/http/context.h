// What requests are read against: the model's vocabulary and template, and the server's defaults.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "engine/vocabulary.h"
#include "http/json_fields.h"
#include "serve/service.h"

namespace zoomr {

struct ServerContext {
  const Vocabulary* vocabulary = nullptr;
  const ChatTemplate* chat = nullptr;
  std::string model;       // the name that replies carry (-a, or the file's)
  std::string model_path;  // told by /props
  std::string build;       // system_fingerprint
  json model_meta = json::object();
  std::int64_t created = 0;  // seconds since 1970
  SamplingOptions sampling;  // of requests that do not say otherwise
  int n_predict = -1;
  Pos budget = 0;  // tokens
  int n_ctx = 0;   // positions of one conversation
  int n_parallel = 1;
  std::string reasoning_format = "auto";
  std::map<std::string, std::string> template_kwargs;  // JSON values
  std::string system_suffix;                           // goes behind every system text
  int ping_seconds = 30;
};

// Turns what a service says of a reply into JSON, part by part. A choice is one of `n` replies to
// one request. Used by one thread.
class ReplyFormat {
 public:
  virtual ~ReplyFormat() = default;
  // The chunks of a stream.
  [[nodiscard]] virtual std::vector<json> part(std::size_t choice, const ReplyPart& part) = 0;
  // No part came for a moment, or none will: what a format held back of earlier ones.
  [[nodiscard]] virtual std::vector<json> idle(std::size_t /*choice*/, bool /*at_once*/) {
    return {};
  }
  [[nodiscard]] virtual std::vector<json> ended(std::size_t choice, const ReplyEnd& end) = 0;
  // After all choices have ended.
  [[nodiscard]] virtual std::vector<json> closing() = 0;
  // Instead of chunks: the one object, after all choices have ended.
  [[nodiscard]] virtual json whole() = 0;
  // Does the stream end with [DONE]?
  [[nodiscard]] virtual bool says_done() const { return true; }
};

// A request as it will be run.
struct ReplyPlan {
  std::vector<ServeRequest> requests;  // one a choice
  std::unique_ptr<ReplyFormat> format;
  bool stream = false;
  int ping_seconds = 30;  // < 1: no pings
};

// Random letters and digits behind a prefix.
[[nodiscard]] std::string make_id(const std::string& prefix);

}  // namespace zoomr
