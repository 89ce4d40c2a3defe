#include "cli/models_command.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "llama/model.h"

namespace zoomr {

int models_command(bool json, std::ostream& out) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const KnownModel& model : known_models()) {
    const std::string path = models_folder() + "/" + std::string(model.file);
    std::error_code ignored;
    list.push_back({{"name", model.name},
                    {"file", model.file},
                    {"bytes", model.bytes},
                    {"note", model.note},
                    {"path", path},
                    {"here", std::filesystem::exists(path, ignored)}});
  }
  if (json) {
    out << list.dump() << '\n';
    return 0;
  }
  for (const auto& m : list) {
    char row[256];
    std::snprintf(row, sizeof row, "%-20s %7.0f MiB  %-12s %s\n",
                  m["name"].get<std::string>().c_str(), m["bytes"].get<double>() / (1024 * 1024),
                  m["here"].get<bool>() ? "here" : "not here yet",
                  m["note"].get<std::string>().c_str());
    out << row;
  }
  out << "in " << models_folder() << "; fetch with script/models NAME\n";
  return 0;
}

}  // namespace zoomr
