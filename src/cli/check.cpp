#include "cli/check.h"

#include <cstdio>

#include "api/heads.h"
#include "cli/options.h"
#include "eval/model_check.h"

namespace zoomr {

namespace {

std::string percent(double share) {
  if (share < 0) return "-";
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

void print(const ModelCheck& check, std::ostream& out) {
  out << check.model << ", " << check.n_tokens << " tokens, " << check.n_facts
      << " facts told again\n\n  budget    recalled   KL to full KV   same top token   missed "
         "mass   with full KV\n";
  char row[160];
  std::snprintf(row, sizeof row, "  full KV   %8d\n", check.recalled);
  out << row;
  for (const CheckedBudget& b : check.budgets) {
    std::snprintf(row, sizeof row, "  %7d   %8d   %13.4f   %12.1f %%   %11s   %12s\n", b.budget,
                  b.recalled, b.kl_mean, b.same_top, percent(b.missed_mass).c_str(),
                  percent(b.missed_full).c_str());
    out << row;
  }
  out << '\n';
}

}  // namespace

void add_flags(CLI::App& app, CheckCommand& c) {
  app.add_option("model", c.model.path, "GGUF file or known name; same as -m");
  app.add_option("--budget", c.budgets, "Budgets to try, tokens")->delimiter(',');
  app.add_flag("--json", c.json, "Print JSON");
  add_model_flags(app, c.model);
  add_thinking_flags(app, c.run);
  add_context_flags(app, c.run);
}

int check_command(CheckCommand& command, std::ostream& out, std::ostream& progress) {
  for (const int budget : command.budgets) {
    if (budget < 1) throw Error(ErrorCode::bad_input, "--budget is a number of tokens");
  }
  if (command.budgets.empty()) throw Error(ErrorCode::bad_input, "--budget names no budget");
  if (command.run.summaries != "none") {
    throw Error(ErrorCode::bad_input, "check reads a text: --summaries has no place in it");
  }
  const Model model(command.model);
  settle_heads(model.impl(), command.run, tell);
  const ModelCheck check =
      check_model(model, command.run, {command.budgets.begin(), command.budgets.end()}, progress);
  if (command.json) {
    out << to_json(check) << '\n';
  } else {
    if (check.exact) print(check, out);
    out << verdict(check) << '\n';
  }
  return check.exact ? 0 : 1;
}

}  // namespace zoomr
