#include "api/preparation.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/run_settings.h"
#include "engine/session_options.h"
#include "llama/model.h"
#include "llama/self_test.h"

namespace zoomr {

namespace {

bool scales_rope(const ContextOptions& context) {
  return !context.rope_scaling.empty() || context.rope_freq_base > 0 || context.rope_freq_scale > 0;
}

}  // namespace

Pos unlimited_positions() { return std::numeric_limits<Pos>::max() / 2; }

void settle_options(const LlamaModel& model, RunOptions& options, const Tell& tell) {
  check_options(options);
  options.settings.summaries = options.summaries != "none";
  settle_heads(model, options, tell);
}

Pos most_positions(const LlamaModel& model, const RunOptions& options) {
  const Pos asked = options.n_ctx > 0 ? options.n_ctx : unlimited_positions();
  if (model.has_learned_positions()) return std::min(asked, static_cast<Pos>(model.n_ctx_train()));
  if (options.allow_extrapolation || scales_rope(options.context)) return asked;
  return std::min(asked, static_cast<Pos>(model.n_ctx_train()));
}

void prove_exact(const LlamaModel& model, const RunOptions& options, const Policy& policy) {
  if (!options.self_test || policy.unit() == Unit::token || !policy.bounded()) return;
  const SelfTest test = self_test(model, options.context);
  if (test.exact) return;
  throw Error(ErrorCode::unsupported,
              "zooming is not exact on this model (" + model.description() + "): " + test.why);
}

RunEvent introduction(const LlamaModel& model, const RunOptions& options, Pos budget, int n_cells) {
  const auto policy = make_policy(options.policy, options.settings);
  auto settings = run_settings(options);
  auto& loras = settings["lora"] = nlohmann::ordered_json::array();
  for (const LoraOptions& lora : model.options().loras) loras.push_back({lora.path, lora.scale});
  settings["override-kv"] = model.options().kv_overrides;
  return {.zoomr = std::string(version()),
          .llama = std::string(llama_version()),
          .model = model.description(),
          .policy = options.policy,
          .budget = budget,
          .unit = policy->unit(),
          .n_ctx = n_cells,
          .options = std::move(settings)};
}

}  // namespace zoomr
