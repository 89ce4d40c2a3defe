// The server on a real model: what sessions say side by side is what each says alone, and a turn
// more reads only what is new.
#include <algorithm>
#include <cmath>

#include "api/session_group.h"
#include "model/testing.h"
#include "serve/make_service.h"

namespace zoomr {
namespace {

using namespace std::chrono_literals;

RunOptions run_options() {
  RunOptions options;
  options.context = two_threads();
  options.context.threads = 1;
  options.context.threads_batch = 1;
  options.settings.select = "none";  // needs no heads
  options.loop_guard = false;
  return options;
}

// What a session that holds everything expects at each of the tokens that it is taught.
class Taught final : public Probe {
 public:
  [[nodiscard]] bool logits() const override { return true; }
  void on_logits(Pos /*next*/, std::span<const float> logits) override {
    rows.emplace_back(logits.begin(), logits.end());
  }
  std::vector<std::vector<float>> rows;
};

// The first n_read tokens are read as one batch, all others one by one.
std::vector<std::vector<float>> replay(const std::vector<Token>& prompt,
                                       const std::vector<Token>& said, std::size_t n_read) {
  std::vector<Token> taught(prompt.begin() + static_cast<std::ptrdiff_t>(n_read), prompt.end());
  taught.insert(taught.end(), said.begin(), said.end());
  RunOptions options = run_options();
  options.policy = "full";
  options.n_predict = static_cast<int>(taught.size());
  Taught probe;
  std::vector<SessionGroup::Member> members(1);
  members[0].prompt.tokens.assign(prompt.begin(),
                                  prompt.begin() + static_cast<std::ptrdiff_t>(n_read));
  members[0].prompt.taught = taught;
  members[0].probe = &probe;
  SessionGroup group(model(kSmol).impl(), options, std::move(members));
  while (group.step()) {
  }
  probe.rows.resize(taught.size());  // the one behind the last is of no token
  probe.rows.erase(probe.rows.begin(), probe.rows.end() - static_cast<std::ptrdiff_t>(said.size()));
  return probe.rows;
}

// Each token that was said is the likeliest for a session alone, but for rounding: its logit lies
// no further below the largest than twice what any logit moves when the prompt is read token by
// token instead of as one batch.
void expect_said_alone(const std::vector<Token>& prompt, const std::vector<Token>& said) {
  const auto at_once = replay(prompt, said, prompt.size());
  const auto one_by_one = replay(prompt, said, 1);
  float gap = 0;
  float noise = 0;
  for (std::size_t i = 0; i < said.size(); ++i) {
    const auto& row = at_once[i];
    const float largest = *std::max_element(row.begin(), row.end());
    gap = std::max(gap, largest - row[static_cast<std::size_t>(said[i])]);
    for (std::size_t t = 0; t < row.size(); ++t) {
      noise = std::max(noise, std::fabs(row[t] - one_by_one[i][t]));
    }
  }
  EXPECT_LE(gap, 2 * noise);
  EXPECT_LT(noise, 3);  // of logits that reach some twenty
}

ServeRequest request(const std::string& text, int n_predict) {
  ServeRequest request;
  request.prompt.tokens = model(kSmol).impl().tokenize(text, true, true);
  request.sampling.temp = 0;
  request.sampling.ignore_eos = true;
  request.n_predict = n_predict;
  return request;
}

struct Answer {
  std::vector<Token> tokens;
  ReplyEnd end;
};

Answer read_all(ReplyStream& stream) {
  Answer answer;
  while (stream.end() == nullptr) {
    if (const auto part = stream.next(1000ms)) {
      for (const ReplyToken& token : part->tokens) answer.tokens.push_back(token.token.token);
    }
  }
  answer.end = *stream.end();
  return answer;
}

std::unique_ptr<Service> serve(const ServeOptions& options) {
  return make_service(model(kSmol).impl(), options, [](const std::string&) {});
}

TEST(Serve, SessionsSideBySideSayWhatEachSaysAlone) {
  const auto service = serve({.run = run_options(), .n_parallel = 4, .budget = 256});
  std::vector<ServeRequest> requests = {request("The capital of France is", 40), request(kText, 40),
                                        request("A list of colours: red, green,", 40),
                                        request("Once upon a time there was", 40)};
  std::vector<std::unique_ptr<ReplyStream>> streams;
  std::vector<std::vector<Token>> prompts;
  for (ServeRequest& r : requests) {
    prompts.push_back(r.prompt.tokens);
    streams.push_back(service->submit(std::move(r)));
  }
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const Answer answer = read_all(*streams[i]);
    ASSERT_EQ(answer.end.run.finish_reason, "length") << answer.end.run.failure;
    ASSERT_EQ(answer.tokens.size(), 40U);
    SCOPED_TRACE(i);
    expect_said_alone(prompts[i], answer.tokens);
  }
}

// Four in the cells of two: idle ones are zoomed out whole, and come back the same.
TEST(Serve, ATurnMoreReadsOnlyWhatIsNewAndSaysTheSame) {
  const LlamaModel& impl = model(kSmol).impl();
  const auto service =
      serve({.run = run_options(), .n_parallel = 4, .budget = 256, .kv_total = 512});
  const std::vector<std::string> questions = {"The capital of France is",
                                              "A list of colours: red, green,",
                                              "Once upon a time there was", "The sea is"};
  std::vector<std::vector<Token>> prompts;
  std::vector<std::vector<Token>> said;
  const auto ask = [&](std::size_t i, const std::string& text) {
    ServeRequest r = request(text, 70);
    r.messages = {questions[i]};
    r.as_message = [](const std::string&) { return std::string("the reply"); };
    return r;
  };
  for (std::size_t i = 0; i < questions.size(); ++i) {
    ServeRequest r = ask(i, questions[i]);
    prompts.push_back(r.prompt.tokens);
    const auto stream = service->submit(std::move(r));
    said.push_back(read_all(*stream).tokens);
  }
  const std::string more = "\nAnd now something else: the weather is";
  const std::vector<Token> next = impl.tokenize(more, false, true);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    ServeRequest r = ask(i, questions[i] + " ... " + more);
    r.messages = {questions[i], "the reply", more};
    r.continuation = [&](std::size_t n) {
      EXPECT_EQ(n, 2U);
      Prompt prompt;
      prompt.text = more;
      return std::optional(prompt);
    };
    std::vector<Token> whole = prompts[i];
    whole.insert(whole.end(), said[i].begin(), said[i].end());
    whole.insert(whole.end(), next.begin(), next.end());
    const auto stream = service->submit(std::move(r));
    const Answer answer = read_all(*stream);
    ASSERT_EQ(answer.end.run.finish_reason, "length") << answer.end.run.failure;
    EXPECT_EQ(answer.end.run.n_prompt, static_cast<int>(whole.size()));
    EXPECT_GE(answer.end.n_cached, static_cast<int>(prompts[i].size() + said[i].size()) - 1);
    SCOPED_TRACE(i);
    expect_said_alone(whole, answer.tokens);
  }
  EXPECT_GT(service->state().totals.cached_tokens, 0U);
}

// The second one takes the beginning over, and says what it would have said.
TEST(Serve, ABeginningIsReadOnce) {
  const auto service = serve({.run = run_options(), .n_parallel = 2, .budget = 256});
  const std::string system = std::string(kText).substr(0, 400);
  (void)read_all(*service->submit(request(system + " And the girl", 5)));
  ServeRequest r = request(system + " Then the boat", 40);
  const std::vector<Token> prompt = r.prompt.tokens;
  const Answer answer = read_all(*service->submit(std::move(r)));
  EXPECT_GT(answer.end.n_cached, 50);
  EXPECT_LT(service->state().resident, 2 * 100);
  expect_said_alone(prompt, answer.tokens);
}

TEST(Serve, AGrammarThatDoesNotParseIsRefused) {
  const auto service = serve({.run = run_options(), .n_parallel = 1, .budget = 256});
  ServeRequest r = request("The sea is", 5);
  r.sampling.grammar = "root ::= (";
  EXPECT_THROW((void)service->submit(std::move(r)), Error);
}

}  // namespace
}  // namespace zoomr
