// h2o and r-kv against a straightforward Python reference on a recorded run: tests/data/rivals.json
// holds the rows of 56 tokens of SmolLM2 and what the reference keeps after each
// (tests/eval/rivals_reference.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/attention_mass.h"
#include "unit/testing.h"

namespace zoomr {
namespace {

const nlohmann::json& recorded() {
  static const nlohmann::json data =
      nlohmann::json::parse(std::ifstream(ZOOMR_SOURCE_DIR "/tests/data/rivals.json"));
  return data;
}

HeadLayout layout_of(const char* heads, bool keys) {
  std::vector<LayerShape> layers;
  for (const auto& l : recorded()["layers"]) {
    layers.push_back({.n_head = l["n_head"],
                      .n_head_kv = l["n_head_kv"],
                      .d_head = l["d_head"],
                      .scale = l["scale"],
                      .softcap = l["softcap"]});
  }
  HeadSelection chosen;
  for (const auto& head : recorded()[heads]) chosen.chosen.push_back({head[0], head[1]});
  return make_layout(chosen, layers, keys);
}

class Rival : public ::testing::TestWithParam<const char*> {};

TEST_P(Rival, KeepsWhatTheReferenceKeeps) {
  const nlohmann::json& data = recorded();
  const HeadLayout key_layout = layout_of("key_heads", true);
  const HeadLayout query_layout = layout_of("heads", false);
  const Pos n_prompt = data["prompt"];
  const auto policy = make_policy(GetParam(), {.sink = data["sink"]});
  World w(make_timeline(n_prompt, {}));
  w.room = data["room"];
  w.residency = {};
  w.evidence.query_layout = query_layout;
  Timeline whole = make_timeline(n_prompt, {}, data["n"].get<Pos>() - n_prompt);
  w.timeline = whole;
  int n_evictions = 0;
  for (Pos t = 0; t < data["n"].get<Pos>(); ++t) {
    const auto i = static_cast<std::size_t>(t);
    const std::vector<float> keys = data["keys"][i];
    const std::vector<float> queries = data["queries"][i];
    w.residency.resident.insert({t, t + 1});
    w.evidence.keys.append(t, key_layout, keys);
    add_attention_mass(w.evidence.keys, w.residency.resident, query_layout, queries, {.all = true},
                       w.evidence.mass);
    w.evidence.queries.push_back({t, queries});
    const Needs needs = policy->needs(w.view());
    if (w.evidence.queries.size() > std::max<std::size_t>(1, needs.recent))
      w.evidence.queries.pop_front();
    View view = w.view();
    view.decoded = t + 1;
    const Plan plan = policy->plan(view);
    n_evictions += plan.resident.size() < w.residency.resident.size() ? 1 : 0;
    w.follow(plan);
    SpanSet expected;
    for (const Pos pos : data["kept"][GetParam()][i]) expected.insert({pos, pos + 1});
    ASSERT_EQ(w.residency.resident, expected) << "after token " << t;
  }
  EXPECT_GT(n_evictions, 3);
}

// 40 tokens whose keys point one way, the fourth's ten times as long; all ask along it.
SpanSet kept_by_r_kv(Pos window) {
  const std::vector<LayerShape> layers = {
      {.n_head = 1, .n_head_kv = 1, .d_head = 2, .window = window}};
  World w(make_timeline(1, {}, 39));
  w.room = 21;
  w.residency.resident = SpanSet{{0, 40}};
  w.evidence.query_layout = make_layout({.all = true}, layers, false);
  for (Pos pos = 0; pos < 40; ++pos) {
    w.evidence.keys.append(pos, make_layout({.all = true}, layers, true),
                           std::vector<float>{0, pos == 3 ? 10.F : 1.F});
  }
  for (Pos pos = 32; pos < 40; ++pos) w.evidence.queries.push_back({pos, {0, 1}});
  View view = w.view();
  view.decoded = 40;
  return make_policy("r-kv", {})->plan(view).resident;
}

TEST(RKv, ASlidingWindowHidesWhatIsFar) {
  EXPECT_TRUE(kept_by_r_kv(0).contains(3));
  EXPECT_TRUE(kept_by_r_kv(40).contains(3));
  EXPECT_FALSE(kept_by_r_kv(20).contains(3));
  EXPECT_EQ(kept_by_r_kv(4).size(), kept_by_r_kv(0).size());  // all candidates are hidden
}

INSTANTIATE_TEST_SUITE_P(Both, Rival, ::testing::Values("h2o", "r-kv"));

}  // namespace
}  // namespace zoomr
