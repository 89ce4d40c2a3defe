#include "cli/redecode.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/replay.h"
#include "core/columns.h"
#include "engine/run_settings.h"
#include "eval/redecode.h"
#include "llama/llama_kv.h"
#include "llama/model.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

// Adapters and overrides change the weights: the trace's are taken unless others are given.
void take_weights(const Json& settings, ModelOptions& model) {
  const auto loras = settings.find("lora");
  const auto overrides = settings.find("override-kv");
  try {
    if (model.loras.empty() && loras != settings.end()) {
      for (const Json& lora : *loras) {
        model.loras.push_back({lora.at(0).get<std::string>(), lora.at(1).get<float>()});
      }
    }
    if (model.kv_overrides.empty() && overrides != settings.end()) {
      overrides->get_to(model.kv_overrides);
    }
  } catch (const Json::exception&) {
    throw Error(ErrorCode::bad_input, "the trace's 'lora' or 'override-kv' is of another type");
  }
}

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

void print_json(const RunEvent& run, const Redecoded& r, std::ostream& out) {
  const Json json = {{"model", run.model},
                     {"policy", run.policy},
                     {"turns", r.n_turns},
                     {"decoded", r.n_decoded},
                     {"moves", r.n_moves},
                     {"judged", r.n_judged},
                     {"not_largest", r.n_not_largest},
                     {"mean_gap", r.mean_gap},
                     {"largest_gap", r.largest_gap},
                     {"noise", r.noise},
                     {"ok", r.ok()}};
  out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void print_text(const RunEvent& run, const Redecoded& r, std::ostream& out) {
  out << one_line(run.model) << " | " << one_line(run.policy) << " | " << r.n_turns
      << (r.n_turns == 1 ? " turn\n" : " turns\n");
  out << r.n_decoded << " tokens decoded again, " << r.n_moves << " moves\n";
  if (r.n_judged == 0) {
    out << "no token was sampled as the largest logit (temperature 0): none is judged\n";
    return;
  }
  out << r.n_judged << " tokens judged, " << r.n_not_largest << " not the largest logit | gap mean "
      << digits(r.mean_gap) << ", largest " << digits(r.largest_gap) << " | noise "
      << digits(r.noise) << '\n';
}

}  // namespace

int redecode_command(RedecodeCommand command, std::ostream& out, std::ostream& err) {
  const std::vector<TraceEvent> trace = read_trace(command.path);
  const auto& run = std::get<RunEvent>(trace.front());  // a trace that is true begins so
  RunOptions options;
  options.context = context_options(run.options);
  options.context.threads = command.threads;
  settle(options);
  take_weights(run.options, command.model);
  const Model loaded(command.model);
  const LlamaModel& model = loaded.impl();
  if (model.description() != run.model) {
    throw Error(ErrorCode::bad_input, command.path + " is the trace of another model: " +
                                          one_line(run.model) + ", not " + model.description());
  }
  const RedecodeCells cells = redecode_cells(trace);
  // Under a policy that keeps all nothing moves, and the windowed layers' small cache would do as
  // well; the full one is right for all.
  LlamaKv first(model, {.n_cells = cells.first, .context = options.context});
  LlamaKv second(model, {.n_cells = cells.second, .n_sessions = 2, .context = options.context});
  const Redecoded result = redecode(trace, model, first, second);
  command.json ? print_json(run, result, out) : print_text(run, result, out);
  if (result.ok()) return 0;
  err << "zoomr: " << command.path << ": the model does not say this: token " << result.worst
      << " lies " << digits(result.largest_gap)
      << " below the largest logit, and rounding explains " << digits(2 * result.noise) << '\n';
  return 1;
}

}  // namespace zoomr
