// A recording played back is the run itself: where queries and keys do not depend on what is
// resident, the simulator moves what the live engine moves.
#include "eval/simulator.h"

#include <filesystem>
#include <fstream>

#include "engine/planted.h"
#include "eval/recording.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

constexpr int kReply = 300;
constexpr int kPrompt = 12;

// What eval --record keeps of a full run, from the planted fake.
Recording planted_recording() {
  const std::vector<LayerShape> layers = planted_options(0).layers;
  const HeadSelection all{.all = true, .chosen = {}};
  Recording r{.folder = "planted", .model = "fake", .n_prompt = kPrompt};
  r.key_layout = make_layout(all, layers, true);
  r.query_layout = make_layout(all, layers, false);
  const auto next = random_words(3);
  for (Pos pos = 0; pos < kPrompt + kReply - 1; ++pos) {
    r.tokens.push_back(pos < kPrompt ? Words::id(" the") : next());
    r.pieces.push_back(Words::all()[static_cast<std::size_t>(r.tokens.back())]);
    const auto add = [&](std::vector<float>& rows, const HeadLayout& layout, bool keys) {
      rows.resize(rows.size() + layout.row_size);
      plant(0, pos, layout, keys, std::span(rows).last(layout.row_size));
    };
    add(r.keys, r.key_layout, true);
    r.query_row.push_back(pos);
    add(r.queries, r.query_layout, false);
  }
  return r;
}

RunOptions settings(const Recording& recording) {
  RunOptions options;
  options.policy = "zoomr";
  options.budget = {.tokens = 96, .beyond_prompt = false};
  options.settings = {.window = 16,
                      .select = "retrieval",
                      .heads = {recording.head({1, 2})},
                      .name_heads = {recording.head({0, 3})},
                      .order_heads = {recording.head({1, 0})},
                      .second_look = 0.15F};
  options.line_min = 3;
  options.line_max = 12;
  options.thought_max = 60;
  return options;
}

TEST(Simulator, MovesWhatTheLiveEngineMoves) {
  const Recording recording = planted_recording();
  FakeKv kv(planted_options(96));
  kv.plant(plant);
  MemoryStore store;
  Engine engine(kv, store);
  Thinker live({.policy = "zoomr",
                .n_predict = kReply - 1,
                .select = "retrieval",
                .heads = {recording.head({1, 2})},
                .name_heads = {recording.head({0, 3})},
                .order_heads = {recording.head({1, 0})},
                .next = random_words(3)});
  Session* const sessions[] = {live.session.get()};
  while (live.session->running()) engine.step(sessions);
  Recorder recorder;
  (void)simulate(recording, settings(recording), {&recorder});

  const auto edits = [](const Recorder& from) {
    std::vector<std::pair<EditKind, Span>> all;
    for (const EditEvent& edit : from.all<EditEvent>()) {
      if (edit.kind != EditKind::compact) all.emplace_back(edit.kind, edit.span);
    }
    return all;
  };
  EXPECT_GT(edits(recorder).size(), 100U);
  EXPECT_EQ(edits(recorder), edits(live.recorder));
}

TEST(Simulator, CountsWhatTheRunCounts) {
  const Recording recording = planted_recording();
  RunOptions options = settings(recording);
  Recorder recorder;
  const Simulated with = simulate(recording, options, {&recorder});
  EXPECT_EQ(with.n_tokens, kReply - 1);
  EXPECT_GT(with.look_ups, 100);
  EXPECT_GT(with.found, with.ahead);
  EXPECT_LE(with.found, with.look_ups);
  int looks = 0;
  for (const EditEvent& e : recorder.all<EditEvent>()) looks += e.kind == EditKind::again ? 1 : 0;
  EXPECT_DOUBLE_EQ(with.second_looks, static_cast<double>(looks) / with.n_tokens);
  options.settings.second_look = 1.5F;
  const Simulated without = simulate(recording, options);
  EXPECT_EQ(without.second_looks, 0);
  EXPECT_EQ(without.found, without.ahead);
  EXPECT_GT(without.missed_mean, with.missed_mean);
}

TEST(Recording, NamesWhatIsNotThere) {
  const auto complaint = [](const std::string& folder) -> std::string {
    try {
      (void)read_recording(folder);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      return e.what();
    }
    return "";
  };
  EXPECT_NE(complaint("/nowhere").find("holds no record"), std::string::npos);
  const std::string folder = ::testing::TempDir() + "zoomr_recording";
  std::filesystem::create_directories(folder);
  const auto meta = [&folder](const std::string& text) {
    std::ofstream(folder + "/meta.json") << text;
  };
  meta("{");
  EXPECT_NE(complaint(folder).find("cannot be read"), std::string::npos);
  meta(R"({"version": 2})");
  EXPECT_NE(complaint(folder).find("another version"), std::string::npos);
  const std::string whole =
      R"({"version":1,"model":"m","n_prompt":1,"n_decoded":2,"tokens":[1,2],"pieces":["a","b"],)"
      R"("layers":[{"n_head":1,"n_head_kv":1,"d_head":2,"scale":1,"softcap":0}],)"
      R"("keys":{"row":2,"heads":[{"layer":0,"head":0,"d":2,"offset":0}]},)"
      R"("queries":{"row":2,"heads":[{"layer":0,"head":0,"d":2,"offset":0}],"positions":[1]}})";
  meta(whole);
  EXPECT_NE(complaint(folder).find("shorter"), std::string::npos);
  const std::vector<float> rows{1, 2, 3, 4};
  std::ofstream(folder + "/keys.f32", std::ios::binary)
      .write(reinterpret_cast<const char*>(rows.data()), 16);
  std::ofstream(folder + "/queries.f32", std::ios::binary)
      .write(reinterpret_cast<const char*>(rows.data()), 8);
  const Recording recording = read_recording(folder);
  EXPECT_EQ(recording.key_row(1)[0], 3);
  EXPECT_EQ(recording.queries_of(1)[1], 2);
  EXPECT_EQ(recording.head({0, 0}).key_head, 0);
  EXPECT_THROW((void)recording.head({0, 1}), Error);
  std::string outside = whole;
  outside.replace(outside.find(R"("offset":0)"), 10, R"("offset":1)");
  meta(outside);
  EXPECT_NE(complaint(folder).find("outside"), std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace zoomr
