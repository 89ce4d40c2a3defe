// Conversations that go on: what is read again, what is not, and when nothing is found.
#include "serve/chat.h"

namespace zoomr {
namespace {

class Kept : public ::testing::TestWithParam<std::string> {};

TEST_P(Kept, ATurnMoreReadsOnlyWhatIsNew) {
  Server server({.policy = GetParam(), .budget = 200});
  Chat chat{{many(" the", 20)}};
  const Read first = server.answer(chat.request(1));
  EXPECT_EQ(first.end.n_cached, 0);
  chat.say(first);
  chat.messages.push_back(many(" bee", 10));
  const Read second = server.answer(chat.request(2));
  EXPECT_EQ(second.end.run.finish_reason, "length") << second.end.run.failure;
  EXPECT_EQ(second.end.run.n_prompt, 22 + 40 + 12);
  EXPECT_EQ(second.end.run.n_generated, 40);
  // All but the last token of the reply, which was never decoded.
  EXPECT_GE(second.end.n_cached, 22 + 39);
  chat.say(second);
  chat.messages.push_back(many(" a", 5));
  const Read third = server.answer(chat.request(3));
  EXPECT_GE(third.end.n_cached, 22 + 40 + 12 + 39);
  EXPECT_EQ(third.end.run.finish_reason, "length") << third.end.run.failure;
}

// Policy full ends at its budget instead.
class KeptInLittle : public Kept {};

TEST_P(KeptInLittle, ManyTurnsInASmallBudget) {
  Server server({.policy = GetParam(), .n_parallel = 2, .budget = 256});
  Chat chat{{many(" the", 20)}};
  Pos n_past = 0;
  for (std::uint32_t turn = 1; turn < 16; ++turn) {
    const int n_new = turn % 4 == 0 ? 300 : 10;  // now and then more than the budget
    const Read read = server.answer(chat.request(turn, 60));
    ASSERT_EQ(read.end.run.finish_reason, "length") << turn << ": " << read.end.run.failure;
    ASSERT_LE(read.end.run.peak_resident_tokens, 256);
    ASSERT_GE(read.end.n_cached, n_past - 1) << turn;
    n_past = read.end.run.n_prompt + 60;
    chat.say(read);
    chat.messages.push_back(many(" bee", n_new));
  }
}

TEST_P(Kept, AnotherReplyCutsThere) {
  Server server({.policy = GetParam(), .budget = 256});
  Chat chat{{many(" the", 30)}};
  (void)server.answer(chat.request(1));
  const Read again = server.answer(chat.request(2));
  EXPECT_EQ(again.end.run.finish_reason, "length");
  EXPECT_EQ(again.end.run.n_prompt, 32);
  EXPECT_GE(again.end.n_cached, 32 - 12);  // but for the last line
  EXPECT_LT(again.end.n_cached, 32);
  // The same as if it had been read alone.
  Server alone({.policy = GetParam(), .budget = 256});
  EXPECT_EQ(again.text, alone.answer(chat.request(2)).text);
}

INSTANTIATE_TEST_SUITE_P(Policies, KeptInLittle,
                         ::testing::Values("zoomr", "random", "h2o", "streaming-llm"),
                         [](const auto& policy) { return case_name(policy.param); });
INSTANTIATE_TEST_SUITE_P(Policies, Kept,
                         ::testing::Values("zoomr", "full", "random", "h2o", "streaming-llm"),
                         [](const auto& policy) { return case_name(policy.param); });

// The Kv holds after a turn more what it would hold had all been read at once, where nothing was
// zoomed.
TEST(KeptKv, IsThatOfAConversationReadAtOnce) {
  Server server({.n_parallel = 1, .budget = 400});
  Chat chat{{many(" the", 20)}};
  chat.say(server.answer(chat.request(1)));
  chat.messages.push_back(many(" bee", 10));
  chat.say(server.answer(chat.request(2)));
  Server other({.n_parallel = 1, .budget = 400});
  ServeRequest whole;
  whole.prompt.tokens = chat.rendered(0);
  whole.prompt.tokens.pop_back();
  const Token last = chat.rendered(0).back();
  whole.n_predict = 1;
  whole.sampling.seed = 9;
  other.scripts[9] = script({last});
  (void)other.answer(std::move(whole));
  server.scheduler->drain(kSoon);
  other.scheduler->drain(kSoon);
  const auto positions = other.kv->resident(0);
  EXPECT_GT(positions.size(), 100U);
  for (const Pos pos : positions) EXPECT_EQ(server.kv->content(0, pos), other.kv->content(0, pos));
}

TEST(KeptTurns, AnEditedMessageCutsThere) {
  Server server({.budget = 256});
  Chat chat{{many(" the", 40)}};
  chat.say(server.answer(chat.request(1)));
  chat.messages.push_back(many(" bee", 10));
  (void)server.answer(chat.request(2));
  chat.messages[2] = many(" sea", 10);
  const Read edited = server.answer(chat.request(3));
  EXPECT_GT(edited.end.n_cached, 42 + 20);
  EXPECT_LT(edited.end.n_cached, 42 + 42);
  EXPECT_EQ(edited.end.run.n_prompt, 42 + 40 + 12);
}

// Two places keep a beginning of the third turn: one all before it, one its first turn alone.
TEST(KeptTurns, TheLongestMatchWins) {
  for (const bool strict : {false, true}) {
    for (const std::size_t longer : {0, 1}) {
      SCOPED_TRACE((strict ? "by tokens, the longer one in place " : "the longer one in place ") +
                   std::to_string(longer));
      Gate gate;
      Server server({.n_parallel = 2, .budget = 256});
      server.limits.strict_turns = strict;
      server.scripts[1] = [] { return Words::id(" sea"); };
      server.scripts[2] = gate.behind(3);
      // Another conversation takes place 0; what comes third has it forgotten.
      if (longer == 1) (void)server.answer(Chat{{many(" bee", 20)}}.request(7));
      Chat chat{{many(" the", 20)}};
      const ServeRequest first = chat.request(1);
      chat.say(server.answer(first));
      chat.messages.push_back(many(" bee", 10));
      const auto second = server.submit(chat.request(2));
      const auto again = server.submit(first);  // begins beside the second turn, in the other place
      gate.open = true;
      const Read read = read_all(*second);
      (void)read_all(*again);
      chat.say(read);
      chat.messages.push_back(many(" a", 10));
      const Read third = server.answer(chat.request(1));
      EXPECT_EQ(third.end.run.finish_reason, "length") << third.end.run.failure;
      EXPECT_GE(third.end.n_cached, 22 + 40 + 12 + 39);
      server.scheduler->drain(kSoon);
      const ServiceState state = server.scheduler->state();
      EXPECT_EQ(state.slots[longer].n_past, 22 + 40 + 12 + 40 + 12 + 40);
      EXPECT_EQ(state.slots[1 - longer].n_past, 22 + 40);
    }
  }
}

TEST(KeptTurns, StrictOnesReadAgainWhatWasThought) {
  for (const bool strict : {false, true}) {
    Server server({.budget = 256});
    server.limits.strict_turns = strict;
    Chat chat{{many(" the", 40)}};
    ServeRequest r = chat.request(1);
    // The client sends only a part of what was said: the rest was thinking.
    r.as_message = [](const std::string&) { return Chat::canonical(words({" sea", "."})); };
    (void)server.answer(std::move(r));
    chat.messages.push_back(words({" sea", "."}));
    chat.messages.push_back(many(" bee", 10));
    const Read read = server.answer(chat.request(2));
    EXPECT_EQ(read.end.run.n_prompt, strict ? 42 + 2 + 12 : 42 + 40 + 12);
    EXPECT_EQ(read.end.n_cached > 42, !strict);
  }
}

TEST(KeptTurns, AStopTextIsNoPartOfThem) {
  Server server({.budget = 256});
  server.scripts[1] = script(words({" a", " bee", " sees", " the", " sea", " sea", ".", " the"}));
  Chat chat{{many(" the", 30)}};
  ServeRequest r = chat.request(1);
  r.stops = {" sea."};
  const Read first = server.answer(std::move(r));
  EXPECT_EQ(first.text, " a bee sees the sea");
  chat.say(first);
  chat.messages.push_back(many(" bee", 10));
  const Read second = server.answer(chat.request(2));
  EXPECT_EQ(second.end.run.n_prompt, 32 + 5 + 12);
  EXPECT_GE(second.end.n_cached, 20);
}

TEST(KeptTurns, AtTheLastPositionsTheConversationIsReadAgain) {
  Server server({.budget = 256});
  server.limits.max_positions = 160;
  Chat chat{{many(" the", 20)}};
  ServeRequest r = chat.request(1, 100);
  r.as_message = [](const std::string&) { return Chat::canonical(words({" sea", "."})); };
  (void)server.answer(std::move(r));
  chat.messages.push_back(words({" sea", "."}));
  chat.messages.push_back(many(" bee", 10));
  const Read read = server.answer(chat.request(2, 30));
  EXPECT_EQ(read.end.run.n_prompt, 22 + 2 + 12);
  EXPECT_EQ(read.end.run.finish_reason, "length");
  EXPECT_EQ(read.end.run.n_generated, 30);
}

TEST(KeptTurns, AKvThatCannotGoBackReadsAgain) {
  Server server({.budget = 256, .can_rewind = false});
  Chat chat{{many(" the", 30)}};
  const Read first = server.answer(chat.request(1));
  const Read again = server.answer(chat.request(2));  // a cut
  EXPECT_EQ(again.end.n_cached, 0);
  EXPECT_EQ(again.end.run.finish_reason, "length");
  chat.say(again);
  chat.messages.push_back(many(" bee", 10));
  EXPECT_GT(server.answer(chat.request(3)).end.n_cached,
            0);  // going on needs no way back
}

class Idle : public ::testing::TestWithParam<std::string> {};

// Four conversations in the cells of one and a half: each comes back without being read again.
TEST_P(Idle, ComesBackWithoutBeingReadAgain) {
  Server server({.policy = GetParam(), .n_parallel = 4, .budget = 256, .n_cells = 384});
  std::vector<Chat> chats;
  for (const char* word : {" the", " bee", " sea", " a"}) chats.push_back({{many(word, 60)}});
  for (std::uint32_t i = 0; i < 4; ++i) chats[i].say(server.answer(chats[i].request(i + 1, 120)));
  for (std::uint32_t i = 0; i < 4; ++i) {
    chats[i].messages.push_back(many(" bee", 10));
    const Read read = server.answer(chats[i].request(i + 11, 40));
    EXPECT_EQ(read.end.run.finish_reason, "length") << read.end.run.failure;
    EXPECT_GE(read.end.n_cached, 60 + 119) << i;
    EXPECT_EQ(read.end.run.n_prompt, 62 + 120 + 12);
  }
}
INSTANTIATE_TEST_SUITE_P(Policies, Idle,
                         ::testing::Values("zoomr", "full", "random", "h2o", "streaming-llm"),
                         [](const auto& policy) { return case_name(policy.param); });

// What comes back is what went: the same KV as if no one else had been there.
class IdleKv : public ::testing::TestWithParam<const char*> {};  // --select

TEST_P(IdleKv, IsUnchanged) {
  const auto talk = [](Server& server, bool disturbed) {
    Chat chat{{many(" the", 60)}};
    chat.say(server.answer(chat.request(1, 100)));
    if (disturbed) (void)server.answer(Chat{{many(" sea", 100)}}.request(7, 120));
    chat.messages.push_back(many(" bee", 10));
    const Read read = server.answer(chat.request(2, 40));
    EXPECT_GT(read.end.n_cached, 100);
    server.scheduler->drain(kSoon);
  };
  Server quiet({.n_parallel = 2, .budget = 256, .n_cells = 300, .select = GetParam()});
  Server busy({.n_parallel = 2, .budget = 256, .n_cells = 300, .select = GetParam()});
  talk(quiet, false);
  talk(busy, true);
  const auto positions = quiet.kv->resident(0);
  EXPECT_EQ(positions, busy.kv->resident(0));
  for (const Pos pos : positions) EXPECT_EQ(quiet.kv->content(0, pos), busy.kv->content(0, pos));
}

INSTANTIATE_TEST_SUITE_P(Selections, IdleKv, ::testing::Values("none", "paper", "retrieval"));

TEST(Idle, KvThatIsDamagedIsReadAgain) {
  Server server({.n_parallel = 2, .budget = 256, .n_cells = 300});
  Chat chat{{many(" the", 60)}};
  chat.say(server.answer(chat.request(1, 100)));
  (void)server.answer(Chat{{many(" sea", 100)}}.request(7, 120));
  server.kv->fail_when([](FakeKv::Site site, int) {
    return site == FakeKv::Site::restore ? DecodeStatus::no_room : DecodeStatus::ok;
  });
  chat.messages.push_back(many(" bee", 10));
  const Read read = server.answer(chat.request(2, 20));
  EXPECT_EQ(read.end.n_cached, 0);
  EXPECT_EQ(read.end.run.finish_reason, "length");
}

TEST(Places, TheOldestIsForgottenWhenNoneIsFree) {
  Server server({.n_parallel = 2, .budget = 256});
  Chat a{{many(" the", 20)}};
  Chat b{{many(" bee", 20)}};
  a.say(server.answer(a.request(1)));
  b.say(server.answer(b.request(2)));
  (void)server.answer(Chat{{many(" sea", 20)}}.request(3));
  b.messages.push_back(many(" a", 5));
  EXPECT_GT(server.answer(b.request(4)).end.n_cached, 50);
  a.messages.push_back(many(" a", 5));
  EXPECT_EQ(server.answer(a.request(5)).end.n_cached, 0);
}

}  // namespace
}  // namespace zoomr
