// What conversations write is true: through turns, cuts, shared beginnings, rests and cancels.
#include "serve/chat.h"
#include "serve/recordings.h"

namespace zoomr {
namespace {

using Traces = std::map<std::uint64_t, std::vector<TraceEvent>>;

template <typename T>
std::vector<T> all_of(const std::vector<TraceEvent>& trace) {
  std::vector<T> found;
  for (const TraceEvent& event : trace) {
    if (const auto* e = std::get_if<T>(&event)) found.push_back(*e);
  }
  return found;
}

class Conversations : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] Server::Options options() const {
    return {.policy = GetParam(), .n_parallel = 3, .budget = 256, .n_cells = 384};
  }
};

TEST_P(Conversations, OfSeveralTurns) {
  Server server(options());
  Recordings recordings(server.get());
  Chat chat{{many(" the", 20)}};
  for (std::uint32_t turn = 1; turn < 5; ++turn) {
    ServeRequest r = chat.request(turn);
    r.sampling.temp = turn == 2 ? 0.5F : 1;
    chat.say(server.answer(std::move(r)));
    chat.messages.push_back(many(" bee", 5));
  }
  server.get().drain(kSoon);
  const Traces& traces = recordings.all();
  expect_true(traces);
  ASSERT_EQ(traces.size(), 1U);
  const auto turns = all_of<TurnEvent>(traces.begin()->second);
  ASSERT_EQ(turns.size(), 3U);
  EXPECT_EQ(turns[0].at, 22 + 40);
  EXPECT_EQ(turns[0].options["temp"], 0.5);
  EXPECT_EQ(turns[1].options["temp"], 1);
  EXPECT_EQ(turns[0].budget, GetParam() == "full" ? 0 : 256);
  EXPECT_EQ(all_of<FinalEvent>(traces.begin()->second).size(), 4U);
}

TEST_P(Conversations, ThatAreCut) {
  Server server(options());
  Recordings recordings(server.get());
  Chat chat{{many(" the", 30)}};
  (void)server.answer(chat.request(1));
  (void)server.answer(chat.request(2));  // another reply
  ServeRequest r = chat.request(3);      // and one more, with a stop text
  r.stops = {" sea", "."};
  const Read read = server.answer(std::move(r));
  EXPECT_FALSE(read.end.stop_text.empty());
  server.get().drain(kSoon);
  const Traces& traces = recordings.all();
  expect_true(traces);
  const auto turns = all_of<TurnEvent>(traces.begin()->second);
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_LT(turns[0].at, 32);
  EXPECT_EQ(all_of<FinalEvent>(traces.begin()->second).back().record["text_bytes"],
            read.text.size());
}

// Four in the cells of one and a half, one after the other, then each goes on, or is cut.
TEST_P(Conversations, ThatRest) {
  Server server({.policy = GetParam(), .n_parallel = 4, .budget = 256, .n_cells = 384});
  Recordings recordings(server.get());
  std::vector<Chat> chats;
  for (const char* word : {" the", " bee", " sea", " a"}) chats.push_back({{many(word, 60)}});
  for (std::uint32_t i = 0; i < 4; ++i) {
    const Read read = server.answer(chats[i].request(i + 1, 120));
    if (i != 2) chats[i].say(read);
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    if (i != 2) chats[i].messages.push_back(many(" bee", 10));
    (void)server.answer(chats[i].request(i + 11, 40));
  }
  server.get().drain(kSoon);
  const Traces& traces = recordings.all();
  expect_true(traces);
  EXPECT_EQ(traces.size(), 4U);
  for (const auto& [session, trace] : traces) {
    EXPECT_EQ(all_of<TurnEvent>(trace).size(), 1U);
    EXPECT_GT(all_of<EditEvent>(trace).size(), 2U);
  }
}

TEST_P(Conversations, ThatBeginAlike) {
  Server server(options());
  Recordings recordings(server.get());
  for (std::uint32_t i = 1; i < 4; ++i) {
    ServeRequest r = request(i, 30, 100);
    for (std::uint32_t n = 0; n < 10; ++n) r.prompt.tokens.push_back(static_cast<Token>(i));
    r.messages = {"a", std::to_string(i)};
    (void)server.answer(std::move(r));
  }
  server.get().drain(kSoon);
  expect_true(recordings.all());
}

TEST_P(Conversations, ThatAreCancelled) {
  Server server(options());
  Recordings recordings(server.get());
  Gate gate;
  server.scripts[1] = gate.behind(10);
  Chat chat{{many(" the", 20)}};
  const auto stream = server.submit(chat.request(1, 100));
  stream->cancel();
  gate.open = true;
  (void)read_all(*stream);
  chat.messages[0] = many(" the", 25);
  (void)server.answer(chat.request(2));
  server.get().drain(kSoon);
  expect_true(recordings.all());
}

INSTANTIATE_TEST_SUITE_P(Policies, Conversations,
                         ::testing::Values("zoomr", "full", "random", "h2o", "streaming-llm"),
                         [](const auto& policy) { return case_name(policy.param); });

// A listener that comes in the middle of a conversation sees that it does.
TEST(Recorded, RecordsAreNumbered) {
  Server server({.budget = 256});
  Chat chat{{many(" the", 20)}};
  chat.say(server.answer(chat.request(1)));
  const auto late = server.get().events();
  chat.messages.push_back(many(" bee", 5));
  (void)server.answer(chat.request(2));
  const auto record = late->next(100ms);
  ASSERT_TRUE(record.has_value());
  const auto json = nlohmann::json::parse(*record);
  EXPECT_EQ(json["t"], "turn");
  EXPECT_GT(json["n"], 50);
}

}  // namespace
}  // namespace zoomr
