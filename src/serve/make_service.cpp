#include "serve/make_service.h"

#include <utility>

#include "api/preparation.h"
#include "core/check.h"
#include "llama/llama_kv.h"
#include "llama/model.h"
#include "llama/sampler.h"
#include "serve/scheduler.h"
#include "store/memory_store.h"

namespace zoomr {

std::unique_ptr<Service> make_service(const LlamaModel& model, const ServeOptions& options,
                                      const Tell& tell) {
  require(options.n_parallel >= 1 && options.n_parallel < 256, "-np is between 1 and 255");
  require(options.budget >= 1 && options.kv_total >= 0,
          "--budget must be at least 1 token and --kv-total not negative");
  require(options.budget <= unlimited_positions() / options.n_parallel,
          "--budget is too large for -np sessions");
  require(options.kv_total == 0 || options.budget <= options.kv_total,
          "--budget (" + std::to_string(options.budget) + ") must not be above --kv-total (" +
              std::to_string(options.kv_total) + ")");
  ServeLimits limits{.run = options.run,
                     .budget = options.budget,
                     .n_parallel = options.n_parallel,
                     .queue = options.queue,
                     .strict_turns = options.strict_turns};
  settle_options(model, limits.run, tell);
  limits.max_positions = most_positions(model, limits.run);
  const auto policy = make_policy(limits.run.policy, limits.run.settings);
  prove_exact(model, limits.run, *policy);
  const Pos total = options.kv_total > 0 ? options.kv_total : options.n_parallel * options.budget;
  auto kv = std::make_unique<LlamaKv>(
      model, LlamaKvOptions{.n_cells = total,
                            .n_sessions = options.n_parallel,
                            // Idle conversations are zoomed out under every policy.
                            .swa_full = true,
                            .context = limits.run.context});
  const int n_cells = kv->n_cells();
  ServeParts parts{
      .kv = std::move(kv),
      .store = std::make_unique<MemoryStore>(),
      .vocabulary = model,
      .make_sampler =
          [&model](const SamplingOptions& sampling) {
            auto sampler = std::make_unique<LlamaSampler>(sampling, model);
            const std::uint32_t seed = sampler->seed();
            return ServeParts::Drawn{std::move(sampler), seed};
          },
      .introduce = [&model, run = limits.run,
                    n_cells](Pos budget) { return introduction(model, run, budget, n_cells); }};
  return std::make_unique<Scheduler>(std::move(parts), std::move(limits));
}

}  // namespace zoomr
