#include "eval/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace zoomr {

namespace {

const double kNone = std::nan("");
const Estimate kNothing{kNone, kNone, kNone};

// Sums by problem, in the order of first appearance.
class ByProblem {
 public:
  void add(const std::string& problem, double part, double of) {
    const auto [it, is_new] = at_.try_emplace(problem, shares_.size());
    if (is_new) {
      shares_.emplace_back();
      problems_.push_back(problem);
    }
    shares_[it->second].part += part;
    shares_[it->second].of += of;
  }
  [[nodiscard]] Estimate mean() const { return shares_.empty() ? kNothing : estimate(shares_); }
  // Against another's same problems; nothing when it lacks one.
  [[nodiscard]] Estimate minus(const ByProblem& other) const {
    std::vector<Share> theirs;
    for (const std::string& problem : problems_) {
      const auto it = other.at_.find(problem);
      if (it == other.at_.end()) return kNothing;
      theirs.push_back(other.shares_[it->second]);
    }
    return theirs.empty() ? kNothing : estimate_difference(shares_, theirs);
  }
  [[nodiscard]] std::size_t size() const { return shares_.size(); }

 private:
  std::map<std::string, std::size_t> at_;
  std::vector<Share> shares_;
  std::vector<std::string> problems_;
};

// All that a row is made of.
struct Gathered {
  Row row;
  ByProblem right;
  ByProblem steps;
  std::vector<std::pair<std::string, ByProblem>> parts;
  ByProblem agreed_right;
  ByProblem agreed_wrong;
  double tokens = 0;
  double seconds = 0;
};

void add_steps(Gathered& g, const std::string& problem, const Sample& steps) {
  if (steps.value("of", 0) > 0) g.steps.add(problem, steps["right"], steps["of"]);
  for (const auto& [name, part] : steps.items()) {
    if (!part.is_object()) continue;
    auto it = std::find_if(g.parts.begin(), g.parts.end(),
                           [&name = name](const auto& p) { return p.first == name; });
    if (it == g.parts.end()) it = g.parts.insert(g.parts.end(), {name, {}});
    it->second.add(problem, part["right"], part["of"]);
  }
}

void add_sample(Gathered& g, const Sample& s) {
  Row& row = g.row;
  const std::string problem = s["problem"];
  ++row.n_samples;
  g.right.add(problem, s["right"].get<bool>() ? 1 : 0, 1);
  add_steps(g, problem, s["steps"]);
  if (s["votes"].get<int>() > 0) {
    (s["right"].get<bool>() ? g.agreed_right : g.agreed_wrong).add(problem, s["agreeability"], 1);
  }
  row.peak_resident = std::max(row.peak_resident, s["peak_resident_tokens"].get<int>());
  row.mean_resident += s["mean_resident_tokens"].get<double>();
  const double kv_mib = s["peak_kv_bytes"].get<double>() / (1 << 20);
  row.kv_mib = std::max(row.kv_mib, kv_mib);
  row.resident_mib = std::max(row.resident_mib, kv_mib * s["peak_resident_tokens"].get<int>() /
                                                    std::max(1, s["n_ctx"].get<int>()));
  row.length += s["n_generated"].get<double>();
  row.loops += s["finish_reason"] == "loop" ? 1 : 0;
  row.cut += s["finish_reason"] == "length" ? 1 : 0;
  row.zoom_ins += s["zoom_ins"].get<double>();
  row.zoom_outs += s["zoom_outs"].get<double>();
  row.second_looks += s["second_looks"].get<double>();
  g.tokens += s["n_generated"].get<double>();
  g.seconds += s["seconds"].get<double>();
}

Row finished(Gathered& g, const Gathered* full) {
  Row row = std::move(g.row);
  const double n = row.n_samples;
  for (double* mean :
       {&row.mean_resident, &row.length, &row.zoom_ins, &row.zoom_outs, &row.second_looks})
    *mean /= n;
  row.n_problems = static_cast<int>(g.right.size());
  row.right = g.right.mean();
  row.steps = g.steps.mean();
  row.right_against_full = full != nullptr ? g.right.minus(full->right) : kNothing;
  row.steps_against_full = full != nullptr ? g.steps.minus(full->steps) : kNothing;
  for (const auto& [name, part] : g.parts) row.parts.emplace_back(name, part.mean());
  row.agreeability_right = g.agreed_right.mean();
  row.agreeability_wrong = g.agreed_wrong.mean();
  row.tokens_per_second = g.seconds > 0 ? g.tokens / g.seconds : 0;
  return row;
}

std::string number(double value, int digits) {
  if (std::isnan(value)) return "-";
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// "94.2 [90.1, 97.5]", in per cent.
std::string percent(const Estimate& e) {
  if (std::isnan(e.mean)) return "-";
  return number(100 * e.mean, 1) + " [" + number(100 * e.low, 1) + ", " + number(100 * e.high, 1) +
         "]";
}

}  // namespace

std::vector<Row> make_rows(const std::vector<Sample>& samples) {
  std::vector<Gathered> gathered;
  for (const Sample& s : samples) {
    if (!s.contains("right")) continue;
    const auto same = [&s](const Gathered& g) {
      return g.row.task == s["task"] && g.row.policy == s["policy"] &&
             g.row.budget_asked == s["budget_asked"];
    };
    auto it = std::find_if(gathered.begin(), gathered.end(), same);
    if (it == gathered.end()) {
      it = gathered.insert(gathered.end(), Gathered{});
      it->row.task = s["task"];
      it->row.policy = s["policy"];
      it->row.budget_asked = s["budget_asked"];
    }
    add_sample(*it, s);
  }
  std::stable_sort(gathered.begin(), gathered.end(),
                   [](const Gathered& a, const Gathered& b) { return a.row.task < b.row.task; });
  std::vector<Gathered> untouched = gathered;
  std::vector<Row> rows;
  for (Gathered& g : gathered) {
    const auto full = std::find_if(untouched.begin(), untouched.end(), [&g](const Gathered& f) {
      return f.row.policy == "full" && f.row.task == g.row.task;
    });
    rows.push_back(finished(g, full == untouched.end() ? nullptr : &*full));
  }
  return rows;
}

Table answers_table(const std::vector<Row>& rows) {
  Table table = {{"task", "policy", "budget", "problems", "right %", "against full",
                  "steps right %", "against full", "parts %", "peak resident", "mean resident",
                  "KV MiB", "tokens", "loops", "cut", "zooms in / out", "second looks",
                  "agreeability right / wrong %", "t/s"}};
  for (const Row& r : rows) {
    std::string parts;
    for (const auto& [name, e] : r.parts) {
      parts += (parts.empty() ? "" : ", ") + name + " " + number(100 * e.mean, 1);
    }
    std::string problems = std::to_string(r.n_problems);
    if (r.n_samples != r.n_problems) problems += " (" + std::to_string(r.n_samples) + ")";
    table.push_back({r.task, r.policy, r.budget_asked.empty() ? "-" : r.budget_asked, problems,
                     percent(r.right), percent(r.right_against_full), percent(r.steps),
                     percent(r.steps_against_full), parts.empty() ? "-" : parts,
                     std::to_string(r.peak_resident), number(r.mean_resident, 0),
                     number(r.kv_mib, 1), number(r.length, 0), std::to_string(r.loops),
                     std::to_string(r.cut), number(r.zoom_ins, 0) + " / " + number(r.zoom_outs, 0),
                     number(r.second_looks, 0),
                     percent(r.agreeability_right) + " / " + percent(r.agreeability_wrong),
                     number(r.tokens_per_second, 1)});
  }
  return table;
}

Table texts_table(const std::vector<Sample>& samples) {
  Table table = {{"text", "policy", "budget", "tokens", "perplexity", "KL mean", "KL median",
                  "KL 99 %", "same top %", "far tokens", "far: perplexity", "far: KL mean",
                  "far: KL median", "far: KL 99 %", "far: same top %", "peak resident",
                  "mean resident", "KV MiB", "zooms in / out"}};
  for (const Sample& s : samples) {
    if (!s.contains("kl_mean")) continue;
    const auto value = [&s](const char* name, int digits) {
      const auto it = s.find(name);
      const bool is_there = it != s.end() && it->is_number();
      return is_there ? number(it->get<double>(), digits) : std::string("-");
    };
    const std::string budget = s["budget_asked"];
    table.push_back({s["problem"], s["policy"], budget.empty() ? "-" : budget, value("n_tokens", 0),
                     value("perplexity", 3) + " ± " + value("perplexity_error", 3),
                     value("kl_mean", 4) + " ± " + value("kl_error", 4), value("kl_median", 4),
                     value("kl_99", 3), value("same_top", 1), value("far_tokens", 0),
                     value("far_perplexity", 2), value("far_kl_mean", 3), value("far_kl_median", 3),
                     value("far_kl_99", 3), value("far_same_top", 1),
                     value("peak_resident_tokens", 0), value("mean_resident_tokens", 0),
                     number(s["peak_kv_bytes"].get<double>() / (1 << 20), 1),
                     value("zoom_ins", 0) + " / " + value("zoom_outs", 0)});
  }
  return table;
}

void print(const Table& table, std::ostream& out) {
  if (table.size() < 2) return;
  for (std::size_t i = 0; i < table.size(); ++i) {
    for (const std::string& cell : table[i]) out << "| " << cell << ' ';
    out << "|\n";
    if (i > 0) continue;
    for (std::size_t c = 0; c < table[0].size(); ++c) out << (c < 3 ? "| --- " : "| ---: ");
    out << "|\n";
  }
}

}  // namespace zoomr
