// Clients that come, talk on, change their minds, edit and leave, at random: no reply fails, none
// is another's, the cells are never exceeded (the fake refuses then, and a reply would fail), and
// what each conversation wrote is true.
#include "serve/chat.h"
#include "serve/recordings.h"

namespace zoomr {
namespace {

struct Case {
  std::string policy;
  unsigned seed = 0;
  std::string select = "none";
  bool can_rewind = true;
};

class Clients : public ::testing::TestWithParam<Case> {};

TEST_P(Clients, AreAllAnswered) {
  const Case& c = GetParam();
  std::mt19937 random(c.seed);
  const auto one_of = [&random](int n) { return static_cast<int>(random() % unsigned(n)); };
  // Cells of two and a half sessions for four places.
  Server server({.policy = c.policy,
                 .n_parallel = 4,
                 .budget = 256,
                 .n_cells = 640,
                 .can_rewind = c.can_rewind,
                 .select = c.select});
  struct Client {
    Chat chat;
    std::unique_ptr<ReplyStream> stream;
    bool leaves = false;
  };
  Recordings recordings(server.get());
  std::vector<Client> clients(6);
  const char* const openings[] = {" the", " bee", " sea"};
  std::uint32_t seed = c.seed * 1000;
  int n_answered = 0;
  for (int round = 0; round < 60; ++round) {
    for (Client& client : clients) {
      std::vector<std::vector<Token>>& messages = client.chat.messages;
      if (client.stream || one_of(3) == 0) continue;
      const bool full = c.policy == "full";  // ends at its budget
      if (messages.size() > 10 || (full && client.chat.rendered(0).size() > 120)) messages.clear();
      if (messages.empty()) {
        messages.push_back(many(openings[one_of(3)], 20 + one_of(40)));
      } else if (messages.size() % 2 == 0) {  // a turn more, or another reply to the last one
        if (one_of(4) == 0) {
          messages.pop_back();
        } else {
          messages.push_back(many(" a", 1 + one_of(full ? 20 : 90)));
        }
      }
      if (messages.size() > 2 && one_of(5) == 0) {  // an earlier message, edited
        messages.resize(messages.size() - 2);
        messages.back() = many(" sees", 5 + one_of(30));
      }
      ServeRequest request = client.chat.request(++seed, 10 + one_of(70));
      if (one_of(4) == 0) request.budget = full ? 256 : 256 + one_of(200);
      if (one_of(4) == 0) request.stops = {" sea.", " bee bee"};
      client.stream = server.submit(std::move(request));
      client.leaves = one_of(8) == 0;
    }
    for (Client& client : clients) {
      if (!client.stream || one_of(2) == 0) continue;
      if (client.leaves) {
        client.stream->cancel();
        (void)read_all(*client.stream);
        client.stream.reset();
        client.chat.messages.clear();
        continue;
      }
      const Read read = read_all(*client.stream);
      client.stream.reset();
      ASSERT_TRUE(read.end.run.finish_reason == "length" || read.end.run.finish_reason == "stop")
          << read.end.run.finish_reason << ": " << read.end.run.failure;
      ASSERT_LE(read.end.n_cached, read.end.run.n_prompt);
      ++n_answered;
      if (read.text.empty()) {
        client.chat.messages.clear();
      } else {
        client.chat.say(read);
      }
      const ServiceState state = server.get().state();
      ASSERT_LE(state.resident, state.n_cells);
    }
  }
  EXPECT_GT(n_answered, 40);
  EXPECT_GT(server.get().state().totals.cached_tokens, 0U);
  EXPECT_EQ(server.get().state().totals.failed, 0U);
  clients.clear();
  server.get().drain(kSoon);
  expect_true(recordings.all());
}

INSTANTIATE_TEST_SUITE_P(
    Policies, Clients,
    ::testing::Values(Case{"zoomr", 1}, Case{"zoomr", 2, "paper"}, Case{"zoomr", 3, "retrieval"},
                      Case{"zoomr", 4, "retrieval"}, Case{"zoomr", 5, "none", false},
                      Case{"random", 6}, Case{"full", 7}, Case{"h2o", 8}, Case{"r-kv", 9},
                      Case{"streaming-llm", 10}),
    [](const auto& test) {
      return case_name(test.param.policy + "_" + std::to_string(test.param.seed));
    });

}  // namespace
}  // namespace zoomr
