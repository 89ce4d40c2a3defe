#include "cli/serve.h"

#include <semaphore.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>

#include "api/policy_spec.h"
#include "api/preparation.h"
#include "cli/options.h"
#include "core/check.h"
#include "engine/summaries.h"
#include "http/access.h"
#include "llama/model.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace zoomr {

namespace {

sem_t g_signalled;

void on_signal(int signal) {
  sem_post(&g_signalled);
  std::signal(signal, SIG_DFL);
}

void listen_to_signals() {
  sem_init(&g_signalled, 0, 0);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

void wait_for_signal() {
  while (sem_wait(&g_signalled) != 0) {  // EINTR
  }
}

// The server in a thread of its own, from before there is a model until the end.
class Serving {
 public:
  explicit Serving(HttpServer& server)
      : server_(server), done_(std::async(std::launch::async, [&server] { server.serve(); })) {}
  ~Serving() {
    server_.stop();
    done_.wait();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

 private:
  HttpServer& server_;
  std::future<void> done_;
};

Pos session_budget(const std::string& text) {
  const Budget budget = parse_budget(text);
  require(!budget.beyond_prompt,
          "--budget of a server is the whole of a session's memory: a number without +");
  return budget.tokens;
}

ServerOptions server_options(const ServeCommand& command) {
  ServerOptions options = command.http;
  options.api_keys = command.keys;
  if (!command.key_file.empty()) {
    for (std::string& key : read_keys(command.key_file)) options.api_keys.push_back(std::move(key));
  }
  std::string& prefix = options.api_prefix;
  if (prefix.ends_with('/')) prefix.pop_back();
  require(prefix.empty() || prefix.starts_with('/'), "--api-prefix begins with /");
  return options;
}

std::string model_name(const ServeCommand& command, const LlamaModel& model) {
  if (!command.alias.empty()) return command.alias;
  return std::filesystem::path(model.options().path).stem().string();
}

ServerContext server_context(const ServeCommand& command, const LlamaModel& model,
                             const ChatTemplate& chat) {
  const RunOptions& run = command.service.run;
  ServerContext context;
  context.vocabulary = &model;
  context.chat = &chat;
  context.model = model_name(command, model);
  context.model_path = model.options().path;
  context.build = "zoomr-" + std::string(version()) + "-llama.cpp-" + std::string(llama_version());
  context.model_meta = {{"n_vocab", model.n_tokens()},
                        {"n_ctx_train", model.n_ctx_train()},
                        {"n_params", model.n_params()},
                        {"size", model.size_bytes()}};
  context.created = std::time(nullptr);
  context.sampling = run.sampling;
  context.n_predict = run.n_predict;
  context.budget = command.service.budget;
  context.n_ctx = most_positions(model, run);
  context.n_parallel = command.service.n_parallel;
  context.reasoning_format = command.chat.reasoning_format;
  context.template_kwargs = template_kwargs(command.chat);
  context.system_suffix = with_summary_request("", run);
  context.ping_seconds = command.ping_seconds;
  return context;
}

std::string address(const ServerOptions& options, int port) {
  const bool v6 = options.host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(port) +
         options.api_prefix;
}

void add_http_flags(CLI::App& app, ServeCommand& c) {
  const std::string group = "Server";
  app.add_option("--host", c.http.host, "Address to listen on")
      ->envname("LLAMA_ARG_HOST")
      ->group(group);
  app.add_option("--port", c.http.port, "Port; 0: any free one, which is printed")
      ->check(CLI::Range(0, 65535))
      ->envname("LLAMA_ARG_PORT")
      ->group(group);
  app.add_option("--api-key", c.keys, "Key that requests must bring; commas between several")
      ->delimiter(',')
      ->envname("LLAMA_API_KEY")
      ->group(group);
  app.add_option("--api-key-file", c.key_file, "File of keys, one a line")
      ->envname("LLAMA_ARG_API_KEY_FILE")
      ->group(group);
  app.add_option("--api-prefix", c.http.api_prefix, "Before every path, e.g. /llm")
      ->envname("LLAMA_ARG_API_PREFIX")
      ->group(group);
  app.add_option("--cors-origins", c.http.cors_origins,
                 "Pages that may ask: origins between commas, * or localhost")
      ->envname("LLAMA_ARG_CORS_ORIGINS")
      ->group(group);
  app.add_option("--timeout", c.http.timeout_seconds,
                 "Seconds until a client that neither reads nor writes is left (-to)")
      ->check(CLI::Range(1, 86400))
      ->envname("LLAMA_ARG_TIMEOUT")
      ->group(group);
  app.add_option("--sse-ping-interval", c.ping_seconds,
                 "Seconds between signs of life in a silent stream; 0: none")
      ->envname("LLAMA_ARG_SSE_PING_INTERVAL")
      ->group(group);
  app.add_option("-a,--alias", c.alias, "Name of the model in replies; default: the file's")
      ->envname("LLAMA_ARG_ALIAS")
      ->group(group);
  app.add_flag("--slots,!--no-slots", c.http.slots, "GET /slots (on)")
      ->envname("LLAMA_ARG_ENDPOINT_SLOTS")
      ->group(group);
  app.add_flag("--metrics,!--no-metrics", c.http.metrics, "GET /metrics (on)")
      ->envname("LLAMA_ARG_ENDPOINT_METRICS")
      ->group(group);
  app.add_flag_callback(
         "--props,--jinja,--cont-batching,--no-webui", [] {}, "Accepted: that is how it works here")
      ->group(group);
  app.add_option("--drain-timeout", c.drain_seconds,
                 "At SIGTERM: seconds for running replies, which then end as interrupted")
      ->check(CLI::Range(0, 86400))
      ->envname("ZOOMR_DRAIN_TIMEOUT")
      ->group(group);
}

void add_memory_flags(CLI::App& app, ServeCommand& c) {
  const std::string group = "Memory";
  ServeOptions& s = c.service;
  app.add_option("--parallel", s.n_parallel, "Conversations that have a place at a time (-np)")
      ->envname("LLAMA_ARG_N_PARALLEL")
      ->group(group);
  app.add_option("--budget", c.budget, "Most resident tokens of a conversation, prompt included")
      ->envname("ZOOMR_BUDGET")
      ->group(group);
  app.add_option("--kv-total", s.kv_total,
                 "Resident tokens of all conversations together; 0: budgets of all places")
      ->envname("ZOOMR_KV_TOTAL")
      ->group(group);
  app.add_option("--queue", s.queue, "Requests that may wait; more get 503")
      ->envname("ZOOMR_QUEUE")
      ->group(group);
  app.add_flag("--strict-turns", s.strict_turns,
               "Read a conversation again unless its next turn has the very tokens that are kept")
      ->envname("ZOOMR_STRICT_TURNS")
      ->group(group);
  add_policy_flag(app, s.run.policy);
  add_thinking_flags(app, s.run);
}

// Each of glibc's arenas keeps what its threads once needed, and a server has many threads: half an
// hour of 16 clients took 60 MiB that way.
void keep_few_arenas() {
#if defined(__GLIBC__)
  mallopt(M_ARENA_MAX, 2);
#endif
}

}  // namespace

void add_flags(CLI::App& app, ServeCommand& c) {
  add_http_flags(app, c);
  add_memory_flags(app, c);
  app.add_option("-n,--predict,--n-predict", c.service.run.n_predict,
                 "Most generated tokens of a reply, unless its request says; -1: no limit")
      ->envname("LLAMA_ARG_N_PREDICT")
      ->group("Prompt");
  add_template_flags(app, c.chat);
  add_model_flags(app, c.model);
  add_context_flags(app, c.service.run);
  add_sampling_flags(app, c.service.run.sampling);
}

int serve_command(ServeCommand& command, std::ostream& out) {
  keep_few_arenas();
  settle(command.service.run);
  command.service.budget = session_budget(command.budget);
  const ServerOptions options = server_options(command);
  HttpServer server(options);
  const int port = server.bind();
  // Destroyed from below: the server's thread ends before what it answers from.
  std::unique_ptr<Model> model;
  std::unique_ptr<ChatTemplate> chat;
  std::unique_ptr<Service> service;
  ServerContext context;
  Serving serving(server);

  model = std::make_unique<Model>(command.model);
  chat = std::make_unique<ChatTemplate>(make_template(*model, command.chat));
  context = server_context(command, model->impl(), *chat);
  service = make_service(model->impl(), command.service, tell);
  listen_to_signals();
  server.ready(context, *service);
  out << "zoomr: listening on " << address(options, port) << std::endl;

  wait_for_signal();
  tell("finishing what runs (at most " + std::to_string(command.drain_seconds) + " s)");
  service->drain(std::chrono::seconds(command.drain_seconds));
  return 0;
}

}  // namespace zoomr
