// What the server costs, beside stock libllama on the same weights in the same process: tables for
// docs/performance.md.
//
//   serve_benchmark [MODEL] [THREADS] [PART...]     parts: throughput, others, latency, http
#include <httplib.h>
#include <llama.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <future>
#include <set>
#include <thread>

#include "api/heads.h"
#include "chat/chat_template.h"
#include "http/server.h"
#include "llama/context_params.h"
#include "llama/log.h"
#include "llama/model.h"
#include "serve/make_service.h"

namespace {

using namespace std::chrono_literals;
using namespace zoomr;
using Clock = std::chrono::steady_clock;

constexpr int kSessions = 8;
constexpr Pos kBudget = 512;  // tokens of a session
constexpr int kPrompt = 100;  // tokens
constexpr int kReply = 1900;  // tokens
constexpr int kSteps = 150;   // of stock libllama, a token a sequence each
constexpr int kRounds = 2;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Of all threads of this process.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Replies as a model of that pace gives them, without one.
class PacedService final : public Service {
 public:
  static constexpr std::chrono::milliseconds kPace{10};

  std::unique_ptr<ReplyStream> submit(ServeRequest request) override {
    return std::make_unique<Reply>(request.n_predict);
  }
  [[nodiscard]] ServiceState state() const override { return {}; }
  [[nodiscard]] std::unique_ptr<EventStream> events() override { return nullptr; }
  void drain(std::chrono::milliseconds /*timeout*/) override {}

 private:
  class Reply final : public ReplyStream {
   public:
    explicit Reply(int n) : n_(n) {}
    std::optional<ReplyPart> next(std::chrono::milliseconds wait) override {
      if (at_ == n_) {
        end_.run.finish_reason = "length";
        return std::nullopt;
      }
      const auto due = start_ + at_ * kPace;
      std::this_thread::sleep_until(std::min(due, Clock::now() + wait));
      if (Clock::now() < due) return std::nullopt;
      ++at_;
      return ReplyPart{.text = at_ % 20 == 0 ? "boats.\n" : "boats ", .tokens = {}};
    }
    [[nodiscard]] const ReplyEnd* end() const override {
      return end_.run.finish_reason.empty() ? nullptr : &end_;
    }
    void cancel() override { n_ = at_; }

   private:
    int n_;
    int at_ = 0;
    Clock::time_point start_ = Clock::now();
    ReplyEnd end_;
  };
};

class Bench {
 public:
  Bench(const Model& model, int threads) : impl_(model.impl()) {
    context_.threads = threads;
    context_.threads_batch = threads;
  }

  // n tokens of prose; `which` makes them different from the first on.
  [[nodiscard]] std::vector<Token> prose(int n, int which) const {
    std::string text = "Chapter " + std::to_string(1000 + 7 * which) + ". ";
    for (int i = 0; text.size() < 8 * static_cast<std::size_t>(n); ++i) {
      text += "On day " + std::to_string(i) + " the harbour master counted " +
              std::to_string((which + 3) * i % 97) +
              " boats and wrote the number down beside the weather. ";
    }
    std::vector<Token> tokens = impl_.tokenize(text, true, true);
    tokens.resize(static_cast<std::size_t>(n));
    return tokens;
  }

  [[nodiscard]] ServeRequest request(int n_prompt, int which, int n_predict, Pos budget = 0) const {
    ServeRequest request;
    request.prompt.tokens = prose(n_prompt, which);
    request.sampling.temp = 0;
    request.sampling.ignore_eos = true;
    request.n_predict = n_predict;
    request.budget = budget;
    return request;
  }

  [[nodiscard]] std::unique_ptr<Service> serve(const std::string& policy, int n_parallel,
                                               Pos budget, Pos kv_total = 0) const {
    ServeOptions options;
    options.run.policy = policy;
    options.run.context = context_;
    options.run.loop_guard = false;
    options.run.allow_extrapolation = true;
    options.run.self_test = false;
    options.n_parallel = n_parallel;
    options.budget = budget;
    options.kv_total = kv_total;
    return make_service(impl_, options, [](const std::string&) {});
  }

  // Tokens a second of n_seq sequences in one unified cache, `cells` tokens each: one is decoded
  // and forgotten again.
  [[nodiscard]] double stock(int n_seq, int cells) const {
    llama_context_params params = make_context_params(context_);
    params.n_ctx = static_cast<std::uint32_t>(n_seq * cells);
    params.n_seq_max = static_cast<std::uint32_t>(n_seq);
    params.kv_unified = true;
    const std::unique_ptr<llama_context, void (*)(llama_context*)> context(
        llama_init_from_model(impl_.get(), params), llama_free);
    llama_batch batch = llama_batch_init(static_cast<std::int32_t>(params.n_batch), 0, 1);
    const auto add = [&batch](Token token, Pos pos, int seq, bool logits) {
      const int i = batch.n_tokens++;
      batch.token[i] = token;
      batch.pos[i] = pos;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = seq;
      batch.logits[i] = static_cast<std::int8_t>(logits);
    };
    // Prompts one after the other, then token by token side by side, as it comes to be.
    std::vector<std::vector<Token>> tokens;
    const auto read = [&](int seq, Pos pos) {
      add(tokens[static_cast<std::size_t>(seq)][static_cast<std::size_t>(pos)], pos, seq, false);
    };
    for (int seq = 0; seq < n_seq; ++seq) {
      tokens.push_back(prose(cells - 1, seq));
      batch.n_tokens = 0;
      for (Pos pos = 0; pos < kPrompt; ++pos) read(seq, pos);
      llama_decode(context.get(), batch);
    }
    for (Pos pos = kPrompt; pos < cells - 1;) {
      batch.n_tokens = 0;
      for (; pos < cells - 1 && batch.n_tokens + n_seq <= static_cast<int>(params.n_batch); ++pos) {
        for (int seq = 0; seq < n_seq; ++seq) read(seq, pos);
      }
      llama_decode(context.get(), batch);
    }
    const int n_vocab = impl_.n_tokens();
    std::vector<Token> next(static_cast<std::size_t>(n_seq), impl_.any_token());
    const auto start = Clock::now();
    for (int step = 0; step < kSteps; ++step) {
      batch.n_tokens = 0;
      for (int seq = 0; seq < n_seq; ++seq)
        add(next[static_cast<std::size_t>(seq)], cells - 1, seq, true);
      llama_decode(context.get(), batch);
      for (int seq = 0; seq < n_seq; ++seq) {
        const float* logits = llama_get_logits_ith(context.get(), seq);
        next[static_cast<std::size_t>(seq)] =
            static_cast<Token>(std::max_element(logits, logits + n_vocab) - logits);
        llama_memory_seq_rm(llama_get_memory(context.get()), seq, cells - 1, -1);
      }
    }
    const double rate = n_seq * kSteps / seconds_since(start);
    llama_batch_free(batch);
    return rate;
  }

  struct Served {
    double steady = 0;  // tokens a second of all, once every session has filled its budget
    double whole = 0;   // from the first request to the last token
    int finished = 0;
    Pos peak = 0;  // tokens
  };
  [[nodiscard]] Served served(Service& service, int n_sessions, int n_reply) const {
    Served result;
    std::atomic<int> n_full{0};
    std::atomic<int> n_all{0};
    std::atomic<int> n_steady{0};
    Clock::time_point steady_start;
    std::mutex mutex;
    std::vector<std::future<void>> readers;
    const auto start = Clock::now();
    for (int i = 0; i < n_sessions; ++i) {
      readers.push_back(std::async(std::launch::async, [&, i] {
        const auto stream = service.submit(request(kPrompt, i, n_reply));
        int n = 0;
        while (stream->end() == nullptr) {
          const auto part = stream->next(1000ms);
          if (!part) continue;
          const int more = static_cast<int>(part->tokens.size());
          n_all += more;
          if (n_full == n_sessions) n_steady += more;
          if (n <= kBudget && n + more > kBudget && ++n_full == n_sessions) {
            const std::lock_guard lock(mutex);
            steady_start = Clock::now();
          }
          n += more;
        }
        const std::lock_guard lock(mutex);
        result.finished += stream->end()->run.finish_reason == "length" ? 1 : 0;
        result.peak = std::max(result.peak, stream->end()->run.peak_resident_tokens);
      }));
    }
    for (auto& reader : readers) reader.get();
    result.whole = n_all / seconds_since(start);
    if (n_full == n_sessions) result.steady = n_steady / seconds_since(steady_start);
    return result;
  }

  // Eight sessions of `zoomr`, and stock libllama decoding as many sequences, in turn.
  void throughput() const {
    table();
    std::vector<double> stock_rates;
    std::vector<double> ours;
    for (int round = 0; round < kRounds; ++round) {
      stock_rates.push_back(stock(kSessions, kBudget));
      std::printf("| stock libllama, 8 x 512 cells | | %.1f | | 512 | |\n", stock_rates.back());
      std::fflush(stdout);
      ours.push_back(row("zoomr, 8 x 512", "zoomr", kSessions, kBudget).steady);
    }
    std::printf("\nzoomr / stock, budgets full: %.3f\n\n", mean(ours) / mean(stock_rates));
  }

  // The same sessions with other policies, and one of them alone: what eight one after another
  // take.
  void others() const {
    table();
    double ours = 0;
    double full = 0;
    double ours_alone = 0;
    double full_alone = 0;
    for (int round = 0; round < kRounds; ++round) {
      ours += row("zoomr, 8 x 512", "zoomr", kSessions, kBudget).whole;
      full += row("full KV, 8 x 2,048", "full", kSessions, 2048).whole;
      (void)row("streaming-llm, 8 x 512", "streaming-llm", kSessions, kBudget);
      ours_alone += row("zoomr, one of 512 alone", "zoomr", 1, kBudget).whole;
      full_alone += row("full KV, one of 2,048 alone", "full", 1, 2048).whole;
    }
    std::printf(
        "\nzoomr's eight, whole, means of the rounds: %.2f of full KV's side by side, %.2f of full "
        "KV's and %.2f of zoomr's one after the other (one alone stands for each)\n\n",
        ours / full, ours / full_alone, ours / ours_alone);
  }

  static void table() {
    std::printf(
        "| what | finished | t/s, budgets full | t/s, whole | peak resident of one | KV MiB |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n");
  }

  [[nodiscard]] Served row(const std::string& name, const std::string& policy, int n,
                           Pos budget) const {
    const auto service = serve(policy, n, budget);
    const Served s = served(*service, n, kReply);
    const double kv = static_cast<double>(service->state().kv_bytes) / (1024.0 * 1024);
    std::printf("| %s | %d | %.1f | %.1f | %d | %.1f |\n", name.c_str(), s.finished, s.steady,
                s.whole, s.peak, kv);
    std::fflush(stdout);
    return s;
  }

  // Milliseconds between the tokens of n sessions, while `meanwhile` runs.
  [[nodiscard]] std::vector<double> gaps(Service& service, int n,
                                         const std::function<void()>& meanwhile) const {
    std::vector<double> result;
    std::mutex mutex;
    std::atomic<bool> counts{false};
    std::atomic<int> n_begun{0};
    std::atomic<bool> over{false};
    std::vector<std::future<void>> readers;
    for (int i = 0; i < n; ++i) {
      readers.push_back(std::async(std::launch::async, [&, i] {
        const auto stream = service.submit(request(kPrompt, i, kReply));
        auto last = Clock::time_point{};
        while (stream->end() == nullptr && !over) {
          if (!stream->next(1000ms)) continue;
          if (last == Clock::time_point{}) {
            ++n_begun;
          } else if (counts) {
            const std::lock_guard lock(mutex);
            result.push_back(seconds_since(last) * 1000);
          }
          last = Clock::now();
        }
      }));
    }
    while (n_begun < n) std::this_thread::sleep_for(5ms);
    std::this_thread::sleep_for(2s);
    counts = true;
    meanwhile();
    counts = false;
    over = true;
    for (auto& reader : readers) reader.get();
    return result;
  }

  // Milliseconds to the first token of a prompt.
  [[nodiscard]] double first_token(Service& service, int n_prompt, int which) const {
    const auto start = Clock::now();
    const auto stream = service.submit(request(n_prompt, which, 1, n_prompt + 64));
    while (stream->end() == nullptr) (void)stream->next(1000ms);
    return seconds_since(start) * 1000;
  }

  void latency() const {
    const auto service = serve("zoomr", kSessions, kBudget, 8 * kBudget);
    (void)first_token(*service, 200, 50);  // the pace is measured as it goes
    const auto quiet = gaps(*service, 4, [] { std::this_thread::sleep_for(6s); });
    const auto busy = gaps(*service, 4, [&] { (void)first_token(*service, 2000, 60); });
    std::printf(
        "| tokens of 4 sessions | median ms | p99 ms | p99 / its median | p99 / quiet median |\n"
        "| --- | ---: | ---: | ---: | ---: |\n");
    for (const auto& [name, values] : {std::pair{"quiet", quiet}, {"while 2,000 are read", busy}}) {
      const double median = quantile(values, 0.5);
      const double p99 = quantile(values, 0.99);
      std::printf("| %s (%zu) | %.1f | %.1f | %.2f | %.2f |\n", name, values.size(), median, p99,
                  p99 / median, p99 / quantile(quiet, 0.5));
    }
    std::vector<double> alone;
    std::vector<double> beside;
    for (int round = 0; round < 3; ++round) {
      alone.push_back(first_token(*service, 500, 70 + round));
      (void)gaps(*service, 4, [&] { beside.push_back(first_token(*service, 500, 80 + round)); });
    }
    std::printf("\nfirst token of 500: alone %.0f ms, beside 4 sessions %.0f ms, ratio %.2f\n\n",
                mean(alone), mean(beside), mean(beside) / mean(alone));
    std::fflush(stdout);
  }

  // What HTTP, JSON and the parser of replies take of a token, the client's part included: CPU
  // time, since two runs of a model differ by more than that.
  void http() const {
    const ChatTemplate chat(impl_.get(), "");
    ServerContext context;
    context.vocabulary = &impl_;
    context.chat = &chat;
    context.model = "m";
    context.n_ctx = 100000;
    context.budget = kBudget;
    PacedService service;
    HttpServer server({.port = 0});
    const int port = server.bind();
    std::thread listener([&] { server.serve(); });
    server.ready(context, service);
    std::printf(
        "| reply of | events | CPU us a token | of a token of %d ms |\n| ---: | ---: | ---: | ---: "
        "|\n",
        static_cast<int>(PacedService::kPace.count()));
    for (const int n : {600, 8000}) {
      const std::string body =
          R"({"messages":[{"role":"user","content":"Write a long story."}],"stream":true,)"
          R"("max_tokens":)" +
          std::to_string(n) + "}";
      httplib::Client client("127.0.0.1", port);
      client.set_read_timeout(600);
      int n_events = 0;
      const double before = cpu_seconds();
      client.Post("/v1/chat/completions", httplib::Headers{}, body, "application/json",
                  [&](const char* data, std::size_t size) {
                    const std::string_view chunk(data, size);
                    for (std::size_t at = 0; (at = chunk.find("data: ", at)) != chunk.npos; ++at)
                      ++n_events;
                    return true;
                  });
      const double us = (cpu_seconds() - before) * 1e6 / n;
      std::printf("| %d | %d | %.0f | %.1f %% |\n", n, n_events, us,
                  us / 10 / static_cast<double>(PacedService::kPace.count()));
      std::fflush(stdout);
    }
    server.stop();
    listener.join();
    std::printf("\n");
  }

 private:
  const LlamaModel& impl_;
  ContextOptions context_;
};

}  // namespace

int main(int argc, char** argv) {
  route_llama_log();
  const Model model({.path = argc > 1 ? argv[1] : "smollm2-135m"});
  const Bench bench(model, argc > 2 ? std::atoi(argv[2]) : 2);
  const std::set<std::string> parts(argv + std::min(argc, 3), argv + argc);
  const auto wanted = [&](const char* part) { return parts.empty() || parts.contains(part); };
  if (wanted("http")) bench.http();
  if (wanted("latency")) bench.latency();
  if (wanted("throughput")) bench.throughput();
  if (wanted("others")) bench.others();
}
