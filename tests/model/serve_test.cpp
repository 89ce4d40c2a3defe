// The server on a real model: what sessions say side by side is what each says alone, and a turn
// more reads only what is new.
#include <algorithm>
#include <thread>

#include "api/session_group.h"
#include "model/testing.h"
#include "serve/make_service.h"

namespace zoomr {
namespace {

using namespace std::chrono_literals;

// Rounding of sums over cells that lie in another order, and of products in a batch of another
// size: how far the logit of a token that was chosen may lie below the largest of a session alone.
// ExactnessTest measures up to 0.06 for permuted cells of f16 on this model.
constexpr float kNoise = 0.12F;

RunOptions run_options() {
  RunOptions options;
  options.context = two_threads();
  options.context.threads = 1;
  options.context.threads_batch = 1;
  options.settings.select = "none";  // needs no heads
  options.loop_guard = false;
  return options;
}

// How far each taught token's logit lies below the largest, in a session that is alone and holds
// everything.
class Gaps final : public Probe {
 public:
  Gaps(std::vector<Token> prompt, std::vector<Token> said)
      : prompt_(std::move(prompt)), said_(std::move(said)) {}
  [[nodiscard]] bool logits() const override { return true; }
  void on_logits(Pos next, std::span<const float> logits) override {
    const std::size_t i = static_cast<std::size_t>(next) - prompt_.size();
    if (i >= said_.size()) return;
    const float largest = *std::max_element(logits.begin(), logits.end());
    largest_gap_ = std::max(largest_gap_, largest - logits[static_cast<std::size_t>(said_[i])]);
    ++n_seen_;
  }
  // REQUIRES: once.
  float measure() {
    RunOptions options = run_options();
    options.policy = "full";
    options.n_predict = static_cast<int>(said_.size());
    std::vector<SessionGroup::Member> members(1);
    members[0].prompt.tokens = prompt_;
    members[0].prompt.taught = said_;
    members[0].probe = this;
    SessionGroup group(model(kSmol).impl(), options, std::move(members));
    while (group.step()) {
    }
    EXPECT_EQ(n_seen_, said_.size());
    return largest_gap_;
  }

 private:
  std::vector<Token> prompt_;
  std::vector<Token> said_;
  float largest_gap_ = 0;
  std::size_t n_seen_ = 0;
};

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
  std::vector<ServeRequest> requests = {request("The capital of France is", 60), request(kText, 60),
                                        request("A list of colours: red, green,", 60),
                                        request("Once upon a time there was", 60)};
  std::vector<std::unique_ptr<ReplyStream>> streams;
  std::vector<std::vector<Token>> prompts;
  for (ServeRequest& r : requests) {
    prompts.push_back(r.prompt.tokens);
    streams.push_back(service->submit(std::move(r)));
  }
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const Answer answer = read_all(*streams[i]);
    ASSERT_EQ(answer.end.run.finish_reason, "length") << answer.end.run.failure;
    ASSERT_EQ(answer.tokens.size(), 60U);
    EXPECT_LE(Gaps(prompts[i], answer.tokens).measure(), kNoise) << i;
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
    EXPECT_LE(Gaps(whole, answer.tokens).measure(), kNoise) << i;
  }
  EXPECT_GT(service->state().totals.cached_tokens, 0U);
}

TEST(Serve, AGrammarThatDoesNotParseIsRefused) {
  const auto service = serve({.run = run_options(), .n_parallel = 1, .budget = 256});
  ServeRequest r = request("The sea is", 5);
  r.sampling.grammar = "root ::= (";
  EXPECT_THROW((void)service->submit(std::move(r)), Error);
}

}  // namespace
}  // namespace zoomr
