#include "llama/log.h"

#include <spdlog/spdlog.h>

#include <mutex>

#include "llama.h"

namespace zoomr {

namespace {

std::mutex g_mutex;       // models may load on several threads
std::string g_last_error;

void on_log(ggml_log_level level, const char* text, void* /*user_data*/) {
  std::string line(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (line.empty()) return;
  const std::lock_guard lock(g_mutex);
  if (level == GGML_LOG_LEVEL_ERROR) g_last_error = line;
  spdlog::debug("{}", line);
}

}  // namespace

void route_llama_log() { llama_log_set(on_log, nullptr); }

std::string last_llama_error() {
  const std::lock_guard lock(g_mutex);
  return g_last_error;
}

}  // namespace zoomr
