#include "core/policies/policies.h"
#include "zoomr/error.h"

namespace zoomr {

const std::vector<PolicyInfo>& policies() {
  static const std::vector<PolicyInfo> all = {
      {"full", "everything stays; the budget is ignored", ""},
      {"streaming-llm", "prompt, first tokens and a sliding window; the rest is dropped",
       "2309.17453"},
      {"h2o", "the tokens that got most attention; the rest is dropped", "2306.14048"},
      {"r-kv", "importance minus redundancy of the tokens; the rest is dropped", "2505.24133"},
      {"summary-only", "a thought's summary replaces it; the details are dropped", "2604.10898"},
      {"random", "dice choose the lines that come back; nothing is lost", ""},
      {"zoomr", "the model's queries vote for the lines that come back; nothing is lost",
       "2604.10898"},
      {"oracle", "a second, full context tells which lines come back: to compare with, no method",
       ""},
  };
  return all;
}

std::unique_ptr<Policy> make_policy(std::string_view name, const PolicySettings& settings) {
  if (name == "full") return make_full();
  if (name == "streaming-llm") return make_streaming_llm(settings);
  if (name == "h2o") return make_h2o(settings);
  if (name == "r-kv") return make_r_kv();
  if (name == "summary-only") return make_summary_only(settings);
  if (name == "random") return make_random(settings);
  if (name == "zoomr") return make_zoomr(settings);
  if (name == "oracle") return make_oracle(settings);
  std::string names;
  for (const PolicyInfo& info : policies())
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  throw Error(ErrorCode::bad_input, "unknown policy '" + std::string(name) + "': " + names);
}

}  // namespace zoomr
