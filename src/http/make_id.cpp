#include <random>

#include "http/context.h"

namespace zoomr {

std::string make_id(const std::string& prefix) {
  static constexpr char letters[] =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::uniform_int_distribution<std::size_t> pick(0, sizeof letters - 2);
  std::string id = prefix;
  for (int i = 0; i < 32; ++i) id += letters[pick(random)];
  return id;
}

}  // namespace zoomr
