// Who may ask: API keys, and the origins of web pages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zoomr {

class Access {
 public:
  // origins: comma-separated; "*": every one; "localhost": pages of this machine.
  Access(std::vector<std::string> keys, const std::string& origins);

  [[nodiscard]] bool needs_key() const { return !keys_.empty(); }
  // The values of the headers Authorization and X-Api-Key; absent: "".
  [[nodiscard]] bool allows(std::string_view authorization, std::string_view x_api_key) const;
  [[nodiscard]] bool allows_origin(std::string_view origin) const;

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> origins_;
};

// One key a line; empty lines are none. Throws Error(bad_input) when it cannot be read.
[[nodiscard]] std::vector<std::string> read_keys(const std::string& path);

}  // namespace zoomr
