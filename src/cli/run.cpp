#include "cli/run.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/heads.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "engine/summaries.h"
#include "llama/model.h"

namespace zoomr {

namespace {

std::atomic<Run*> g_running{nullptr};

// The first Ctrl-C ends the run cleanly, with its final record; the second one kills.
void on_interrupt(int signal) {
  if (Run* run = g_running.load()) run->interrupt();
  std::signal(signal, SIG_DFL);
}

class InterruptGuard {
 public:
  explicit InterruptGuard(Run& run) {
    g_running.store(&run);
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
  }
  ~InterruptGuard() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    g_running.store(nullptr);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

std::string read_all(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// nlohmann's parser knows exactly what valid UTF-8 is; a JSON string of the text is its test.
void require_utf8(const std::string& text, const char* what) {
  try {
    (void)nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::bad_input, std::string(what) + " is not valid UTF-8");
  }
}

std::string user_text(const RunCommand& command) {
  std::string text = command.prompt;
  if (!command.prompt_file.empty()) text = read_file(command.prompt_file, "the prompt");
  if (command.prompt.empty() && command.prompt_file.empty()) {
    if (isatty(STDIN_FILENO) != 0) {
      throw Error(ErrorCode::bad_input, "no prompt: give -p TEXT, -f FILE or text on stdin");
    }
    text = read_all(std::cin);
  }
  require_utf8(text, "the prompt");
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(ErrorCode::bad_input, "the prompt is empty");
  }
  return text;
}

std::string system_text(const RunCommand& command) {
  std::string text = command.system;
  if (!command.system_file.empty()) text = read_file(command.system_file, "the system prompt");
  require_utf8(text, "the system prompt");
  return with_summary_request(text, command.run);
}

// A thinking model's schema becomes its template's grammar, which lets it think first (and set the
// answer in a code block, as llama.cpp's server does); without thinking the reply is the JSON
// alone.
Prompt make_prompt(RunCommand& command, const Model& model) {
  const std::string text = user_text(command);
  const std::string system = system_text(command);
  if (command.raw) return {.text = system + text, .add_special = true};
  const ChatTemplate chat = make_template(model, command.chat);
  ChatTemplate::Options options;
  options.reasoning_format = command.chat.reasoning_format;
  options.kwargs = template_kwargs(command.chat);
  options.json_schema = command.json_schema;
  const ChatTemplate::Rendered rendered = chat.apply(first_turn(system, text), options);
  if (!rendered.grammar.empty() && !rendered.think_begin.empty()) {
    command.run.sampling.grammar = rendered.grammar;
    command.run.sampling.grammar_prefill = rendered.generation_prompt;
  }
  return as_prompt(rendered);
}

// What the reply's last line tells; notes of the run (a delimiter fault, the trained length) too.
class Notes final : public TraceSink {
 public:
  void write(const TraceEvent& event) override {
    if (const auto* note = std::get_if<NoteEvent>(&event)) last_ = note->text;
  }
  [[nodiscard]] const std::string& last() const { return last_; }

 private:
  std::string last_;
};

void print_speed(const RunResult& result) {
  char missed[64] = "";
  if (result.missed_mass >= 0) {
    std::snprintf(missed, sizeof missed, "missed %.1f %% | ", 100 * result.missed_mass);
  }
  std::fprintf(stderr,
               "[ prompt %d tokens, %.1f t/s | generation %d tokens, %.1f t/s | resident %d peak | "
               "zooms %d in, %d out | %s%s ]\n",
               result.n_prompt, result.prompt_tokens_per_second, result.n_generated,
               result.tokens_per_second, result.peak_resident_tokens, result.zoom_ins,
               result.zoom_outs, missed, result.finish_reason.c_str());
}

}  // namespace

void add_flags(CLI::App& app, RunCommand& c) {
  app.add_option("-p,--prompt", c.prompt, "The prompt; also -f FILE or stdin")->group("Prompt");
  app.add_option("-f,--file", c.prompt_file, "File of the prompt")->group("Prompt");
  app.add_option("--system-prompt", c.system, "System message (-sys)")->group("Prompt");
  app.add_option("--system-prompt-file", c.system_file, "Its file (-sysf)")->group("Prompt");
  app.add_option("-n,--predict,--n-predict", c.run.n_predict, "Most generated tokens; -1: no limit")
      ->envname("LLAMA_ARG_N_PREDICT")
      ->group("Prompt");
  app.add_flag("--raw", c.raw, "The prompt as it is, without the chat template")->group("Prompt");
  app.add_flag_callback(
         "--jinja,--single-turn,--no-display-prompt", [] {}, "Accepted: that is how it works here")
      ->group("Prompt");
  add_template_flags(app, c.chat);
  add_schema_flags(app, c.json_schema);
  app.add_flag("--json", c.json, "One JSON object on stdout, all else on stderr")->group("Output");
  app.add_flag("--show-summaries", c.show_summaries, "Print injected summaries too")
      ->group("Output");
  app.add_option("--trace", c.run.trace, "Write what happened, token by token (docs/trace.md)")
      ->group("Output");
  add_policy_flags(app, c.run);
  add_model_flags(app, c.model);
  add_context_flags(app, c.run);
  add_sampling_flags(app, c.run.sampling);
}

int run_command(RunCommand& command) {
  settle(command.run);
  if (!command.json_schema.empty()) {
    // Also the check of the schema, before the model is loaded.
    command.run.sampling.grammar = json_schema_to_grammar(command.json_schema);
  }
  (void)make_policy(command.run.policy, {.select = command.run.settings.select,
                                         .summaries = command.run.summaries != "none"});
  const Model model(command.model);
  settle_heads(model.impl(), command.run, tell);
  const Prompt prompt = make_prompt(command, model);

  const bool live = !command.json && isatty(STDOUT_FILENO) != 0;
  Notes notes;
  std::vector<TraceSink*> watchers = {&notes};
  std::unique_ptr<TerminalView> terminal;
  std::unique_ptr<PlainText> plain;
  if (live) {
    terminal = std::make_unique<TerminalView>(std::cout, command.show_summaries);
    watchers.push_back(terminal.get());
  } else if (!command.json) {
    plain = std::make_unique<PlainText>(std::cout, command.show_summaries);
    watchers.push_back(plain.get());
  }

  Run run(model, command.run, prompt, watchers);
  {
    const InterruptGuard guard(run);
    while (run.step()) {
    }
  }
  const RunResult result = run.result();
  if (terminal) {
    terminal->close();
    std::cout << result.text << '\n';
  } else if (plain) {
    std::cout << '\n';
  } else {
    std::cout << result.to_json() << '\n';
  }
  std::cout.flush();
  if (!notes.last().empty()) std::fprintf(stderr, "zoomr: %s\n", notes.last().c_str());
  print_speed(result);
  return result.finish_reason == "error" ? 1 : 0;
}

}  // namespace zoomr
