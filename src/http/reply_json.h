// The parts that replies of all kinds share: usage, timings, our own figures, logprobs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "http/context.h"
#include "http/json_fields.h"
#include "serve/service.h"

namespace zoomr {

// Sums over the choices of one reply. Choices of one prompt count it once.
struct Usage {
  int prompt_tokens = 0;
  int completion_tokens = 0;
  int cached_tokens = 0;
};
[[nodiscard]] json usage_json(const Usage& usage);
[[nodiscard]] json timings_json(const ReplyEnd& end);
// {"finish_reason", "peak_resident_tokens", "stored_tokens", "zoom_ins", ...}
[[nodiscard]] json zoomr_json(const ReplyEnd& end);
// Adds both, as "timings" and "zoomr".
void add_figures(json& object, const ReplyEnd& end);
// [{"id", "token", "bytes", "logprob", "top_logprobs": [...]}]
[[nodiscard]] json logprobs_json(const std::vector<ReplyToken>& tokens);

// What every object of one reply carries.
class ReplyHead {
 public:
  ReplyHead(const ServerContext& context, const std::string& id_prefix);
  [[nodiscard]] json object(const char* kind, json choices) const;

 private:
  std::string id_;
  std::string model_;
  std::string build_;
  std::int64_t created_;  // seconds since 1970
};

// OpenAI's word: stop, or length for all that was cut off; zoomr.finish_reason says more.
[[nodiscard]] std::string finish_reason(const ReplyEnd& end);

}  // namespace zoomr
