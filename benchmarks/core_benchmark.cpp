// What looking costs beside a decode: a vote, attention mass, r-kv's choice, over the heads of a
// 1.5B model (28 layers, 12 query and 2 key heads of 128); and a look-up in the index of lines, by
// the few heads that look things up. Target core_benchmark; not part of the tests.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "core/attention_mass.h"
#include "core/line_index.h"
#include "core/policy.h"

namespace zoomr {
namespace {

constexpr Pos kLine = 22;  // tokens

std::vector<LayerShape> layers() {
  return std::vector<LayerShape>(28,
                                 {.n_head = 12, .n_head_kv = 2, .d_head = 128, .scale = 0.088F});
}

std::vector<float> random_row(std::mt19937& random, std::size_t n) {
  std::normal_distribution<float> normal;
  std::vector<float> row(n);
  for (float& value : row) value = normal(random);
  return row;
}

// A thought of n tokens, all decoded and resident, with keys and the newest 8 tokens' queries.
struct Thought {
  explicit Thought(Pos n)
      : keys(make_layout({.all = true}, layers(), true)),
        queries(make_layout({.all = true}, layers(), false)) {
    std::mt19937 random(1);
    timeline.open_segment(SegmentKind::thought, false);
    for (Pos pos = 0; pos < n; ++pos) {
      timeline.append(1);
      const std::vector<float> row = random_row(random, keys.row_size);
      index.add_key(pos, keys, row);
      evidence.keys.append(pos, keys, row);
      if ((pos + 1) % kLine == 0) timeline.close_line(pos + 1);
    }
    index.close_lines(timeline);
    evidence.query_layout = queries;
    for (int i = 0; i < 8; ++i)
      evidence.queries.push_back({n - 8 + i, random_row(random, queries.row_size)});
    residency.resident = {{0, n}};
  }
  HeadLayout keys;
  HeadLayout queries;
  Timeline timeline;
  ThoughtIndex index;
  Evidence evidence;
  Residency residency;
};

void vote(benchmark::State& state) {
  const Thought thought(static_cast<Pos>(state.range(0)));
  VoteRule rule;
  for (const Line& line : thought.timeline.lines())
    rule.candidates.push_back({line.span, line.span});
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        thought.index.vote(0, rule, thought.queries, thought.evidence.queries.back().queries));
  }
}

void attention_mass(benchmark::State& state) {
  const Thought thought(static_cast<Pos>(state.range(0)));
  std::vector<float> mass;
  for (auto _ : state) {
    add_attention_mass(thought.evidence.keys, thought.residency.resident, thought.queries,
                       thought.evidence.queries.back().queries, {.all = true}, mass);
  }
}

void r_kv(benchmark::State& state) {
  const Thought thought(static_cast<Pos>(state.range(0)));
  const auto policy = make_policy("r-kv", {});
  const View view{.timeline = thought.timeline,
                  .residency = thought.residency,
                  .evidence = thought.evidence,
                  .boundary = {},
                  .decoded = thought.timeline.size(),
                  .room = thought.timeline.size() - 1};
  for (auto _ : state) benchmark::DoNotOptimize(policy->plan(view));
}

// Keys of n tokens for six query heads over four key heads, in lines of 20 tokens. A dimension's
// spread differs from the others', as in a model; some logits stand out by far.
struct Memory {
  static constexpr Pos kTokens = 20;  // of a line

  Memory(Pos n, int d, const LineIndexOptions& options) : index(options) {
    const std::vector<LayerShape> shapes(
        2, {.n_head = 4, .n_head_kv = 2, .d_head = d, .scale = 1 / std::sqrt(float(d))});
    heads.chosen = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 2}, {1, 3}};
    key_layout = make_layout({.all = true}, shapes, true);
    query_layout = make_layout(heads, shapes, false);
    const std::vector<float> width = random_row(random, key_layout.row_size);
    for (Pos pos = 0; pos < n; ++pos) {
      std::vector<float> row = random_row(random, key_layout.row_size);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] *= std::exp(0.7F * width[i]);
      index.append(pos, key_layout, row);
      log.append(pos, key_layout, row);
      if ((pos + 1) % kTokens == 0) lines.push_back({{pos + 1 - kTokens, pos + 1}, 0});
    }
  }
  std::vector<float> query() {
    std::vector<float> row = random_row(random, query_layout.row_size);
    for (float& value : row) value *= 2;
    return row;
  }

  std::mt19937 random{1};
  HeadSelection heads;
  HeadLayout key_layout;
  HeadLayout query_layout;
  std::vector<Line> lines;
  LineIndex index;
  KeyLog log;
};

std::vector<std::size_t> best_three(const std::vector<float>& shares) {
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + 3, order.end(),
                    [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  order.resize(3);
  return order;
}

// What part of line_mass's three best lines the index finds as its own three best ones.
double recall(Memory& memory) {
  constexpr int kQueries = 10;
  int found = 0;
  for (int i = 0; i < kQueries; ++i) {
    const std::vector<float> query = memory.query();
    const auto truth = best_three(
        line_mass(memory.log, memory.lines, memory.query_layout, query, memory.heads).mean);
    const auto ours = best_three(
        memory.index.shares(memory.lines, memory.query_layout, query, memory.heads).mean);
    for (const std::size_t line : truth) {
      found += static_cast<int>(std::count(ours.begin(), ours.end(), line));
    }
  }
  return found / (3.0 * kQueries);
}

void look_up(benchmark::State& state, const LineIndexOptions& options) {
  Memory memory(static_cast<Pos>(state.range(0)), static_cast<int>(state.range(1)), options);
  const std::vector<float> query = memory.query();
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        memory.index.shares(memory.lines, memory.query_layout, query, memory.heads));
  }
  state.counters["recall"] = recall(memory);
  state.counters["MB"] = static_cast<double>(memory.index.bytes()) / 1e6;
}

void line_index_exact(benchmark::State& state) {
  look_up(state, {.exact_below = static_cast<Pos>(state.range(0)) + 1});
}
void line_index(benchmark::State& state) { look_up(state, {.exact_below = 0}); }
void line_index_two_threads(benchmark::State& state) {
  look_up(state, {.exact_below = 0, .threads = 2});
}

// What it stands for: floats of all tokens.
void lines_by_mass(benchmark::State& state) {
  Memory memory(static_cast<Pos>(state.range(0)), static_cast<int>(state.range(1)), {});
  const std::vector<float> query = memory.query();
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        line_mass(memory.log, memory.lines, memory.query_layout, query, memory.heads).mean);
  }
}

BENCHMARK(lines_by_mass)
    ->ArgsProduct({{1024, 10240, 16384, 102400}, {64, 128}})
    ->ArgNames({"tokens", "d"})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(line_index_exact)
    ->ArgsProduct({{1024, 4096, 10240, 16384, 102400}, {64, 128}})
    ->ArgNames({"tokens", "d"})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(line_index)
    ->ArgsProduct({{1024, 4096, 10240, 16384, 102400}, {64, 128}})
    ->ArgNames({"tokens", "d"})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(line_index_two_threads)
    ->ArgsProduct({{4096, 10240, 16384, 102400}, {64, 128}})
    ->ArgNames({"tokens", "d"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(vote)->Arg(1024)->Arg(8192)->Unit(benchmark::kMillisecond);
BENCHMARK(attention_mass)->Arg(1024)->Arg(8192)->Unit(benchmark::kMillisecond);
BENCHMARK(r_kv)->Arg(256)->Arg(1024)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace zoomr

BENCHMARK_MAIN();
