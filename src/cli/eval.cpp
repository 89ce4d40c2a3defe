#include "cli/eval.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "api/heads.h"
#include "api/select_file.h"
#include "chat/chat_template.h"
#include "cli/options.h"
#include "core/check.h"
#include "engine/run_settings.h"
#include "engine/summaries.h"
#include "eval/evaluation.h"
#include "eval/record.h"
#include "eval/report.h"
#include "eval/table.h"
#include "eval/text_task.h"
#include "llama/model.h"

namespace zoomr {

namespace {

// What a long answer of the model itself is about: names and numbers that come back.
constexpr const char* kOwnPrompt =
    "Write a very long story in many chapters about a harbour town: six families with their names, "
    "boats, debts and dates, a market with its prices, a storm, and a law case in which all these "
    "facts are told again by different people. Keep every name and number consistent. Do not stop "
    "early.";
constexpr int kOwnTokens = 3000;
constexpr int kAnswerTokens = 1400;
constexpr std::uint32_t kRandomSeed = 0xFFFFFFFF;

struct Tasks {
  std::vector<Problem> problems;
  std::vector<std::string> texts;  // files to be taught
  bool own_text = false;
};

// A file that is no .jsonl is a text.
bool is_text_file(const std::string& name) {
  const std::filesystem::path path(name);
  return path.extension() != ".jsonl" &&
         (name.find('/') != std::string::npos || std::filesystem::is_regular_file(path));
}

Tasks load_tasks(const EvalCommand& command) {
  Tasks tasks;
  std::map<std::string, std::string> claimed;  // rows are named by tasks
  const auto claim = [&claimed](const std::string& task, const std::string& by) {
    const auto [it, is_new] = claimed.try_emplace(task, by);
    if (!is_new) {
      throw Error(ErrorCode::bad_input,
                  "--task: " + it->second + " and " + by + " are both called " + task);
    }
  };
  for (const std::string& name : command.tasks) {
    if (name == "text") {
      tasks.own_text = true;
    } else if (is_text_file(name)) {
      claim("text " + std::filesystem::path(name).filename().string(), name);
      tasks.texts.push_back(name);
    } else {
      std::vector<Problem> more = load_task(name);
      claim(more.front().task, name);
      if (command.n_problems >= 0)
        more.resize(std::min(more.size(), static_cast<std::size_t>(command.n_problems)));
      tasks.problems.insert(tasks.problems.end(), more.begin(), more.end());
    }
  }
  return tasks;
}

void check_command(const EvalCommand& command) {
  require(command.n_samples >= 1, "--samples must be at least 1");
  require(command.n_parallel >= 1 && command.n_parallel <= 64, "-np is between 1 and 64");
  require(command.n_problems != 0, "--problems must be at least 1");
  require(!command.resume || !command.samples_out.empty(), "--resume needs --samples-out");
  // Before hours of work, not after.
  if (!command.report.empty() && !std::ofstream(command.report, std::ios::app)) {
    throw Error(ErrorCode::bad_input, "cannot write the report " + command.report);
  }
}

// What must not differ between the parts of one evaluation. What a policy's own settings change is
// in its name as typed.
nlohmann::ordered_json settings_of(const EvalCommand& command, const Model& model) {
  nlohmann::ordered_json settings = {{"model", model.impl().description()},
                                     {"zoomr", std::string(version())},
                                     {"llama", std::string(llama_version())},
                                     {"parallel", command.n_parallel}};
  settings.update(run_settings(command.run));
  settings.erase("policy");
  auto loras = nlohmann::ordered_json::array();
  for (const LoraOptions& lora : command.model.loras) loras.push_back({lora.path, lora.scale});
  settings["lora"] = loras;
  settings["override-kv"] = command.model.kv_overrides;
  return settings;
}

// What zoomr tune kept may change between the parts: the values are named, not only the file.
void add_tuned(nlohmann::ordered_json& settings, const std::vector<Cell>& cells) {
  for (const Cell& cell : cells) {
    const std::string& config = cell.options.select_config;
    if (config == "auto" || config == "none") continue;
    settings["select-config"] = selection_json(cell.options.settings);
    return;
  }
}

// One row holds what was made alike.
void require_alike(const std::vector<Sample>& samples) {
  std::map<std::string, const Sample*> first;  // of a row
  std::set<std::string> keys;
  for (const Sample& sample : samples) {
    const std::string row =
        sample["task"].dump() + sample["policy"].dump() + sample["budget_asked"].dump();
    const auto [it, is_new] = first.try_emplace(row, &sample);
    const Sample& earlier = *it->second;
    const auto differs = [&](const char* name) {
      return earlier.value(name, Sample()) != sample.value(name, Sample());
    };
    if (!is_new && (differs("settings") || differs("heads"))) {
      throw Error(ErrorCode::bad_input, "samples of " + row +
                                            " were made under other settings: "
                                            "show them apart");
    }
    if (!keys.insert(key_of(sample)).second) {
      throw Error(ErrorCode::bad_input, "a sample is there twice: " + key_of(sample));
    }
  }
}

void show(const std::vector<Sample>& samples, const std::string& report, std::ostream& out) {
  const std::vector<Row> rows = make_rows(samples);
  print(answers_table(rows), out);
  print(texts_table(samples), out);
  if (!report.empty()) write_report(report, samples, rows);
}

// Their heads, and each thing to say of them once.
void settle_cells(const Model& model, std::vector<Cell>& cells) {
  std::set<std::string> told;
  for (Cell& cell : cells) {
    settle_heads(model.impl(), cell.options, [&told](const std::string& line) {
      if (told.insert(line).second) tell(line);
    });
  }
}

}  // namespace

void add_flags(CLI::App& app, EvalCommand& e) {
  app.add_option(
         "--task", e.tasks,
         "Problems: chain, late, recall, gsm, text, a .jsonl file, or a text file to be read")
      ->delimiter(',')
      ->group("Evaluation");
  app.add_option("--policy", e.policies,
                 "Policies with settings, e.g. full:ctk=q8_0:ctv=q8_0,zoomr:select=paper")
      ->envname("ZOOMR_POLICY")
      ->group("Evaluation");
  app.add_option("--budget", e.budgets, "Most resident tokens of a session; +N: beyond the prompt")
      ->delimiter(',')
      ->envname("ZOOMR_BUDGET")
      ->group("Evaluation");
  app.add_option("-n,--predict,--n-predict", e.run.n_predict,
                 "Most tokens of an answer; -1: 1400, of the model's own long text 3000")
      ->envname("LLAMA_ARG_N_PREDICT")
      ->group("Evaluation");
  app.add_option("--problems", e.n_problems, "Problems of each task; -1: all")->group("Evaluation");
  app.add_option("--samples", e.n_samples, "Replies to each problem")->group("Evaluation");
  app.add_option("--parallel", e.n_parallel, "Problems that think side by side (-np)")
      ->group("Evaluation");
  app.add_option("--samples-out", e.samples_out, "File of the samples, JSON Lines")
      ->group("Evaluation");
  app.add_flag("--resume", e.resume, "Go on with the samples that the file has")
      ->group("Evaluation");
  app.add_option("--traces", e.traces, "Folder for a trace of each sample")->group("Evaluation");
  app.add_option("--report", e.report, "HTML file with plots and every sample")
      ->group("Evaluation");
  app.add_option("--show", e.show, "Files of samples: table and report of these; nothing runs")
      ->delimiter(',')
      ->group("Evaluation");
  app.add_option("--record", e.record,
                 "Folder: record queries and keys of the first problem with full KV, and end")
      ->group("Evaluation");
  app.add_option("--record-heads", e.record_heads, "Query heads: all, or LAYER.HEAD,...")
      ->group("Evaluation");
  add_thinking_flags(app, e.run);
  add_model_flags(app, e.model);
  add_context_flags(app, e.run);
  add_sampling_flags(app, e.run.sampling);
  add_schema_flags(app, e.json_schema);
}

int eval_command(EvalCommand& command, std::ostream& out, std::ostream& progress) {
  check_command(command);
  if (!command.show.empty()) {
    std::vector<Sample> samples;
    for (const std::string& path : command.show) {
      for (Sample& sample : read_samples(path)) samples.push_back(std::move(sample));
    }
    require_alike(samples);
    score_anew(samples, load_tasks(command).problems);
    show(samples, command.report, out);
    return 0;
  }
  if (!command.json_schema.empty()) {
    command.run.sampling.grammar = json_schema_to_grammar(command.json_schema);
  }
  const int n_taught = command.run.n_predict;
  if (command.run.sampling.seed == kRandomSeed) command.run.sampling.seed = std::random_device{}();
  if (n_taught < 0) command.run.n_predict = kAnswerTokens;
  std::vector<Cell> cells = make_cells(command.policies, command.budgets, command.run);
  const Tasks tasks = load_tasks(command);
  const Model model(command.model);
  if (command.record.empty()) settle_cells(model, cells);
  const ChatTemplate chat(model.impl().get(), "");
  const PromptOf prompt_of = [&chat](const Problem& problem, const RunOptions& options) {
    const std::string system = with_summary_request(problem.system, options);
    return as_prompt(chat.apply(first_turn(system, problem.prompt), {}));
  };
  if (!command.record.empty()) {
    if (tasks.problems.empty()) throw Error(ErrorCode::bad_input, "--record needs a problem");
    const Problem& problem = tasks.problems.front();
    record(model, problem, prompt_of(problem, command.run), command.run,
           parse_heads(command.record_heads), command.record);
    return 0;
  }
  if (!command.traces.empty()) std::filesystem::create_directories(command.traces);

  nlohmann::ordered_json settings = settings_of(command, model);
  add_tuned(settings, cells);
  settings["predict"] = n_taught;  // -1 is another length for texts than for answers
  SampleFile samples(command.samples_out, command.resume, settings);
  for (const Sample& sample : samples.samples()) require_same_heads(sample, cells);
  evaluate(
      model, tasks.problems, cells,
      {.n_samples = command.n_samples, .n_parallel = command.n_parallel, .traces = command.traces},
      prompt_of, samples, progress);
  if (tasks.own_text) {
    const Problem own{.task = "text", .id = "own", .prompt = kOwnPrompt, .answer = {}};
    evaluate_text(model,
                  own_answer(model, prompt_of(own, command.run), command.run,
                             n_taught > 0 ? n_taught : kOwnTokens),
                  cells, samples, progress);
  }
  for (const std::string& path : tasks.texts) {
    evaluate_text(model, text_of_file(model, path, n_taught), cells, samples, progress);
  }

  show(samples.samples(), command.report, out);
  return 0;
}

}  // namespace zoomr
