#include "eval/evaluation.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "api/head_file.h"
#include "api/policy_spec.h"
#include "api/session_group.h"
#include "api/trace_file.h"
#include "eval/progress.h"
#include "eval/residency_log.h"
#include "eval/scorers.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// One reply to come.
struct Job {
  const Problem* problem = nullptr;
  int sample = 0;
};

Sample identity(const Job& job, const Cell& cell) {
  return identity(job.problem->task, job.problem->id, job.sample, cell);
}

// What "auto" stood for, by kind; null: none.
Sample heads_of(const Cell& cell) {
  const PolicySettings& settings = cell.options.settings;
  if (settings.heads.empty()) return nullptr;
  return {{"value", head_names(settings.heads)},
          {"name", head_names(settings.name_heads)},
          {"order", head_names(settings.order_heads)}};
}

nlohmann::ordered_json as_json(const Count& count) {
  return {{"right", count.right}, {"of", count.of}};
}

void add_score(Sample& sample, const Problem& problem, const std::string& text) {
  const Score got = score(problem, text);
  sample["expected"] = problem.answer;
  sample["answer"] = got.answer;
  sample["right"] = got.right;
  sample["steps"] = as_json(got.steps);
  for (const Score::Part& part : got.parts) sample["steps"][part.name] = as_json(part.count);
}

Sample make_sample(const Job& job, const Cell& cell, const std::string& prompt,
                   const RunResult& result, double seconds, const ResidencyLog& log) {
  Sample sample = identity(job, cell);
  sample["prompt"] = prompt;
  add_score(sample, *job.problem, result.text);
  sample.update(Sample::parse(result.to_json()));
  sample["seconds"] = seconds;
  sample["residency"] = log.to_json();
  return sample;
}

std::string trace_path(const std::string& folder, const Job& job, const Cell& cell) {
  std::string name = job.problem->task + "-" + job.problem->id + "-" + std::to_string(job.sample) +
                     "-" + cell.policy + (cell.budget_asked.empty() ? "" : "-") + cell.budget_asked;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ':' || c == '='; }, '_');
  return (std::filesystem::path(folder) / (name + ".jsonl")).string();
}

class Evaluation {
 public:
  Evaluation(const Model& model, const EvaluationOptions& options, const PromptOf& prompt_of,
             SampleFile& samples)
      : model_(model), options_(options), prompt_of_(prompt_of), samples_(samples) {}

  // A group that was not finished runs again as a whole: who thinks beside whom changes the order
  // of sums, and a resumed evaluation must give what an unbroken one gives.
  [[nodiscard]] bool done(const std::vector<Job>& jobs, const Cell& cell) const {
    return std::all_of(jobs.begin(), jobs.end(), [&](const Job& job) {
      const Sample* sample = samples_.find(key_of(identity(job, cell)));
      if (sample == nullptr) return false;
      if ((*sample)["prompt"] != prompt_of_(*job.problem, cell.options).text) {
        throw Error(ErrorCode::bad_input, "the samples were made with another text of problem " +
                                              job.problem->id + ": name another file");
      }
      return true;
    });
  }

  void run(const std::vector<Job>& jobs, Cell& cell, Progress& progress) {
    for (const Job& job : jobs) samples_.erase(key_of(identity(job, cell)));
    std::vector<ResidencyLog> logs(jobs.size());
    std::vector<std::unique_ptr<TraceFile>> traces;
    std::vector<SessionGroup::Member> members;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const Job& job = jobs[i];
      SessionGroup::Member member{.prompt = prompt_of_(*job.problem, cell.options),
                                  .watchers = {&logs[i]}};
      member.seed = cell.options.sampling.seed + static_cast<std::uint32_t>(job.sample);
      if (!options_.traces.empty()) {
        traces.push_back(std::make_unique<TraceFile>(trace_path(options_.traces, job, cell)));
        member.watchers.push_back(traces.back().get());
      }
      members.push_back(std::move(member));
    }
    std::vector<std::string> prompts;
    for (const auto& member : members) prompts.push_back(member.prompt.text);
    SessionGroup group(model_.impl(), cell.options, std::move(members));
    cell.options.self_test = false;  // proven once
    const double seconds = think(group, progress) / static_cast<double>(jobs.size());
    std::vector<Sample> made;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const RunResult result = group.result(i);
      if (result.finish_reason == "error") {
        throw Error(ErrorCode::failed, "problem " + jobs[i].problem->id + " with " + cell.policy +
                                           ": " + result.failure);
      }
      made.push_back(make_sample(jobs[i], cell, prompts[i], result, seconds, logs[i]));
    }
    samples_.append(made);
  }

 private:
  // Seconds from the first generated token to the last.
  static double think(SessionGroup& group, Progress& progress) {
    using Clock = std::chrono::steady_clock;
    auto begin = Clock::now();
    bool reading = true;
    while (group.step()) {
      int n_generated = 0;
      for (std::size_t i = 0; i < group.size(); ++i) {
        n_generated += group.session(i).stats().n_generated;
      }
      progress.tell(std::to_string(n_generated) + " tokens");
      if (reading && n_generated > 0) {
        reading = false;
        begin = Clock::now();
      }
    }
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  const Model& model_;
  const EvaluationOptions& options_;
  const PromptOf& prompt_of_;
  SampleFile& samples_;
};

}  // namespace

Sample identity(const std::string& task, const std::string& problem, int sample, const Cell& cell) {
  return {{"task", task},
          {"problem", problem},
          {"sample", sample},
          {"policy", cell.policy},
          {"budget_asked", cell.budget_asked},
          {"heads", heads_of(cell)}};
}

void require_same_heads(const Sample& sample, const std::vector<Cell>& cells) {
  const auto found = std::find_if(cells.begin(), cells.end(), [&sample](const Cell& cell) {
    return sample["policy"] == cell.policy && sample["budget_asked"] == cell.budget_asked;
  });
  if (found == cells.end()) return;
  const Cell& cell = *found;
  const Sample ours = heads_of(cell);
  if (!sample.contains("heads")) {
    if (ours.is_null()) return;
    throw Error(ErrorCode::bad_input,
                "the samples of " + cell.policy + " do not say their heads: name another file");
  }
  const Sample& theirs = sample["heads"];
  if (theirs == ours) return;
  throw Error(ErrorCode::bad_input, "the samples of " + cell.policy +
                                        " were made with other heads (" + theirs.dump() + ", now " +
                                        ours.dump() + "): name another file");
}

RunOptions with_full_kv(RunOptions options) {
  options.policy = "full";
  options.settings = {};
  options.summaries = "none";
  return options;
}

std::vector<Cell> make_cells(const std::string& policies, const std::vector<std::string>& budgets,
                             const RunOptions& defaults) {
  std::vector<Cell> cells;
  for (const PolicySpec& spec : parse_policies(policies, defaults)) {
    const auto policy = make_policy(spec.options.policy, spec.options.settings);
    if (!policy->bounded() || spec.has_budget) {
      cells.push_back({spec.typed, "", spec.options});
      // Of no use to it; a text compares it beside the first of these.
      if (!policy->bounded()) cells.back().options.budget = parse_budget(budgets.front());
      continue;
    }
    for (const std::string& budget : budgets) {
      Cell cell{spec.typed, budget, spec.options};
      cell.options.budget = parse_budget(budget);
      cells.push_back(std::move(cell));
    }
  }
  return cells;
}

void score_anew(std::vector<Sample>& samples, const std::vector<Problem>& problems) {
  for (Sample& sample : samples) {
    if (!sample.contains("text") || !sample.contains("right")) continue;
    for (const Problem& problem : problems) {
      if (sample["task"] == problem.task && sample["problem"] == problem.id)
        add_score(sample, problem, sample["text"]);
    }
  }
}

void evaluate(const Model& model, const std::vector<Problem>& problems,
              const std::vector<Cell>& cells, const EvaluationOptions& options,
              const PromptOf& prompt_of, SampleFile& samples, std::ostream& progress) {
  std::vector<std::vector<Job>> groups;
  for (const Problem& problem : problems) {
    for (int sample = 0; sample < options.n_samples; ++sample) {
      const bool full = groups.empty() ||
                        static_cast<int>(groups.back().size()) >= options.n_parallel ||
                        groups.back().back().problem->task != problem.task;
      if (full) groups.emplace_back();
      groups.back().push_back({&problem, sample});
    }
  }
  Evaluation evaluation(model, options, prompt_of, samples);
  std::vector<Cell> rows = cells;
  Progress bar(progress, groups.size() * rows.size());
  for (const auto& jobs : groups) {
    for (Cell& cell : rows) {
      if (evaluation.done(jobs, cell)) {
        bar.skip();
        continue;
      }
      std::string what = jobs.front().problem->task + " " + jobs.front().problem->id;
      if (jobs.size() > 1) what += " to " + jobs.back().problem->id;
      bar.begin(what + ", " + cell.policy + " " + cell.budget_asked);
      evaluation.run(jobs, cell, bar);
      bar.end();
    }
  }
  bar.finish();
}

}  // namespace zoomr
