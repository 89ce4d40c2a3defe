#include "eval/problem.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "eval/scorers.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

namespace fs = std::filesystem;

// Where the built-in tasks lie: the source tree, or where `cmake --install` put them.
std::string task_folder() {
  if (const char* folder = std::getenv("ZOOMR_TASKS")) return folder;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path installed = program.parent_path().parent_path() / "share/zoomr/tasks";
  if (!error && fs::is_directory(installed)) return installed.string();
  return ZOOMR_TASK_FOLDER;
}

std::string text_of(const nlohmann::json& json, const char* key, const std::string& where) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return "";
  if (it->is_number()) return it->dump();  // answers are often written as numbers
  if (!it->is_string()) {
    throw Error(ErrorCode::bad_input, where + ": \"" + key + "\" is not a string");
  }
  return it->get<std::string>();
}

Problem parse_problem(const std::string& line, const std::string& where) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded()) throw Error(ErrorCode::bad_input, where + ": not JSON");
  if (!json.is_object()) throw Error(ErrorCode::bad_input, where + ": not a JSON object");
  Problem problem;
  problem.id = text_of(json, "id", where);
  problem.system = text_of(json, "system", where);
  problem.prompt = text_of(json, "prompt", where);
  problem.answer = text_of(json, "answer", where);
  if (json.contains("scorer")) problem.scorer = text_of(json, "scorer", where);
  if (json.contains("steps")) problem.steps = json["steps"];
  if (problem.prompt.empty()) throw Error(ErrorCode::bad_input, where + ": no \"prompt\"");
  check_scorable(problem, where);
  return problem;
}

}  // namespace

std::vector<std::string> built_in_tasks() {
  std::set<std::string> names{"text"};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(task_folder(), error)) {
    if (entry.path().extension() == ".jsonl") names.insert(entry.path().stem().string());
  }
  return {names.begin(), names.end()};
}

std::vector<Problem> parse_task(const std::string& text, const std::string& task,
                                const std::string& where) {
  std::vector<Problem> problems;
  std::set<std::string> ids;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string at = where + ":" + std::to_string(number);
    Problem problem = parse_problem(line, at);
    problem.task = task;
    if (problem.id.empty()) problem.id = std::to_string(problems.size() + 1);
    if (!ids.insert(problem.id).second) {
      throw Error(ErrorCode::bad_input, at + ": the id \"" + problem.id + "\" is there twice");
    }
    problems.push_back(std::move(problem));
  }
  if (problems.empty()) throw Error(ErrorCode::bad_input, where + ": no problem in it");
  return problems;
}

std::vector<Problem> load_task(const std::string& name) {
  const bool is_path = name.find('/') != std::string::npos || name.ends_with(".jsonl");
  const fs::path path = is_path ? fs::path(name) : fs::path(task_folder()) / (name + ".jsonl");
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) {
    std::string known;
    for (const std::string& task : built_in_tasks()) known += (known.empty() ? "" : ", ") + task;
    throw Error(ErrorCode::bad_input,
                is_path ? "cannot read the task " + name
                        : "unknown task '" + name + "': " + known + ", or a file (.jsonl, .txt)");
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return parse_task(text, path.stem().string(), path.string());
}

}  // namespace zoomr
