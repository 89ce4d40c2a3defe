// The scheduler on the fake Kv: who runs, who waits, how replies end.
#include <future>

#include "serve/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

TEST(Scheduler, AnswersARequest) {
  Server server({});
  server.scripts[1] = script(words({" a", " bee", " sees", " the", " sea", "."}));
  const Read read = server.answer(request(1));
  EXPECT_EQ(read.text, " a bee sees the sea.");
  EXPECT_EQ(read.end.run.text, read.text);
  EXPECT_EQ(read.end.run.finish_reason, "stop");
  EXPECT_EQ(read.end.run.n_prompt, 12);
  EXPECT_EQ(read.end.run.n_generated, 6);
  EXPECT_EQ(read.tokens.size(), 6U);
  EXPECT_EQ(read.end.run.seed, 1U);
}

TEST(Scheduler, EndsAtTheMostTokens) {
  Server server({});
  const Read read = server.answer(request(1, 7));
  EXPECT_EQ(read.end.run.finish_reason, "length");
  EXPECT_EQ(read.tokens.size(), 7U);
}

TEST(Scheduler, EndsAtAStopText) {
  Server server({});
  server.scripts[1] = script(words({" a", " bee", " sees", " the", " sea", "."}));
  ServeRequest r = request(1);
  r.stops = {"es the"};
  const Read read = server.answer(std::move(r));
  EXPECT_EQ(read.text, " a bee se");
  EXPECT_EQ(read.end.stop_text, "es the");
  EXPECT_EQ(read.end.run.finish_reason, "stop");
  EXPECT_EQ(read.tokens.size(), 3U);  // the one that is cut among them
}

TEST(Scheduler, SaysHowLikelyEachTokenWas) {
  Server server({});
  ServeRequest r = request(1, 5);
  r.n_top = 3;
  const Read read = server.answer(std::move(r));
  ASSERT_EQ(read.tokens.size(), 5U);
  for (const ReplyToken& token : read.tokens) {
    ASSERT_EQ(token.top.size(), 3U);
    EXPECT_LT(token.token.logprob, 0);
    EXPECT_GE(token.top[0].logprob, token.top[1].logprob);
    EXPECT_GE(token.top[0].logprob, token.token.logprob);
  }
}

// Each reply is what its session says alone, whoever runs beside it.
TEST(Scheduler, SessionsDoNotDisturbEachOther) {
  Server server({});
  std::vector<std::unique_ptr<ReplyStream>> streams;
  for (std::uint32_t seed = 1; seed <= 9; ++seed) {
    server.scripts[seed] = random_words(seed);
    streams.push_back(server.submit(request(seed, 150)));
  }
  for (std::uint32_t seed = 1; seed <= 9; ++seed) {
    const Read read = read_all(*streams[seed - 1]);
    const auto alone = random_words(seed);
    std::vector<Token> tokens;
    for (int i = 0; i < 150; ++i) tokens.push_back(alone());
    EXPECT_EQ(read.text, text_of(tokens));
    EXPECT_EQ(read.end.run.finish_reason, "length");
    EXPECT_GT(read.end.run.zoom_outs, 0);
    EXPECT_LE(read.end.run.peak_resident_tokens, 96);
  }
}

// All that run get a token at every step: none is ahead of another by more than the start.
TEST(Scheduler, IsFair) {
  Server server({.n_parallel = 3});
  std::vector<int> order;
  std::promise<void> all_came;
  const std::shared_future<void> came = all_came.get_future().share();
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    server.scripts[seed] = [&order, seed, came] {
      came.wait();
      order.push_back(static_cast<int>(seed));
      return Words::id(" sea");
    };
  }
  std::vector<std::unique_ptr<ReplyStream>> streams;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    streams.push_back(server.submit(request(seed, 100)));
  }
  all_came.set_value();
  for (auto& stream : streams) (void)read_all(*stream);
  // While all three write, every three tokens in a row are of three sessions.
  const std::size_t middle = order.size() / 2;
  EXPECT_NE(order[middle], order[middle + 1]);
  EXPECT_NE(order[middle], order[middle + 2]);
}

// Who writes goes on while another's long prompt is read, which fits one batch.
TEST(Scheduler, ReadsALongPromptBetweenTheTokensOfOthers) {
  constexpr int kPrompt = 4096;
  int n_written = 0;
  int n_meanwhile = 0;
  std::promise<void> reader_came;
  Server server({.n_parallel = 2, .budget = 5120, .n_cells = 6144, .max_batch = 8192});
  server.limits.max_positions = 8192;
  server.scripts[1] = [&n_written, came = reader_came.get_future().share()] {
    came.wait();
    ++n_written;
    return Words::id(" sea");
  };
  server.scripts[2] = [&] {
    if (n_meanwhile == 0) n_meanwhile = n_written;
    return Words::id(" bee");
  };
  const auto writer = server.submit(request(1, 1500));
  const auto reader = server.submit(request(2, 5, kPrompt));
  reader_came.set_value();
  const Read read = read_all(*reader);
  EXPECT_EQ(read.end.run.finish_reason, "length") << read.end.run.failure;
  EXPECT_EQ(read.end.run.n_prompt, kPrompt);
  EXPECT_GE(n_meanwhile, kPrompt / 512);  // most tokens that a step reads, on any machine
}

TEST(Scheduler, WaitsForAPlaceAndForCells) {
  Gate gate;
  Server server({.n_parallel = 2, .budget = 96, .n_cells = 192});
  server.scripts[1] = gate.behind(3);
  auto first = server.submit(request(1, 200));
  ServeRequest large = request(2, 200);
  large.budget = 150;  // does not fit beside the first
  auto second = server.submit(std::move(large));
  auto third = server.submit(request(3, 200));  // would fit, but came later
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(server.get().state().waiting, 2);
  gate.open = true;
  EXPECT_EQ(read_all(*first).end.run.finish_reason, "length");
  EXPECT_EQ(read_all(*second).end.run.finish_reason, "length");
  EXPECT_EQ(read_all(*third).end.run.finish_reason, "length");
}

TEST(Scheduler, RefusesWhatCanNeverRun) {
  Server server({.n_parallel = 2, .budget = 96});
  ServeRequest large = request(1);
  large.budget = 193;
  EXPECT_THROW((void)server.submit(std::move(large)), Error);
  EXPECT_THROW((void)server.submit(request(1, 10, 90)), Error);    // no room beside the prompt
  EXPECT_THROW((void)server.submit(request(1, 10, 5000)), Error);  // more than all positions
}

TEST(Scheduler, ItsQueueIsLimited) {
  Gate gate;
  Server server({.n_parallel = 1, .queue = 2});
  server.scripts[1] = gate.behind(1);
  std::vector<std::unique_ptr<ReplyStream>> streams;
  streams.push_back(server.submit(request(1, 20)));
  while (server.get().state().slots[0].use == SlotState::Use::free ||
         server.get().state().waiting > 0) {
    std::this_thread::sleep_for(1ms);
  }
  streams.push_back(server.submit(request(2)));
  streams.push_back(server.submit(request(3)));
  try {
    (void)server.submit(request(4));
    FAIL() << "a third one may not wait";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
  }
  gate.open = true;
  for (auto& stream : streams) EXPECT_EQ(read_all(*stream).end.run.finish_reason, "length");
  EXPECT_EQ(server.get().state().totals.refused, 1U);
}

TEST(Scheduler, CancelsWithinOneToken) {
  Server server({.n_parallel = 1});
  ReplyStream* running = nullptr;
  int n_behind = 0;
  std::atomic<bool> ready{false};
  server.scripts[1] = [&, n = 0]() mutable {
    while (!ready) std::this_thread::sleep_for(1ms);
    if (++n == 20) running->cancel();
    if (n > 20) ++n_behind;
    return Words::id(" sea");
  };
  auto stream = server.submit(request(1, 4000));
  running = stream.get();
  ready = true;
  const Read read = read_all(*stream);
  EXPECT_EQ(read.end.run.finish_reason, "interrupted");
  EXPECT_LE(n_behind, 1);
}

TEST(Scheduler, AReaderThatLeavesCancels) {
  Server server({.n_parallel = 1});
  { const auto stream = server.submit(request(1, 4000)); }
  EXPECT_EQ(server.answer(request(2, 5)).end.run.finish_reason, "length");
  EXPECT_EQ(server.get().state().totals.cancelled, 1U);
}

TEST(Scheduler, OneThatFailsEndsNoOther) {
  Server server({});
  server.scripts[1] = [n = 0]() mutable -> Token {
    if (++n == 10) throw std::runtime_error("the grammar has no way on");
    return Words::id(" sea");
  };
  auto failing = server.submit(request(1, 50));
  auto other = server.submit(request(2, 50));
  const Read failed = read_all(*failing);
  EXPECT_EQ(failed.end.run.finish_reason, "error");
  EXPECT_EQ(failed.end.run.failure, "the grammar has no way on");
  EXPECT_EQ(read_all(*other).end.run.finish_reason, "length");
  EXPECT_EQ(server.get().state().totals.failed, 1U);
}

TEST(Scheduler, GoesOnAfterADecodeThatFailed) {
  Server server({});
  server.kv->fail_when([](FakeKv::Site site, int call) {
    return site == FakeKv::Site::decode && call == 5 ? DecodeStatus::failed : DecodeStatus::ok;
  });
  EXPECT_EQ(server.answer(request(1, 50)).end.run.finish_reason, "error");
  EXPECT_EQ(server.answer(request(2, 50)).end.run.finish_reason, "length");
}

TEST(Scheduler, DrainsWhatRunsAndTakesNoMore) {
  Server server({.n_parallel = 1});
  auto first = server.submit(request(1, 50));
  auto second = server.submit(request(2, 50));
  server.get().drain(kSoon);
  EXPECT_EQ(read_all(*first).end.run.finish_reason, "length");
  EXPECT_EQ(read_all(*second).end.run.finish_reason, "length");
  EXPECT_THROW((void)server.submit(request(3)), Error);
  EXPECT_TRUE(server.get().state().draining);
}

TEST(Scheduler, InterruptsWhatDrainingCannotWaitFor) {
  Server server({.n_parallel = 1});
  server.scripts[1] = [] {
    std::this_thread::sleep_for(1ms);
    return Words::id(" sea");
  };
  auto first = server.submit(request(1, 4000));
  auto second = server.submit(request(2, 4000));
  server.get().drain(20ms);
  EXPECT_EQ(read_all(*first).end.run.finish_reason, "interrupted");
  EXPECT_EQ(read_all(*second).end.run.finish_reason, "interrupted");
}

TEST(Scheduler, TellsWhatHappens) {
  Server server({});
  const auto events = server.get().events();
  const Read read = server.answer(request(1, 5));
  std::string types;
  while (const auto record = events->next(0ms)) {
    const auto json = nlohmann::json::parse(*record);
    EXPECT_EQ(json.at("session"), 1);
    EXPECT_NO_THROW((void)from_json_line(*record));
    if (json.contains("type")) types += json["type"].get<std::string>() + " ";
  }
  EXPECT_FALSE(events->closed());
  server.scheduler.reset();
  EXPECT_TRUE(events->closed());
}

TEST(Scheduler, SaysHowThingsStand) {
  Gate gate;
  Server server({.n_parallel = 2, .budget = 96});
  server.scripts[1] = gate.behind(3);
  auto stream = server.submit(request(1, 20));
  while (server.get().state().slots[0].n_generated < 3) std::this_thread::sleep_for(1ms);
  const ServiceState state = server.get().state();
  EXPECT_EQ(state.n_cells, 192);
  EXPECT_EQ(state.slots.size(), 2U);
  EXPECT_EQ(state.slots[0].use, SlotState::Use::generating);
  EXPECT_EQ(state.slots[0].budget, 96);
  EXPECT_GE(state.resident, 12 + 2);
  EXPECT_EQ(state.slots[1].use, SlotState::Use::free);
  EXPECT_EQ(state.totals.generated_tokens, 3U);
  EXPECT_GT(state.totals.generation_seconds, 0);  // of what runs, too
  gate.open = true;
  (void)read_all(*stream);
  while (server.get().state().totals.generated_tokens < 20) std::this_thread::sleep_for(1ms);
}

}  // namespace
}  // namespace zoomr
