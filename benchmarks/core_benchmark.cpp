// What looking costs beside a decode: a vote, attention mass, r-kv's choice, over the heads of a
// 1.5B model (28 layers, 12 query and 2 key heads of 128). Target core_benchmark; not part of the
// tests.
#include <benchmark/benchmark.h>

#include <random>

#include "core/attention_mass.h"
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
    for (int i = 0; i < 8; ++i) evidence.queries.push_back(random_row(random, queries.row_size));
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
        thought.index.vote(0, rule, thought.queries, thought.evidence.queries.back()));
  }
}

void attention_mass(benchmark::State& state) {
  const Thought thought(static_cast<Pos>(state.range(0)));
  std::vector<float> mass;
  for (auto _ : state) {
    add_attention_mass(thought.evidence.keys, thought.residency.resident, thought.queries,
                       thought.evidence.queries.back(), {.all = true}, mass);
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

BENCHMARK(vote)->Arg(1024)->Arg(8192)->Unit(benchmark::kMillisecond);
BENCHMARK(attention_mass)->Arg(1024)->Arg(8192)->Unit(benchmark::kMillisecond);
BENCHMARK(r_kv)->Arg(256)->Arg(1024)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace zoomr

BENCHMARK_MAIN();
