// A request on its way: what its reply is made of.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/sampler.h"
#include "engine/session.h"
#include "serve/reply.h"
#include "serve/service.h"

namespace zoomr {

struct Turn {
  ServeRequest request;
  std::vector<Token> tokens;  // of the whole prompt
  SessionOptions options;     // all but seq and probe, which its place gives
  std::unique_ptr<Sampler> sampler;
  std::uint32_t seed = 0;
  Pos n_cells = 0;  // it can come to hold so many tokens at a time
  std::shared_ptr<Reply> reply;
  std::chrono::steady_clock::time_point submitted;
};

}  // namespace zoomr
