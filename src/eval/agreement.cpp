#include "eval/agreement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/check.h"

namespace zoomr {

namespace {

// Of values that are sorted.
double percentile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] * (1 - part) + sorted[above] * part;
}

struct Moments {
  double mean = 0;
  double error = 0;  // standard error of the mean
};

Moments moments(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Moments m;
  for (const double v : values) m.mean += v / n;
  double squares = 0;
  for (const double v : values) squares += (v - m.mean) * (v - m.mean);
  if (values.size() > 1) m.error = std::sqrt(squares / (n - 1) / n);
  return m;
}

constexpr std::array kNames = {"kl_mean",  "kl_error",   "kl_median",        "kl_99",
                               "same_top", "perplexity", "perplexity_error", "perplexity_full"};

// nullptr of no tokens.
void add_agreement(Sample& record, const std::string& prefix,
                   std::span<const TokenAgreement> tokens) {
  for (const char* name : kNames) record[prefix + name] = nullptr;
  if (tokens.empty()) return;
  std::vector<double> kl;
  std::vector<double> losses;
  double full_loss = 0;
  double same = 0;
  for (const TokenAgreement& t : tokens) {
    kl.push_back(t.kl);
    losses.push_back(-t.log_p);
    full_loss -= t.log_full;
    same += t.same_top ? 1 : 0;
  }
  const auto n = static_cast<double>(tokens.size());
  const Moments m = moments(kl);
  const Moments loss = moments(losses);
  std::sort(kl.begin(), kl.end());
  record[prefix + "kl_mean"] = m.mean;
  record[prefix + "kl_error"] = m.error;
  record[prefix + "kl_median"] = percentile(kl, 0.5);
  record[prefix + "kl_99"] = percentile(kl, 0.99);
  record[prefix + "same_top"] = 100 * same / n;
  record[prefix + "perplexity"] = std::exp(loss.mean);
  record[prefix + "perplexity_error"] = std::exp(loss.mean) * loss.error;
  record[prefix + "perplexity_full"] = std::exp(full_loss / n);
}

}  // namespace

void log_softmax(std::span<const float> logits, std::vector<double>& result) {
  result.resize(logits.size());
  const float peak = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    result[i] = double{logits[i]} - double{peak};
    sum += std::exp(result[i]);
  }
  const double log_sum = std::log(sum);
  for (double& value : result) value -= log_sum;
}

TokenAgreement compare(std::span<const double> full, std::span<const double> policy, Token token) {
  check(full.size() == policy.size(), "both predict the same vocabulary");
  const auto i = static_cast<std::size_t>(token);
  TokenAgreement result{.log_p = policy[i], .log_full = full[i]};
  for (std::size_t t = 0; t < full.size(); ++t) {
    if (full[t] > -40) result.kl += std::exp(full[t]) * (full[t] - policy[t]);
  }
  result.kl = std::max(0.0, result.kl);  // rounding
  result.same_top = std::max_element(full.begin(), full.end()) - full.begin() ==
                    std::max_element(policy.begin(), policy.end()) - policy.begin();
  return result;
}

Sample summarise(std::span<const TokenAgreement> tokens, std::span<const TokenAgreement> window) {
  check(tokens.size() == window.size(), "the window read the same text");
  Sample record;
  record["n_tokens"] = tokens.size();
  add_agreement(record, "", tokens);
  std::vector<TokenAgreement> far;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (window[i].log_full - window[i].log_p >= kFarNats) far.push_back(tokens[i]);
  }
  record["far_tokens"] = far.size();
  add_agreement(record, "far_", far);
  return record;
}

}  // namespace zoomr
