// What the model tests share: the models by name, loaded once a process.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "llama/llama_kv.h"
#include "llama/log.h"
#include "llama/model.h"
#include "zoomr/zoomr.h"

namespace zoomr {

constexpr const char* kSmol = "smollm2-135m";
constexpr const char* kGemma = "gemma-3-270m";

inline const Model& model(const std::string& name) {
  static std::map<std::string, std::unique_ptr<Model>> loaded;
  auto& slot = loaded[name];
  if (!slot) {
    route_llama_log();
    ModelOptions options;
    options.path = name;
    slot = std::make_unique<Model>(options);
  }
  return *slot;
}

inline ContextOptions two_threads(const std::string& type = "f16") {
  ContextOptions context;
  context.threads = 2;
  context.threads_batch = 2;
  context.type_k = type;
  context.type_v = type;
  return context;
}

inline const char* kText =
    "The harbour wakes before the town does. Ropes creak against the stone, a gull complains, and "
    "the first boat slides out between the two lamps. Nobody speaks. On the quay a girl counts the "
    "crates: forty of herring, twelve of cod, three of something she has no name for. She writes "
    "the "
    "numbers in a book that has lost its cover. When the sun is up the lorries come, and by noon "
    "the "
    "quay is empty again but for the smell, and the girl, who is still adding up her columns.";

}  // namespace zoomr
