#include "http/access.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "zoomr/error.h"

namespace zoomr {

namespace {

// Takes as long for a wrong first letter as for a wrong last one.
bool same(std::string_view a, std::string_view b) {
  unsigned different = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    different |= static_cast<unsigned char>(a[i]) ^
                 static_cast<unsigned char>(b.empty() ? '\0' : b[i % b.size()]);
  }
  return different == 0;
}

// http://localhost:3000 -> localhost
std::string_view host_of(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return "";
  origin.remove_prefix(scheme + 3);
  if (origin.starts_with('[')) return origin.substr(0, origin.find(']') + 1);
  return origin.substr(0, origin.find_first_of(":/"));
}

}  // namespace

Access::Access(std::vector<std::string> keys, const std::string& origins) : keys_(std::move(keys)) {
  std::istringstream list(origins);
  for (std::string origin; std::getline(list, origin, ',');) {
    std::erase(origin, ' ');
    if (!origin.empty()) origins_.push_back(origin);
  }
}

bool Access::allows(std::string_view authorization, std::string_view x_api_key) const {
  if (keys_.empty()) return true;
  std::string_view given = authorization.empty() ? x_api_key : authorization;
  constexpr std::string_view bearer = "Bearer ";
  if (given.starts_with(bearer)) given.remove_prefix(bearer.size());
  bool found = false;
  for (const std::string& key : keys_) found |= same(given, key);
  return found;
}

bool Access::allows_origin(std::string_view origin) const {
  return std::any_of(origins_.begin(), origins_.end(), [&](const std::string& allowed) {
    if (allowed == "*" || allowed == origin) return true;
    if (allowed != "localhost") return false;
    const std::string_view host = host_of(origin);
    return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
  });
}

std::vector<std::string> read_keys(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::bad_input, "cannot read the keys in " + path);
  std::vector<std::string> keys;
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) keys.push_back(line);
  }
  return keys;
}

}  // namespace zoomr
