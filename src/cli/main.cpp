// The program: commands, flags, and one line for every error.
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/bench.h"
#include "cli/check.h"
#include "cli/eval.h"
#include "cli/heads.h"
#include "cli/inspect.h"
#include "cli/models_command.h"
#include "cli/options.h"
#include "cli/redecode.h"
#include "cli/replay.h"
#include "cli/run.h"
#include "cli/serve.h"
#include "cli/terminal.h"
#include "cli/tune.h"
#include "llama/log.h"

namespace {

using zoomr::Error;

struct LogOptions {
  bool verbose = false;
  int level = 1;
  std::string file;
};

void set_up_log(const LogOptions& options) {
  auto logger = options.file.empty() ? spdlog::stderr_logger_mt("zoomr")
                                     : spdlog::basic_logger_mt("zoomr", options.file, true);
  logger->set_pattern("%^%l%$ %v");
  logger->set_level(options.verbose || options.level >= 3 ? spdlog::level::debug
                    : options.level == 2                  ? spdlog::level::info
                                                          : spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
  zoomr::route_llama_log();
}

void add_log_flags(CLI::App& app, LogOptions& log) {
  app.add_flag("-v,--verbose", log.verbose, "Log llama.cpp's messages too")->group("Log");
  app.add_option("--log-verbosity", log.level, "0 to 3 (-lv)")->group("Log");
  app.add_option("--log-file", log.file, "Log to a file instead of stderr")->group("Log");
}

CLI::App* add_replay(CLI::App& app, zoomr::ReplayOptions& r, zoomr::RedecodeCommand& m) {
  CLI::App* replay = app.add_subcommand(
      "replay",
      "Show a trace: the thought tree, and its checks. With -m it is decoded again on its model: "
      "does the model say this?");
  replay->add_option("trace", r.path, "File written by run --trace")->required();
  CLI::Option* at =
      replay->add_option("--at", r.at, "The moment at which this position was decoded");
  CLI::Option* lines = replay->add_flag("--lines", r.lines, "Show the lines inside segments");
  replay->add_flag("--json", r.json, "Print the state, or what the model says, as JSON");
  replay->add_flag("--ascii", r.ascii, "Draw with ASCII only");
  zoomr::add_model_flags(*replay, m.model);
  // A model that is set for other commands does not make this one decode.
  replay->get_option("--model")->envname("")->excludes(at)->excludes(lines);
  replay->add_option("-t,--threads", m.threads, "Threads for decoding; 0: all cores")
      ->group("Context");
  return replay;
}

int dispatch(CLI::App& app, int argc, char** argv) {
  LogOptions log;
  zoomr::RunCommand run_options;
  zoomr::BenchOptions bench_options;
  zoomr::ModelOptions bench_model;
  zoomr::EvalCommand eval_options;
  // Comparisons repeat: no dice, unless asked for.
  eval_options.run.sampling.temp = 0;
  eval_options.run.sampling.seed = 1;
  zoomr::ServeCommand serve_options;
  zoomr::ReplayOptions replay_options;
  zoomr::RedecodeCommand redecode_options;
  zoomr::InspectOptions inspect_options;
  zoomr::TuneCommand tune_options;
  zoomr::CheckCommand check_options;
  zoomr::HeadsCommand heads_options;
  std::string memory;
  bool models_json = false;

  CLI::App* run = app.add_subcommand("run", "Answer one prompt in a fixed KV memory");
  add_flags(*run, run_options);
  add_log_flags(*run, log);
  CLI::App* serve = app.add_subcommand(
      "serve", "Answer over HTTP as llama-server does: many conversations in one KV memory");
  add_flags(*serve, serve_options);
  add_log_flags(*serve, log);
  CLI::App* bench = app.add_subcommand("bench", "Measure speed and memory at depth, by policy");
  add_flags(*bench, bench_model, bench_options);
  add_log_flags(*bench, log);
  CLI::App* eval = app.add_subcommand(
      "eval", "Do answers suffer? Policies on the same problems at equal memory");
  add_flags(*eval, eval_options);
  add_log_flags(*eval, log);
  CLI::App* replay = add_replay(app, replay_options, redecode_options);
  add_log_flags(*replay, log);
  CLI::App* inspect = app.add_subcommand("inspect", "What a model is, and what memory it needs");
  inspect->add_option("model", inspect_options.path, "GGUF file or known name")->required();
  inspect->add_option("--memory", memory, "What budget fits, e.g. 8G");
  inspect->add_flag("--json", inspect_options.json, "Print JSON");
  add_log_flags(*inspect, log);
  CLI::App* check = app.add_subcommand("check", "How small may this model's memory be?");
  add_flags(*check, check_options);
  add_log_flags(*check, log);
  CLI::App* tune = app.add_subcommand(
      "tune", "Which settings of --select retrieval suit a model: recordings replayed");
  add_flags(*tune, tune_options);
  CLI::App* heads = app.add_subcommand("heads", "Which heads of a model look things up");
  add_flags(*heads, heads_options);
  add_log_flags(*heads, log);
  CLI::App* models = app.add_subcommand("models", "Known models, and which are here");
  models->add_flag("--json", models_json, "Print JSON");

  // CLI11 reads the environment of every command, but of one that is told when it is parsed only
  // then: a variable that another command cannot read is no error of this one.
  // Not where a flag of the program's own stands first: help must not ask for arguments.
  if (argc > 1 && argv[1][0] != '-') {
    for (CLI::App* command : app.get_subcommands({})) command->parse_complete_callback([] {});
  }
  std::vector<std::string> args = zoomr::with_long_names({argv + 1, argv + argc});
  std::reverse(args.begin(), args.end());  // CLI11 takes them from the back
  app.parse(args);
  set_up_log(log);

  if (*run) return zoomr::run_command(run_options);
  if (*serve) return zoomr::serve_command(serve_options, std::cout);
  if (*bench) {
    zoomr::settle(bench_options.run);
    return zoomr::bench_command(bench_model, bench_options, std::cout, std::cerr);
  }
  if (*eval) {
    zoomr::settle(eval_options.run);
    return zoomr::eval_command(eval_options, std::cout, std::cerr);
  }
  if (*replay && !redecode_options.model.path.empty()) {
    redecode_options.path = replay_options.path;
    redecode_options.json = replay_options.json;
    return zoomr::redecode_command(redecode_options, std::cout, std::cerr);
  }
  if (*replay) {
    replay_options.color = isatty(STDOUT_FILENO) != 0;
    replay_options.width = zoomr::terminal_size().columns;
    return zoomr::replay_command(replay_options, std::cout, std::cerr);
  }
  if (*inspect) {
    if (!memory.empty()) inspect_options.memory_bytes = zoomr::parse_bytes(memory);
    return zoomr::inspect_command(inspect_options, std::cout);
  }
  if (*check) {
    zoomr::settle(check_options.run);
    return zoomr::check_command(check_options, std::cout, std::cerr);
  }
  if (*tune) return zoomr::tune_command(tune_options, std::cout);
  if (*heads) {
    zoomr::settle(heads_options.run);
    return zoomr::heads_command(heads_options, std::cout);
  }
  if (*models) return zoomr::models_command(models_json, std::cout);
  std::cout << app.help();
  return 0;
}

// Blobs of half a megabyte come and go: the heap keeps what they leave instead of asking the kernel
// for fresh pages each time, which costs more than a zoom.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  CLI::App app("ZoomR: long reasoning in a fixed KV memory");
  app.name("zoomr");
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", "zoomr " + std::string(zoomr::version()) + " (llama.cpp " +
                                        std::string(zoomr::llama_version()) + ")");
  app.require_subcommand(0, 1);
  try {
    return dispatch(app, argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::cerr << "zoomr: " << e.what() << " (zoomr --help)\n";
    return 2;
  } catch (const Error& e) {
    std::cerr << "zoomr: " << e.what() << '\n';
    return zoomr::exit_code(e.code());
  } catch (const std::exception& e) {
    std::cerr << "zoomr: " << e.what() << '\n';
    return 1;
  }
}
