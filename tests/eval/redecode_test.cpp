// Traces decoded again, on the fake Kv: what is visible decides each of its logits, so any KV that
// is not the trace's is seen.
#include "eval/redecode.h"

#include "serve/chat.h"
#include "serve/recordings.h"

namespace zoomr {
namespace {

using Trace = std::vector<TraceEvent>;

Redecoded again(const Trace& trace) {
  const RedecodeCells cells = redecode_cells(trace);
  const int n_vocab = static_cast<int>(Words::all().size());
  FakeKv first({.n_cells = cells.first, .n_vocab = n_vocab});
  FakeKv second({.n_cells = cells.second, .n_vocab = n_vocab});
  return redecode(trace, Words(), first, second);
}

// Three conversations that take turns in the cells of one and a half; each second turn is at
// temperature 1.
std::map<std::uint64_t, Trace> conversations(const std::string& policy, const std::string& select) {
  Server server(
      {.policy = policy, .n_parallel = 3, .budget = 256, .n_cells = 384, .select = select});
  Recordings recordings(server.get());
  std::vector<Chat> chats;
  for (const char* word : {" the", " bee", " sea"}) chats.push_back({{many(word, 60)}});
  for (std::uint32_t turn = 0; turn < 4; ++turn) {
    for (Chat& chat : chats) {
      ServeRequest r = chat.request(turn, 90);
      r.sampling.temp = turn == 1 ? 1 : 0;
      r.sampling.ignore_eos = true;
      const Read read = server.answer(std::move(r));
      if (turn == 2) continue;  // the next one is another reply
      chat.say(read);
      chat.messages.push_back(many(" a", 5));
    }
  }
  server.get().drain(kSoon);
  return recordings.all();
}

class Redecode : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Redecode, ConversationsSayWhatTheySaid) {
  const auto [policy, select] = GetParam();
  int n_judged = 0;
  int n_not_judged = 0;
  int most_turns = 0;
  for (const auto& [session, trace] : conversations(policy, select)) {
    int n_sampled = 0;  // at temperature 0
    int n_all = 0;
    bool judges = true;
    for (const TraceEvent& event : trace) {
      if (const auto* turn = std::get_if<TurnEvent>(&event)) judges = turn->options["temp"] == 0;
      const auto* token = std::get_if<TokenEvent>(&event);
      if (token == nullptr || token->kind == SegmentKind::prompt) continue;
      ++n_all;
      if (judges) ++n_sampled;
    }
    const Redecoded r = again(trace);
    EXPECT_EQ(r.n_judged, n_sampled);
    EXPECT_EQ(r.n_not_largest, 0);
    EXPECT_EQ(r.largest_gap, 0);
    EXPECT_EQ(r.noise, 0);
    EXPECT_EQ(r.worst, -1);
    EXPECT_TRUE(r.ok());
    n_judged += r.n_judged;
    n_not_judged += n_all - r.n_judged;
    most_turns = std::max(most_turns, r.n_turns);
  }
  EXPECT_GT(n_judged, 100);
  EXPECT_GE(n_not_judged, 90);
  EXPECT_GE(most_turns, 3);
}

INSTANTIATE_TEST_SUITE_P(Policies, Redecode,
                         ::testing::Values(std::pair{"zoomr", "none"},
                                           std::pair{"zoomr", "retrieval"},
                                           std::pair{"zoomr", "paper"}, std::pair{"random", "none"},
                                           std::pair{"h2o", "none"}),
                         [](const auto& test) {
                           return case_name(std::string(test.param.first) + "_" +
                                            test.param.second);
                         });

// A trace of one turn in little memory, at temperature 0.
Trace one_turn() {
  Server server({.n_parallel = 1, .budget = 96, .select = "retrieval"});
  Recordings recordings(server.get());
  ServeRequest r = request(1, 200);
  r.sampling.temp = 0;
  r.sampling.ignore_eos = true;
  EXPECT_GT(server.answer(std::move(r)).end.run.zoom_ins, 4);
  server.get().drain(kSoon);
  Trace trace = recordings.all().begin()->second;
  auto& record = std::get<FinalEvent>(trace.back()).record;
  for (const char* key : {"zoom_ins", "zoom_outs", "bytes_moved", "peak_resident_tokens"}) {
    record.erase(key);
  }
  return trace;
}

std::vector<std::size_t> edits(const Trace& trace, EditKind kind) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const auto* edit = std::get_if<EditEvent>(&trace[i]);
    if (edit != nullptr && edit->kind == kind) found.push_back(i);
  }
  return found;
}

TEST(RedecodeTampered, AnotherTokenIsSeen) {
  Trace trace = one_turn();
  EXPECT_TRUE(again(trace).ok());
  for (TraceEvent& event : trace) {
    auto* token = std::get_if<TokenEvent>(&event);
    if (token == nullptr || token->pos != 60) continue;
    token->id = (token->id + 1) % Words::kEnd;
  }
  const Redecoded r = again(trace);
  EXPECT_FALSE(r.ok());
  EXPECT_GT(r.n_not_largest, 0);
  EXPECT_GE(r.worst, 60);
}

// Each line that goes out and comes back later, as if it had been there all the time.
TEST(RedecodeTampered, ALineThatWasNotAwayIsSeen) {
  const Trace trace = one_turn();
  int n_tried = 0;
  for (const std::size_t out : edits(trace, EditKind::out)) {
    const Span span = std::get<EditEvent>(trace[out]).span;
    const auto ins = edits(trace, EditKind::in);
    const auto in = std::find_if(ins.begin(), ins.end(), [&](std::size_t i) {
      return i > out && std::get<EditEvent>(trace[i]).span == span;
    });
    if (in == ins.end()) continue;
    // A token was drawn without it; what a second look decoded again does not count.
    bool decoded = false;
    bool drawn = false;
    for (std::size_t i = out; i < *in; ++i) {
      decoded |= std::holds_alternative<DecodeEvent>(trace[i]);
      drawn |= decoded && std::holds_alternative<TokenEvent>(trace[i]);
    }
    if (!drawn) continue;
    Trace lie = trace;
    lie.erase(lie.begin() + static_cast<std::ptrdiff_t>(*in));
    lie.erase(lie.begin() + static_cast<std::ptrdiff_t>(out));
    std::get<RunEvent>(lie.front()).budget = 0;  // or it would be too much
    EXPECT_FALSE(again(lie).ok());
    ++n_tried;
  }
  EXPECT_GT(n_tried, 0);
}

TEST(RedecodeTampered, AnEditLeftOutIsNotTrue) {
  const Trace trace = one_turn();
  for (const EditKind kind : {EditKind::in, EditKind::out}) {
    Trace lie = trace;
    lie.erase(lie.begin() + static_cast<std::ptrdiff_t>(edits(trace, kind).front()));
    EXPECT_THROW((void)again(lie), Error);
  }
}

TEST(RedecodeTampered, ASpanThatWentOutAsAnotherIsRefused) {
  Trace trace = one_turn();
  const auto ins = edits(trace, EditKind::in);
  auto& in = std::get<EditEvent>(trace[ins.front()]);
  --in.span.end;
  EXPECT_THROW((void)again(trace), Error);
}

TEST(RedecodeFailing, SaysWhatCouldNotBeDone) {
  const Trace trace = one_turn();
  const RedecodeCells cells = redecode_cells(trace);
  const int n_vocab = static_cast<int>(Words::all().size());
  for (const auto site : {FakeKv::Site::decode, FakeKv::Site::save, FakeKv::Site::restore}) {
    FakeKv first({.n_cells = cells.first, .n_vocab = n_vocab});
    FakeKv second({.n_cells = cells.second, .n_vocab = n_vocab});
    first.fail_when([site](FakeKv::Site at, int n) {
      return at == site && n == 1 ? DecodeStatus::no_room : DecodeStatus::ok;
    });
    EXPECT_THROW((void)redecode(trace, Words(), first, second), Error);
  }
}

TEST(TakesLargest, OnlyPlainGreedySampling) {
  EXPECT_TRUE(takes_largest(sampling_settings({.temp = 0})));
  EXPECT_TRUE(takes_largest(sampling_settings({.temp = 0, .ignore_eos = true})));
  EXPECT_FALSE(takes_largest(sampling_settings({})));
  EXPECT_FALSE(takes_largest(nlohmann::ordered_json::object()));
  for (const SamplingOptions& o :
       {SamplingOptions{.samplers = "top_k", .temp = 0},
        SamplingOptions{.temp = 0, .typical_p = 0.5F},
        SamplingOptions{.temp = 0, .repeat_penalty = 1.1F},
        SamplingOptions{.temp = 0, .logit_bias = {{.token = 1, .bias = 2}}},
        SamplingOptions{.temp = 0, .grammar = "root ::= \"a\""}}) {
    EXPECT_FALSE(takes_largest(sampling_settings(o)));
  }
  EXPECT_THROW((void)takes_largest({{"temp", "cold"}}), Error);
}

TEST(ContextOptions, ComeBackFromTheSettings) {
  RunOptions o;
  o.context.type_k = "q8_0";
  o.context.rope_freq_base = 5000;
  o.context.n_batch = 128;
  o.context.threads = 7;
  const ContextOptions back = context_options(run_settings(o));
  EXPECT_EQ(back.type_k, "q8_0");
  EXPECT_EQ(back.type_v, "f16");
  EXPECT_EQ(back.rope_freq_base, 5000);
  EXPECT_EQ(back.n_batch, 128);
  EXPECT_EQ(back.threads, 0);  // the machine's
  EXPECT_THROW((void)context_options({{"cache-type-k", 7}}), Error);
}

}  // namespace
}  // namespace zoomr
