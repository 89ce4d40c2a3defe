#include "eval/model_check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/agreement.h"
#include "eval/evaluation.h"
#include "eval/progress.h"
#include "eval/reader.h"
#include "eval/statistics.h"
#include "llama/head_probe.h"
#include "llama/model.h"
#include "llama/self_test.h"

namespace zoomr {

namespace {

constexpr std::size_t kPrompt = 8;  // tokens of the text that stand as its prompt
constexpr int kShown = 64;          // tokens between two signs of life

struct FactsText {
  TaughtText text;
  std::vector<Pos> values;  // positions of the values' first tokens, told again
};

FactsText facts_text(const LlamaModel& model) {
  const RecallReading reading = make_recall_reading(model);
  const std::vector<Token>& tokens = reading.tokens;
  FactsText result;
  for (const Recall& recall : reading.recalls) {
    if (recall.who == HeadKind::value) result.values.push_back(recall.at + 1);
  }
  const Pos end = *std::max_element(result.values.begin(), result.values.end()) + 1;
  result.text.name = "of facts";
  result.text.prompt.tokens.assign(tokens.begin(), tokens.begin() + kPrompt);
  result.text.prompt.taught.assign(tokens.begin() + kPrompt, tokens.begin() + end);
  return result;
}

bool predicts(std::span<const double> log_probabilities, Token token) {
  const auto best = std::max_element(log_probabilities.begin(), log_probabilities.end());
  return best - log_probabilities.begin() == token;
}

std::string times(int n, int of) { return std::to_string(n) + " of " + std::to_string(of); }

bool as_full(const ModelCheck& check, const CheckedBudget& row) {
  return row.recalled >= check.recalled - (check.n_facts + 29) / 30;
}

// Of one budget, token by token.
struct OfBudget {
  std::vector<TokenAgreement> tokens;
  std::vector<double> missed;  // where it is measured
  std::vector<double> missed_full;
};

void add_sums(const OfBudget& seen, CheckedBudget& row) {
  const Sample sums = summarise(seen.tokens, seen.tokens);
  row.kl_mean = sums["kl_mean"].get<double>();
  row.same_top = sums["same_top"].get<double>();
  if (seen.missed.empty()) return;
  const Agreement meter = agreement(seen.missed, seen.missed_full);
  row.missed_mass = meter.mean_a;
  row.missed_full = meter.mean_b;
  row.meter_correlation = meter.correlation;
  row.meter_difference = meter.mean_difference;
}

}  // namespace

ModelCheck check_model(const Model& model, const RunOptions& options, std::vector<Pos> budgets,
                       std::ostream& progress) {
  std::sort(budgets.begin(), budgets.end(), std::greater<>());
  budgets.erase(std::unique(budgets.begin(), budgets.end()), budgets.end());
  const SelfTest test = self_test(model.impl(), options.context);
  const FactsText facts = facts_text(model.impl());
  const std::vector<Token>& taught = facts.text.prompt.taught;
  ModelCheck result{.model = model.impl().description(),
                    .exact = test.exact,
                    .why = test.why,
                    .n_tokens = static_cast<int>(kPrompt + taught.size()),
                    .n_facts = static_cast<int>(facts.values.size())};
  if (!test.exact) return result;

  Reader full(model, with_full_kv(options), facts.text,
              {.budgets = {}, .follow = options.settings.heads});
  Reader bounded(model, options, facts.text, {.budgets = budgets, .follow = {}});
  std::vector<OfBudget> seen(budgets.size());
  for (const Pos budget : budgets) result.budgets.push_back({.budget = budget});
  Progress bar(progress, (taught.size() + kShown - 1) / kShown);
  for (std::size_t i = 0; i < taught.size(); ++i) {
    if (i % kShown == 0) {
      if (i > 0) bar.end();
      bar.begin("token " + std::to_string(i));
    }
    const Pos next = full.n_prompt() + static_cast<Pos>(i);
    const bool asks =
        std::find(facts.values.begin(), facts.values.end(), next) != facts.values.end();
    full.read_to(next);
    result.recalled += asks && predicts(full.log_probabilities(), taught[i]) ? 1 : 0;
    bounded.read_to(next);
    for (std::size_t r = 0; r < budgets.size(); ++r) {
      const auto said = bounded.log_probabilities(r);
      seen[r].tokens.push_back(compare(full.log_probabilities(), said, taught[i]));
      result.budgets[r].recalled += asks && predicts(said, taught[i]) ? 1 : 0;
      if (bounded.missed(r) < 0) continue;
      seen[r].missed.push_back(bounded.missed(r));
      seen[r].missed_full.push_back(full.attention(bounded.hidden(r)));
    }
  }
  bar.end();
  bar.finish();
  for (std::size_t r = 0; r < budgets.size(); ++r) add_sums(seen[r], result.budgets[r]);
  return result;
}

std::string verdict(const ModelCheck& check) {
  if (!check.exact) return "This model cannot be zoomed exactly: " + check.why + ".";
  const CheckedBudget* least = nullptr;  // that recalls as full KV, and so do all above it
  const CheckedBudget* too_small = nullptr;
  for (const CheckedBudget& row : check.budgets) {
    if (!as_full(check, row)) {
      too_small = &row;
      break;
    }
    least = &row;
  }
  std::string text;
  if (2 * check.recalled < check.n_facts) {
    text = "With full KV this model recalls " + times(check.recalled, check.n_facts) +
           " facts only: the text says little about its memory. ";
  }
  if (least != nullptr) {
    text += "At budget " + std::to_string(least->budget) + " this model recalls as with full KV (" +
            times(least->recalled, check.n_facts) + " against " + std::to_string(check.recalled) +
            ")";
  }
  if (too_small != nullptr) {
    text +=
        (least != nullptr ? "; at " : "At budget ") + std::to_string(too_small->budget) +
        (least != nullptr ? " it does not (" : " this model does not recall as with full KV (") +
        std::to_string(too_small->recalled) +
        (least != nullptr ? ")"
                          : " of " + std::to_string(check.n_facts) + " against " +
                                std::to_string(check.recalled) + ")");
  }
  return text + ".";
}

std::string to_json(const ModelCheck& check) {
  nlohmann::ordered_json json = {{"model", check.model},      {"exact", check.exact},
                                 {"why", check.why},          {"tokens", check.n_tokens},
                                 {"facts", check.n_facts},    {"recalled", check.recalled},
                                 {"verdict", verdict(check)}, {"budgets", nlohmann::json::array()}};
  for (const CheckedBudget& row : check.budgets) {
    json["budgets"].push_back({{"budget", row.budget},
                               {"recalled", row.recalled},
                               {"kl_mean", row.kl_mean},
                               {"same_top", row.same_top},
                               {"missed_mass", row.missed_mass},
                               {"missed_mass_full", row.missed_full},
                               {"meter_correlation", row.meter_correlation},
                               {"meter_difference", row.meter_difference}});
  }
  return json.dump();
}

}  // namespace zoomr
