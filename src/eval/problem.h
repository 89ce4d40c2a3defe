// A problem of an evaluation, and the tasks that hold them: JSON Lines, one problem a line
// (docs/evaluation.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace zoomr {

struct Problem {
  std::string task;  // the task's name: a built-in one's, or the file's without its ending
  std::string id;    // unique in its task
  std::string system;
  std::string prompt;
  std::string answer;             // what is right, "" : nothing to score
  std::string scorer = "answer";  // answer, chain or steps
  nlohmann::json steps;           // what `chain` and `steps` score, beside the answer
};

// A built-in task by its name, or a file by its path. Throws Error(bad_input), naming file and
// line.
[[nodiscard]] std::vector<Problem> load_task(const std::string& name);
// The problems of JSON Lines; `where` is named in errors.
[[nodiscard]] std::vector<Problem> parse_task(const std::string& text, const std::string& task,
                                              const std::string& where);
[[nodiscard]] std::vector<std::string> built_in_tasks();

}  // namespace zoomr
