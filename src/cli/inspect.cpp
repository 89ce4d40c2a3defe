#include "cli/inspect.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "llama/gguf_file.h"
#include "llama/model.h"
#include "llama/support.h"

namespace zoomr {

namespace {

constexpr double kMib = 1024.0 * 1024;
constexpr const char* kTypes[] = {"f16", "bf16", "q8_0", "q4_0"};

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// What computing takes beside weights and KV: logits and activations of a batch of 512.
double compute_bytes(const GgufFile& file, const std::string& arch) {
  const double n_embd = file.number(arch + ".embedding_length").value_or(0);
  const double n_ff = file.number(arch + ".feed_forward_length").value_or(4 * n_embd);
  return 512 * (8 * n_embd + 3 * n_ff) * 4 + 64 * kMib;
}

nlohmann::ordered_json describe(const GgufFile& file, const InspectOptions& options,
                                const std::string& path) {
  const std::string arch = file.architecture();
  const Support support = check_support(file);
  const double weights = static_cast<double>(std::filesystem::file_size(path));
  nlohmann::ordered_json json = {
      {"file", path},
      {"name", file.text("general.name")},
      {"architecture", arch},
      {"layers", file.number(arch + ".block_count").value_or(0)},
      {"heads", file.number(arch + ".attention.head_count").value_or(0)},
      {"kv_heads", file.number(arch + ".attention.head_count_kv").value_or(0)},
      {"trained_length", file.number(arch + ".context_length").value_or(0)},
      {"sliding_window", file.number(arch + ".attention.sliding_window").value_or(0)},
      {"weights_bytes", weights},
      {"supported", support.ok},
      {"why", support.why}};
  for (const char* type : kTypes) {
    json["kv_bytes_per_token"][type] = kv_bytes_per_token(file, type, type);
  }
  if (options.memory_bytes == 0) return json;
  const double free =
      static_cast<double>(options.memory_bytes) - weights - compute_bytes(file, arch);
  json["memory_bytes"] = options.memory_bytes;
  for (const char* type : kTypes) {
    const double per_token = kv_bytes_per_token(file, type, type);
    const double tokens =
        per_token > 0 ? std::max(0.0, std::floor(free / per_token / 256) * 256) : 0;
    json["budget"][type] = static_cast<long long>(tokens);
  }
  return json;
}

void print_text(const nlohmann::ordered_json& j, std::ostream& out) {
  out << j["file"].get<std::string>() << '\n';
  if (!j["name"].get<std::string>().empty())
    out << "  name            " << j["name"].get<std::string>() << '\n';
  out << "  architecture    " << j["architecture"].get<std::string>() << '\n'
      << "  layers          " << j["layers"].get<int>() << ", " << j["heads"].get<int>()
      << " heads, " << j["kv_heads"].get<int>() << " key-value heads\n"
      << "  trained length  " << j["trained_length"].get<int>() << " tokens\n";
  if (j["sliding_window"].get<int>() > 0) {
    out << "  sliding window  " << j["sliding_window"].get<int>() << " tokens in some layers\n";
  }
  out << "  weights         " << fixed(j["weights_bytes"].get<double>() / kMib, 1) << " MiB\n"
      << "  supported       "
      << (j["supported"].get<bool>() ? "yes (a self-test at load has the last word)"
                                     : "no: " + j["why"].get<std::string>())
      << "\n\n  KV type   bytes a token   1,024 tokens";
  const bool budget = j.contains("budget");
  if (budget) out << "   budget in " << fixed(j["memory_bytes"].get<double>() / kMib, 0) << " MiB";
  out << '\n';
  for (const auto& [type, bytes] : j["kv_bytes_per_token"].items()) {
    char row[128];
    std::snprintf(row, sizeof row, "  %-8s  %13.0f   %8.2f MiB", type.c_str(), bytes.get<double>(),
                  bytes.get<double>() * 1024 / kMib);
    out << row;
    if (budget) {
      const auto tokens = j["budget"][type].get<long long>();
      out << "   " << (tokens > 0 ? std::to_string(tokens) + " tokens" : "does not fit");
    }
    out << '\n';
  }
  if (budget) {
    out << "\n  budget = (memory - weights - compute buffers of a batch of 512) / bytes a token, "
           "rounded down to 256\n";
  }
}

}  // namespace

int inspect_command(const InspectOptions& options, std::ostream& out) {
  const std::string path = find_model(options.path);
  const GgufFile file(path);
  const nlohmann::ordered_json json = describe(file, options, path);
  if (options.json) {
    out << json.dump() << '\n';
  } else {
    print_text(json, out);
  }
  return 0;
}

}  // namespace zoomr
