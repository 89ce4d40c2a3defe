#include "http/json_fields.h"

#include <cmath>
#include <utility>

#include "zoomr/error.h"

namespace zoomr {

json parse_body(const std::string& body) {
  json value;
  try {
    value = json::parse(body, [](int depth, json::parse_event_t, const json&) {
      if (depth > kMaxJsonDepth) {
        throw Error(ErrorCode::bad_input,
                    "the body is nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
      }
      return true;
    });
  } catch (const json::exception& e) {
    std::string what = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, ...": the name helps nobody.
    const std::size_t name_end = what.find("] ");
    if (name_end != std::string::npos) what.erase(0, name_end + 2);
    throw Error(ErrorCode::bad_input, "the body is not valid JSON: " + what);
  }
  if (!value.is_object()) throw Error(ErrorCode::bad_input, "the body must be a JSON object");
  return value;
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string_view kind_of(const json& value) {
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return "null";
}

Fields::Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

void Fields::refuse(const char* name, const std::string& why) const {
  throw Error(ErrorCode::bad_input, "\"" + where_ + name + "\" " + why);
}

const json* Fields::find(const char* name) const {
  const auto at = object_.find(name);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

std::string Fields::text(const char* name, const std::string& fallback) const {
  const json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_string()) refuse(name, "must be a string, not " + std::string(kind_of(*value)));
  return value->get<std::string>();
}

bool Fields::flag(const char* name, bool fallback) const {
  const json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse(name, "must be a boolean, not " + std::string(kind_of(*value)));
  return value->get<bool>();
}

std::int64_t Fields::wide_integer(const char* name, std::int64_t fallback, std::int64_t least,
                                  std::int64_t most) const {
  const json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) refuse(name, "must be an integer, not " + std::string(kind_of(*value)));
  const auto wanted = value->get<double>();
  if (wanted != std::floor(wanted)) refuse(name, "must be an integer, not " + value->dump());
  // Beyond 2^53 a double is not exact, but every bound is far below.
  if (!(wanted >= static_cast<double>(least) && wanted <= static_cast<double>(most))) {
    refuse(name, "must be between " + std::to_string(least) + " and " + std::to_string(most) +
                     ", not " + value->dump());
  }
  return static_cast<std::int64_t>(wanted);
}

float Fields::number(const char* name, float fallback, double least, double most) const {
  const json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) refuse(name, "must be a number, not " + std::string(kind_of(*value)));
  const auto wanted = value->get<double>();
  if (!(wanted >= least && wanted <= most)) {
    refuse(name, "must be between " + json(least).dump() + " and " + json(most).dump() + ", not " +
                     value->dump());
  }
  return static_cast<float>(wanted);
}

const json* Fields::array(const char* name) const {
  const json* value = find(name);
  if (value != nullptr && !value->is_array()) {
    refuse(name, "must be an array, not " + std::string(kind_of(*value)));
  }
  return value;
}

const json* Fields::object(const char* name) const {
  const json* value = find(name);
  if (value != nullptr && !value->is_object()) {
    refuse(name, "must be an object, not " + std::string(kind_of(*value)));
  }
  return value;
}

std::vector<std::string> Fields::texts(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) {
    refuse(name, "must be a string or an array of strings, not " + std::string(kind_of(*value)));
  }
  std::vector<std::string> result;
  for (const json& item : *value) {
    if (!item.is_string()) {
      refuse(name, "must hold strings only, not " + std::string(kind_of(item)));
    }
    result.push_back(item.get<std::string>());
  }
  return result;
}

}  // namespace zoomr
