// The makers of the policies; each is documented at the top of its own file.
#pragma once

#include <memory>

#include "core/policy.h"

namespace zoomr {

std::unique_ptr<Policy> make_full();
std::unique_ptr<Policy> make_streaming_llm(const PolicySettings& settings);
std::unique_ptr<Policy> make_h2o(const PolicySettings& settings);
std::unique_ptr<Policy> make_summary_only(const PolicySettings& settings);
std::unique_ptr<Policy> make_oracle(const PolicySettings& settings);
std::unique_ptr<Policy> make_r_kv();
std::unique_ptr<Policy> make_random(const PolicySettings& settings);
std::unique_ptr<Policy> make_retrieval(const PolicySettings& settings);
std::unique_ptr<Policy> make_zoomr(const PolicySettings& settings);

}  // namespace zoomr
