#include "cli/bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/heads.h"
#include "api/policy_spec.h"
#include "cli/options.h"
#include "core/trace.h"
#include "llama/model.h"

namespace zoomr {

namespace {

struct Test {
  int n_prompt = 0;  // > 0: a pp test
  int n_gen = 0;     // > 0: a tg test
  int depth = 0;

  [[nodiscard]] std::string name() const {
    std::string text =
        n_prompt > 0 ? "pp" + std::to_string(n_prompt) : "tg" + std::to_string(n_gen);
    if (depth > 0) text += " @ d" + std::to_string(depth);
    return text;
  }
};

// What one policy did at one test, over all repetitions.
struct Row {
  std::string policy;
  Test test;
  RunResult last;
  std::vector<double> rates;   // tokens/s
  std::vector<double> out_ms;  // of 400 tokens
  std::vector<double> in_ms;

  [[nodiscard]] double mean() const {
    double sum = 0;
    for (const double rate : rates) sum += rate;
    return rates.empty() ? 0 : sum / static_cast<double>(rates.size());
  }
  [[nodiscard]] double deviation() const {
    double sum = 0;
    for (const double rate : rates) sum += (rate - mean()) * (rate - mean());
    return rates.size() < 2 ? 0 : std::sqrt(sum / static_cast<double>(rates.size() - 1));
  }
};

// Adds up what moving costs, by direction.
class MoveClock final : public TraceSink {
 public:
  void write(const TraceEvent& event) override {
    const auto* edit = std::get_if<EditEvent>(&event);
    if (edit == nullptr || !edit->ok) return;
    if (edit->kind == EditKind::out && edit->bytes > 0) add(out_us_, out_tokens_, *edit);
    if (edit->kind == EditKind::in) add(in_us_, in_tokens_, *edit);
  }
  // Milliseconds for 400 tokens; 0 when nothing moved.
  [[nodiscard]] double out_ms() const { return per_400(out_us_, out_tokens_); }
  [[nodiscard]] double in_ms() const { return per_400(in_us_, in_tokens_); }

 private:
  static void add(double& us, Pos& tokens, const EditEvent& edit) {
    us += edit.us;
    tokens += edit.span.size();
  }
  static double per_400(double us, Pos tokens) { return tokens > 0 ? us / tokens * 400 / 1000 : 0; }
  double out_us_ = 0;
  double in_us_ = 0;
  Pos out_tokens_ = 0;
  Pos in_tokens_ = 0;
};

// Numbered lines, as a reasoning trace has them: sentence ends for the policies to act on.
std::vector<Token> text_of(const LlamaModel& model, int n_tokens) {
  std::vector<Token> tokens;
  const char* names[] = {"lamp", "river", "stone", "cloud", "horse", "glass", "paper", "smoke"};
  for (int i = 1; static_cast<int>(tokens.size()) < n_tokens; ++i) {
    const int a = i * 37 % 91 + 3;
    const int b = i * 53 % 67 + 2;
    const std::string line = "Step " + std::to_string(i) + ": the " + names[i % 8] + " and the " +
                             names[i * 5 % 7] + " give " + std::to_string(a) + " + " +
                             std::to_string(b) + " = " + std::to_string(a + b) + ".\n";
    const auto more = model.tokenize(line, i == 1, false);
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  tokens.resize(static_cast<std::size_t>(n_tokens));
  return tokens;
}

RunOptions run_options(const PolicySpec& spec, const Test& test, int n_first, int n_taught) {
  RunOptions o = spec.options;
  o.n_ctx = n_first + n_taught + std::max(1, test.n_gen);
  o.n_predict = n_taught + test.n_gen;
  o.loop_guard = false;
  o.allow_extrapolation = true;  // a depth is asked for by the user
  o.self_test = false;           // the same for every repetition: done once before
  o.forced_chunk = 32;
  o.sampling.temp = 0;
  o.sampling.ignore_eos = true;
  return o;
}

// One repetition: reads the prompt, fills up to the depth, then measures the test's tokens.
void measure(const Model& model, const PolicySpec& spec, const Test& test, Row& row) {
  constexpr int kFirst = 32;  // tokens of the prompt before taught ones: pinned
  const int n_first = test.n_prompt > 0 ? test.n_prompt : std::min(kFirst, std::max(1, test.depth));
  const int n_taught = test.n_prompt > 0 ? 0 : std::max(0, test.depth - n_first);
  const std::vector<Token> tokens = text_of(model.impl(), n_first + n_taught);
  Prompt prompt;
  prompt.tokens.assign(tokens.begin(), tokens.begin() + n_first);
  prompt.taught.assign(tokens.begin() + n_first, tokens.end());
  MoveClock moves;
  Run run(model, run_options(spec, test, n_first, n_taught), prompt, {&moves});
  while (run.step()) {
  }
  row.last = run.result();
  if (row.last.finish_reason == "error") {
    throw Error(ErrorCode::failed, spec.typed + " at " + test.name() + ": " + row.last.failure);
  }
  row.rates.push_back(test.n_prompt > 0 ? row.last.prompt_tokens_per_second
                                        : run.tokens_per_second_last(test.n_gen));
  row.out_ms.push_back(moves.out_ms());
  row.in_ms.push_back(moves.in_ms());
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

nlohmann::ordered_json as_json(const Row& row, const Model& model, const BenchOptions& options) {
  const LlamaModel& m = model.impl();
  return {{"model", m.description()},
          {"size_mib", fixed(static_cast<double>(m.size_bytes()) / (1 << 20), 2)},
          {"params_m", fixed(static_cast<double>(m.n_params()) / 1e6, 2)},
          {"backend", m.backend()},
          {"threads", options.run.context.threads},
          {"policy", row.policy},
          {"test", row.test.name()},
          {"t/s", fixed(row.mean(), 2)},
          {"t/s_stddev", fixed(row.deviation(), 2)},
          {"n_ctx", row.last.n_ctx},
          {"peak_resident", row.last.peak_resident_tokens},
          {"stored", row.last.stored_tokens},
          {"kv_mib", fixed(static_cast<double>(row.last.peak_kv_bytes) / (1 << 20), 2)},
          {"store_mib", fixed(static_cast<double>(row.last.stored_bytes) / (1 << 20), 2)},
          {"zooms_in", row.last.zoom_ins},
          {"zooms_out", row.last.zoom_outs},
          {"moved_mib", fixed(static_cast<double>(row.last.bytes_moved) / (1 << 20), 2)},
          {"out_400_ms", fixed(median(row.out_ms), 2)},
          {"in_400_ms", fixed(median(row.in_ms), 2)}};
}

std::string cell(const nlohmann::ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_markdown(const std::vector<nlohmann::ordered_json>& rows, std::ostream& out) {
  std::string head = "|";
  std::string rule = "|";
  for (const auto& [key, value] : rows.front().items()) {
    if (key == "t/s_stddev") continue;
    head += " " + key + " |";
    rule += key == "model" || key == "backend" || key == "policy" || key == "test" ? " --- |"
                                                                                   : " ---: |";
  }
  out << head << '\n' << rule << '\n';
  for (const auto& row : rows) {
    out << '|';
    for (const auto& [key, value] : row.items()) {
      if (key == "t/s_stddev") continue;
      out << ' ' << cell(value);
      if (key == "t/s") out << " ± " << cell(row["t/s_stddev"]);
      out << " |";
    }
    out << '\n';
  }
}

void print_csv(const std::vector<nlohmann::ordered_json>& rows, std::ostream& out) {
  std::string head;
  for (const auto& [key, value] : rows.front().items()) head += (head.empty() ? "" : ",") + key;
  out << head << '\n';
  for (const auto& row : rows) {
    std::string line;
    for (const auto& [key, value] : row.items()) {
      if (!line.empty()) line += ',';
      line += '"' + cell(value) + '"';
    }
    out << line << '\n';
  }
}

void print(const std::string& format, const std::vector<nlohmann::ordered_json>& rows,
           std::ostream& out) {
  if (format == "csv") return print_csv(rows, out);
  if (format == "json") {
    out << nlohmann::ordered_json(rows).dump(2) << '\n';
  } else if (format == "jsonl") {
    for (const auto& row : rows) out << row.dump() << '\n';
  } else {
    print_markdown(rows, out);
  }
}

std::vector<Test> tests_of(const BenchOptions& options) {
  std::vector<Test> tests;
  for (const int n : options.n_prompt) tests.push_back({.n_prompt = n});
  for (const int depth : options.depths) {
    for (const int n : options.n_gen) tests.push_back({.n_gen = n, .depth = depth});
  }
  return tests;
}

}  // namespace

void add_flags(CLI::App& app, ModelOptions& model, BenchOptions& b) {
  app.add_option("--policy", b.policies, "Policies in turn, e.g. full,zoomr:select=none");
  app.add_option("-p,--n-prompt", b.n_prompt, "Prompt lengths")->delimiter(',');
  app.add_option("-n,--n-gen", b.n_gen, "Generated tokens")->delimiter(',');
  app.add_option("-d,--n-depth", b.depths, "Tokens before the test")->delimiter(',');
  app.add_option("-r,--repetitions", b.repetitions, "Repetitions");
  app.add_option("-o,--output", b.output, "md, csv, json or jsonl")
      ->check(CLI::IsMember({"md", "csv", "json", "jsonl"}));
  app.add_option_function<std::string>(
      "--budget", [&b](const std::string& text) { b.run.budget = parse_budget(text); },
      "Most resident tokens of bounded policies; +N: beyond the 32 pinned ones");
  add_head_flags(app, b.run);
  add_model_flags(app, model);
  add_context_flags(app, b.run);
}

int bench_command(const ModelOptions& model_options, const BenchOptions& options, std::ostream& out,
                  std::ostream& progress) {
  std::vector<PolicySpec> specs = parse_policies(options.policies, options.run);
  const std::vector<Test> tests = tests_of(options);
  const Model model(model_options);
  for (PolicySpec& spec : specs) settle_heads(model.impl(), spec.options, tell);
  std::vector<nlohmann::ordered_json> rows;
  for (const Test& test : tests) {
    std::vector<Row> of_test;
    for (const PolicySpec& spec : specs)
      of_test.push_back(
          {.policy = spec.typed, .test = test, .last = {}, .rates = {}, .out_ms = {}, .in_ms = {}});
    for (int r = 0; r < options.repetitions; ++r) {
      for (std::size_t i = 0; i < specs.size(); ++i) {  // A B A B
        progress << "bench: " << test.name() << ", " << specs[i].typed << ", repetition " << r + 1
                 << "/" << options.repetitions << std::endl;
        measure(model, specs[i], test, of_test[i]);
      }
    }
    for (const Row& row : of_test) rows.push_back(as_json(row, model, options));
  }
  print(options.output, rows, out);
  return 0;
}

}  // namespace zoomr
