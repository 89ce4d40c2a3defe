// Conversations that begin alike hold that beginning once.
#include <future>

#include "serve/chat.h"

namespace zoomr {
namespace {

// A long system text, then a question of their own.
ServeRequest with_system(const std::string& question, std::uint32_t seed, int n_predict = 30) {
  ServeRequest request;
  for (int i = 0; i < 20; ++i) {
    for (const char* word : {" the", " sea", " sees", " a", " bee", "."}) {
      request.prompt.tokens.push_back(Words::id(word));
    }
  }
  for (int i = 0; i < 10; ++i) request.prompt.tokens.push_back(Words::id(question));
  request.messages = {"the system text", question};
  request.as_message = [](const std::string& text) { return text; };
  request.sampling.seed = seed;
  request.n_predict = n_predict;
  return request;
}

TEST(Shared, ASystemTextIsReadAndHeldOnce) {
  Server server({.n_parallel = 3, .budget = 256});
  EXPECT_EQ(server.answer(with_system(" bee", 1)).end.n_cached, 0);
  const Read second = read_all(*server.submit(with_system(" a", 2)));
  const Read third = read_all(*server.submit(with_system(" the", 3)));
  for (const Read* read : {&second, &third}) {
    EXPECT_GE(read->end.n_cached, 100);
    EXPECT_LE(read->end.n_cached, 120);
    EXPECT_EQ(read->end.run.finish_reason, "length");
  }
  server.get().drain(kSoon);
  const ServiceState state = server.get().state();
  Pos sum = 0;
  for (const SlotState& slot : state.slots) sum += slot.resident;
  EXPECT_GT(sum, state.resident + 200);
}

// It is the same KV as when each reads it for itself, and stays so when the first one is gone.
TEST(Shared, TheKvIsThatOfOneWhoReadsItAlone) {
  Server server({.n_parallel = 2, .budget = 256});
  (void)server.answer(with_system(" bee", 1));
  (void)server.answer(with_system(" a", 2));
  Server alone({.n_parallel = 1, .budget = 256});
  (void)alone.answer(with_system(" a", 2));
  server.scheduler->drain(kSoon);
  alone.scheduler->drain(kSoon);
  const auto positions = alone.kv->resident(0);
  EXPECT_EQ(positions, server.kv->resident(1));
  for (const Pos pos : positions) EXPECT_EQ(server.kv->content(1, pos), alone.kv->content(0, pos));
}

TEST(Shared, OutlivesTheOneWhoReadIt) {
  Server server({.n_parallel = 2, .budget = 256});
  (void)server.answer(with_system(" bee", 1));
  EXPECT_GT(server.answer(with_system(" a", 2)).end.n_cached, 0);
  // Other conversations take the places, one after the other.
  (void)server.answer(request(3, 30, 40));
  const Read read = server.answer(with_system(" the", 4));
  EXPECT_GT(read.end.n_cached, 0);
  EXPECT_EQ(read.end.run.finish_reason, "length");
}

// Three of 160 tokens that begin with the same 120 take 240 cells; each needs 160 to begin.
TEST(Shared, CountsOnceWhereCellsArePromised) {
  Server server({.n_parallel = 3, .budget = 256, .n_cells = 400});
  std::promise<void> third_came;
  server.scripts[2] = [came = third_came.get_future().share()] {
    came.wait();
    return Words::id(" bee");
  };
  (void)server.answer(with_system(" bee", 1));
  const auto second = server.submit(with_system(" a", 2));
  const auto third = server.submit(with_system(" the", 3));
  third_came.set_value();
  EXPECT_GE(read_all(*second).end.n_cached, 100);
  EXPECT_GE(read_all(*third).end.n_cached, 100);
  server.get().drain(kSoon);
  const ServiceState state = server.get().state();
  for (const SlotState& slot : state.slots) {
    EXPECT_GE(slot.resident, 150);
    EXPECT_EQ(slot.stored, 0);
  }
  EXPECT_LE(state.resident, 300);
}

// What a policy gathers over all that was said cannot be taken over in part.
TEST(Shared, NotUnderPoliciesThatGatherMass) {
  Server server({.policy = "h2o", .n_parallel = 2, .budget = 256});
  (void)server.answer(with_system(" bee", 1));
  EXPECT_EQ(server.answer(with_system(" a", 2)).end.n_cached, 0);
}

TEST(Shared, NotWhereAKvCannotGoBack) {
  Server server({.n_parallel = 2, .budget = 256, .can_rewind = false});
  (void)server.answer(with_system(" bee", 1));
  EXPECT_EQ(server.answer(with_system(" a", 2)).end.n_cached, 0);
}

}  // namespace
}  // namespace zoomr
