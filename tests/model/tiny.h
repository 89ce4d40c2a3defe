// The tiny models of tests/models/make_tiny.py, made when first asked for.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "llama/log.h"

namespace zoomr {

// Its path. ZOOMR_TINY_DIR may name a folder that has them already.
inline std::string tiny(const std::string& name) {
  const char* given = std::getenv("ZOOMR_TINY_DIR");
  const std::string folder =
      given != nullptr ? given : (std::filesystem::temp_directory_path() / "zoomr-tiny").string();
  const std::string path = folder + "/" + name + ".gguf";
  static std::set<std::string> made;  // in this process; an older one's may be outdated
  if (made.empty()) route_llama_log();
  if (made.insert(name).second && (given == nullptr || !std::filesystem::exists(path))) {
    const std::string make = std::string("python3 '") + ZOOMR_SOURCE_DIR +
                             "/tests/models/make_tiny.py' '" + folder + "' " + name;
    EXPECT_EQ(std::system(make.c_str()), 0) << make;
  }
  return path;
}

}  // namespace zoomr
