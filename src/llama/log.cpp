#include "llama/log.h"

#include <spdlog/spdlog.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "llama.h"

namespace zoomr {

namespace {

// libllama reports a fault where it happens, and then again at each caller up: "failed to load
// model". Only the first says why. "function: " in front tells a user nothing.
std::string reason(const std::string& line) {
  if (line.ends_with("failed to load model")) return "";
  const std::size_t function = line.find(": ");
  const bool named = function != std::string::npos && line.find(' ') > function;
  std::string text = named ? line.substr(function + 2) : line;
  constexpr std::string_view kWrapper = "error loading model: ";
  if (text.starts_with(kWrapper)) text = text.substr(kWrapper.size());
  return text;
}

std::mutex g_mutex;  // models may load on several threads
std::string g_last_error;

void on_log(ggml_log_level level, const char* text, void* /*user_data*/) {
  std::string line(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (line.empty()) return;
  const std::lock_guard lock(g_mutex);
  if (level == GGML_LOG_LEVEL_ERROR) {
    if (std::string why = reason(line); !why.empty()) g_last_error = std::move(why);
  }
  spdlog::debug("{}", line);
}

}  // namespace

void route_llama_log() { llama_log_set(on_log, nullptr); }

void forget_llama_error() {
  const std::lock_guard lock(g_mutex);
  g_last_error.clear();
}

std::string last_llama_error() {
  const std::lock_guard lock(g_mutex);
  return g_last_error;
}

}  // namespace zoomr
