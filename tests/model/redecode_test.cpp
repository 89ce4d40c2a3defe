// Traces decoded again on the model that wrote them.
#include "eval/redecode.h"

#include "model/testing.h"
#include "serve/make_service.h"

namespace zoomr {
namespace {

using namespace std::chrono_literals;
using Trace = std::vector<TraceEvent>;

struct Keep final : TraceSink {
  void write(const TraceEvent& event) override { trace.push_back(event); }
  Trace trace;
};

RunOptions options() {
  RunOptions o;
  o.settings.select = "retrieval";
  o.settings.second_look = 0.02F;  // SmolLM2's heads ask for little
  o.settings.window = 32;
  o.budget = {.tokens = 72, .beyond_prompt = true};
  o.n_predict = 240;
  o.sampling.temp = 0;
  o.sampling.ignore_eos = true;
  o.loop_guard = false;
  o.self_test = false;
  o.context = two_threads();
  return o;
}

// A run with second looks, and lines that come back.
const Trace& run_trace() {
  static const Trace trace = [] {
    Keep keep;
    Prompt prompt;
    prompt.text = "<|im_start|>user\n" + std::string(kText) +
                  "\nTell this again, sentence by sentence.<|im_end|>\n<|im_start|>assistant\n";
    Run run(model(kSmol), options(), prompt, {&keep});
    while (run.step()) {
    }
    EXPECT_EQ(run.result().finish_reason, "length") << run.result().failure;
    EXPECT_GT(run.result().zoom_ins, 0);
    EXPECT_GT(run.result().second_looks, 0);
    return keep.trace;
  }();
  return trace;
}

Redecoded again(const Trace& trace) {
  const RedecodeCells cells = redecode_cells(trace);
  const LlamaModel& impl = model(kSmol).impl();
  LlamaKv first(impl, {.n_cells = cells.first, .context = two_threads()});
  LlamaKv second(impl, {.n_cells = cells.second, .n_sessions = 2, .context = two_threads()});
  const Redecoded r = redecode(trace, impl, first, second);
  std::printf("judged %d, not largest %d, gap mean %.5f largest %.4f at %d, noise %.4f\n",
              r.n_judged, r.n_not_largest, r.mean_gap, r.largest_gap, r.worst, r.noise);
  return r;
}

// Where the first edit of a kind stands behind so many tokens.
std::size_t edit_behind(const Trace& trace, EditKind kind, Pos pos) {
  Pos seen = 0;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    if (const auto* token = std::get_if<TokenEvent>(&trace[i])) seen = token->pos;
    const auto* edit = std::get_if<EditEvent>(&trace[i]);
    if (edit != nullptr && edit->kind == kind && seen >= pos) return i;
  }
  throw std::logic_error("no such edit");
}

TEST(Redecoded, ARunSaysWhatItSaid) {
  const Redecoded r = again(run_trace());
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.n_judged, 240);
  EXPECT_LT(r.mean_gap, 0.01);
  EXPECT_LT(r.largest_gap, 1);
  EXPECT_GT(r.n_moves, 20);
  EXPECT_GT(r.noise, 0);
}

TEST(Redecoded, AnotherTokenIsSeen) {
  Trace trace = run_trace();
  for (TraceEvent& event : trace) {
    auto* token = std::get_if<TokenEvent>(&event);
    if (token != nullptr && token->kind != SegmentKind::prompt && token->pos % 100 == 50) {
      token->id = token->id == 788 ? 339 : 788;  // " In"
    }
  }
  const Redecoded r = again(trace);
  EXPECT_FALSE(r.ok());
  EXPECT_GT(r.largest_gap, 5);
}

TEST(Redecoded, AnEditThatIsNotThereIsSeen) {
  for (const EditKind kind : {EditKind::in, EditKind::out}) {
    Trace trace = run_trace();
    trace.erase(trace.begin() + static_cast<std::ptrdiff_t>(edit_behind(trace, kind, 0)));
    EXPECT_THROW((void)again(trace), Error);
  }
}

// Another line of the store comes in, and goes out again when that one did: nothing else is wrong.
TEST(Redecoded, AnotherSpanThatComesInIsSeen) {
  Trace trace = run_trace();
  auto& in = std::get<EditEvent>(trace[edit_behind(trace, EditKind::in, 0)]);
  in.span = {in.span.begin + 1, in.span.end + 1};
  EXPECT_THROW((void)again(trace), Error);
}

// Two conversations side by side: turns, another reply, a rest, a beginning that is shared.
TEST(Redecoded, ConversationsSayWhatTheySaid) {
  RunOptions run = options();
  run.settings.window = 64;
  const auto service = make_service(model(kSmol).impl(),
                                    {.run = run, .n_parallel = 2, .budget = 256, .kv_total = 384},
                                    [](const std::string&) {});
  const auto events = service->events();
  const LlamaModel& impl = model(kSmol).impl();
  const std::vector<std::string> questions = {std::string(kText) + " The girl said:",
                                              std::string(kText) + " Then it rained, and"};
  const auto ask = [&](std::size_t i, std::size_t turn, float temp) {
    const std::string more = "\nAnd what of the boats, number " + std::to_string(turn) + "?\n";
    ServeRequest r;
    r.prompt.tokens = impl.tokenize(questions[i], true, true);
    r.sampling.temp = temp;
    r.sampling.ignore_eos = true;
    r.n_predict = 50;
    r.messages = {questions[i]};
    for (std::size_t t = 1; t <= turn; ++t) {
      r.messages.push_back("a reply");
      r.messages.push_back(std::to_string(t));
      const auto next = impl.tokenize(more, false, true);
      r.prompt.tokens.insert(r.prompt.tokens.end(), next.begin(), next.end());
    }
    r.as_message = [](const std::string&) { return std::string("a reply"); };
    r.continuation = [more](std::size_t) {
      Prompt prompt;
      prompt.text = more;
      return std::optional(prompt);
    };
    return service->submit(std::move(r));
  };
  for (const auto& [turn, temp] : {std::pair{0, 0.F}, {1, 0.F}, {1, 1.F}, {2, 0.F}}) {
    std::vector<std::unique_ptr<ReplyStream>> streams;
    for (std::size_t i = 0; i < 2; ++i) {
      streams.push_back(ask(i, static_cast<std::size_t>(turn), temp));
    }
    for (const auto& stream : streams) {
      while (stream->end() == nullptr) (void)stream->next(1000ms);
      ASSERT_EQ(stream->end()->run.finish_reason, "length") << stream->end()->run.failure;
    }
  }
  service->drain(0ms);
  std::map<int, Trace> traces;
  while (!events->closed()) {
    if (const auto record = events->next(10ms)) {
      traces[nlohmann::json::parse(*record)["session"]].push_back(from_json_line(*record));
    }
  }
  EXPECT_GE(traces.size(), 2U);
  int n_turns = 0;
  for (const auto& [session, trace] : traces) {
    const Redecoded r = again(trace);
    EXPECT_TRUE(r.ok());
    n_turns += r.n_turns;
  }
  EXPECT_EQ(n_turns, 8);
}

}  // namespace
}  // namespace zoomr
