// What the evaluation's tests share: problems, and samples made by hand.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "eval/problem.h"
#include "eval/samples.h"

namespace zoomr {

// amy = 3, bob = 4, cat = amy + bob, dan = cat + amy (amy three lines back)
inline Problem small_chain() {
  Problem problem;
  problem.task = "chain";
  problem.id = "1";
  problem.prompt = "p";
  problem.answer = "10";
  problem.scorer = "chain";
  problem.steps = nlohmann::json::parse(
      R"([{"name":"amy","value":3},{"name":"bob","value":4},)"
      R"({"name":"cat","op":"+","a":0,"b":1,"value":7},{"name":"dan","op":"+","a":2,"b":0,"value":10}])");
  return problem;
}

struct Made {
  std::string problem = "1";
  std::string policy = "full";
  std::string budget;
  bool right = true;
  int steps_right = 8;
  int peak = 100;
  double agreeability = 0;
  int votes = 0;
  int sample = 0;
  std::string finish = "stop";
};

inline Sample make_sample(const Made& m) {
  Sample s = {{"task", "chain"},    {"problem", m.problem},           {"sample", m.sample},
              {"policy", m.policy}, {"budget_asked", m.budget},       {"prompt", "p"},
              {"expected", "10"},   {"answer", m.right ? "10" : "9"}, {"right", m.right}};
  s["steps"] = {{"right", m.steps_right}, {"of", 10}};
  s["steps"]["far"] = {{"right", m.steps_right / 2}, {"of", 5}};
  const Sample run = {{"text", "t"},
                      {"n_prompt", 20},
                      {"n_generated", 50},
                      {"finish_reason", m.finish},
                      {"budget", 100},
                      {"peak_resident_tokens", m.peak},
                      {"mean_resident_tokens", m.peak * 0.75},
                      {"peak_kv_bytes", m.peak << 20},
                      {"n_ctx", 2 * m.peak},
                      {"zoom_ins", 4},
                      {"zoom_outs", 6},
                      {"second_looks", 0},
                      {"votes", m.votes},
                      {"agreeability", m.agreeability},
                      {"seconds", 5.0}};
  s.update(run);
  s["settings"] = Sample::object();
  return s;
}

// A path that no other test uses; nothing is there.
inline std::string fresh_path(const std::string& name) {
  const auto path =
      std::filesystem::temp_directory_path() /
      (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "-" + name);
  std::filesystem::remove_all(path);
  return path.string();
}

}  // namespace zoomr
