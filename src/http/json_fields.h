// A request's JSON object, read field by field: a field that is absent or null has its default, one
// of a wrong type or out of range ends the request with one line that names it. Unknown fields are
// never looked at.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace zoomr {

using json = nlohmann::ordered_json;  // replies keep the order in which they are written

// Deepest nesting of a body: whatever walks over it later recurses.
inline constexpr int kMaxJsonDepth = 64;

// The body as an object. Throws Error(bad_input): no JSON, invalid UTF-8, too deep, not an object.
[[nodiscard]] json parse_body(const std::string& body);

// Valid UTF-8 whatever the strings hold.
[[nodiscard]] std::string dump(const json& value);

class Fields {
 public:
  // `where` stands before names in error lines: "messages[0].". The object outlives it.
  explicit Fields(const json& object, std::string where = "");

  [[nodiscard]] bool has(const char* name) const { return find(name) != nullptr; }
  [[nodiscard]] std::string text(const char* name, const std::string& fallback = "") const;
  [[nodiscard]] bool flag(const char* name, bool fallback) const;
  [[nodiscard]] std::int64_t wide_integer(const char* name, std::int64_t fallback,
                                          std::int64_t least, std::int64_t most) const;
  [[nodiscard]] int integer(const char* name, int fallback, int least = 0,
                            int most = std::numeric_limits<int>::max()) const {
    return static_cast<int>(wide_integer(name, fallback, least, most));
  }
  [[nodiscard]] float number(const char* name, float fallback, double least = -kMost,
                             double most = kMost) const;
  // nullptr: absent.
  [[nodiscard]] const json* array(const char* name) const;
  [[nodiscard]] const json* object(const char* name) const;
  [[nodiscard]] const json* find(const char* name) const;  // nullptr: absent or null
  // A text or an array of texts.
  [[nodiscard]] std::vector<std::string> texts(const char* name) const;

  [[noreturn]] void refuse(const char* name, const std::string& why) const;

 private:
  static constexpr double kMost = std::numeric_limits<float>::max();
  const json& object_;
  std::string where_;
};

// "a string", "a number", ...
[[nodiscard]] std::string_view kind_of(const json& value);

}  // namespace zoomr
