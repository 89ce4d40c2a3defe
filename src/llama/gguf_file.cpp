#include "llama/gguf_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>

#include "ggml.h"
#include "gguf.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// A scalar or one element of an array, whatever its width.
double number_at(gguf_type type, const void* data, std::size_t i) {
  const auto read = [&](auto zero) {
    decltype(zero) value;
    std::memcpy(&value, static_cast<const char*>(data) + i * sizeof value, sizeof value);
    return static_cast<double>(value);
  };
  switch (type) {
    case GGUF_TYPE_UINT8:
      return read(std::uint8_t{});
    case GGUF_TYPE_INT8:
      return read(std::int8_t{});
    case GGUF_TYPE_UINT16:
      return read(std::uint16_t{});
    case GGUF_TYPE_INT16:
      return read(std::int16_t{});
    case GGUF_TYPE_UINT32:
      return read(std::uint32_t{});
    case GGUF_TYPE_INT32:
      return read(std::int32_t{});
    case GGUF_TYPE_FLOAT32:
      return read(float{});
    case GGUF_TYPE_UINT64:
      return read(std::uint64_t{});
    case GGUF_TYPE_INT64:
      return read(std::int64_t{});
    case GGUF_TYPE_FLOAT64:
      return read(double{});
    case GGUF_TYPE_BOOL:
      return read(std::int8_t{});
    default:
      return 0;
  }
}

bool is_number(gguf_type type) { return type != GGUF_TYPE_STRING && type != GGUF_TYPE_ARRAY; }

}  // namespace

void GgufFile::FreeGguf::operator()(gguf_context* context) const { gguf_free(context); }
void GgufFile::FreeGgml::operator()(ggml_context* context) const { ggml_free(context); }

GgufFile::GgufFile(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw Error(ErrorCode::bad_input, "no such file: " + path);
  }
  if (std::filesystem::is_directory(path, ignored)) {
    throw Error(ErrorCode::bad_input, path + " is a folder, not a GGUF file");
  }
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  if (!file.read(magic, 4) || std::memcmp(magic, "GGUF", 4) != 0) {
    throw Error(ErrorCode::bad_input, path + " is not a GGUF file");
  }
  ggml_context* tensors = nullptr;
  gguf_.reset(gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = &tensors}));
  tensors_.reset(tensors);
  if (!gguf_)
    throw Error(ErrorCode::bad_input, path + " is truncated or damaged: its header cannot be read");
  check_extent(path);
}

GgufFile::~GgufFile() = default;

void GgufFile::check_extent(const std::string& path) const {
  std::uint64_t needed = gguf_get_data_offset(gguf_.get());
  for (int64_t i = 0; i < gguf_get_n_tensors(gguf_.get()); ++i) {
    const std::uint64_t end = gguf_get_data_offset(gguf_.get()) +
                              gguf_get_tensor_offset(gguf_.get(), i) +
                              gguf_get_tensor_size(gguf_.get(), i);
    needed = std::max(needed, end);
  }
  const std::uint64_t size = std::filesystem::file_size(path);
  if (size < needed) {
    throw Error(ErrorCode::bad_input, path + " is truncated: it has " + std::to_string(size) +
                                          " bytes and needs " + std::to_string(needed));
  }
}

std::string GgufFile::text(const std::string& key) const {
  const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
  if (id < 0 || gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_STRING) return "";
  return gguf_get_val_str(gguf_.get(), id);
}

std::optional<double> GgufFile::number(const std::string& key) const {
  const std::vector<double> all = numbers(key);
  if (all.empty()) return std::nullopt;
  return all.front();
}

std::vector<double> GgufFile::numbers(const std::string& key) const {
  const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
  if (id < 0) return {};
  const gguf_type type = gguf_get_kv_type(gguf_.get(), id);
  if (is_number(type)) return {number_at(type, gguf_get_val_data(gguf_.get(), id), 0)};
  if (type != GGUF_TYPE_ARRAY || !is_number(gguf_get_arr_type(gguf_.get(), id))) return {};
  std::vector<double> values;
  for (std::size_t i = 0; i < gguf_get_arr_n(gguf_.get(), id); ++i) {
    values.push_back(
        number_at(gguf_get_arr_type(gguf_.get(), id), gguf_get_arr_data(gguf_.get(), id), i));
  }
  return values;
}

bool GgufFile::is_f32(const std::string& key) const {
  const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
  return id >= 0 && gguf_get_kv_type(gguf_.get(), id) == GGUF_TYPE_FLOAT32;
}

bool GgufFile::has_tensor(const std::string& part) const {
  for (const std::string& name : tensor_names()) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

const ggml_tensor* GgufFile::tensor(const std::string& name) const {
  return ggml_get_tensor(tensors_.get(), name.c_str());
}

std::vector<std::string> GgufFile::tensor_names() const {
  std::vector<std::string> names;
  for (int64_t i = 0; i < gguf_get_n_tensors(gguf_.get()); ++i) {
    names.emplace_back(gguf_get_tensor_name(gguf_.get(), i));
  }
  return names;
}

}  // namespace zoomr
