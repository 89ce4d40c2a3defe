// zoomr serve: an HTTP server that llama-server's clients can use.
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "cli/template_flags.h"
#include "http/server.h"
#include "serve/make_service.h"
#include "zoomr/zoomr.h"

namespace zoomr {

struct ServeCommand {
  ModelOptions model;
  ServeOptions service;
  ServerOptions http;
  TemplateOptions chat;
  std::string budget = "2048";    // absolute tokens
  std::string alias;              // "": the file's name
  std::vector<std::string> keys;  // --api-key
  std::string key_file;           // one key a line
  int drain_seconds = 30;
  int ping_seconds = 30;
};

// The flags of the command, read into c.
void add_flags(CLI::App& app, ServeCommand& c);

// Serves until SIGINT or SIGTERM, then drains; the second signal kills. Writes the address to `out`
// once requests are answered. Returns the exit code; throws Error.
int serve_command(ServeCommand& command, std::ostream& out);

}  // namespace zoomr
