#include "eval/text_task.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "api/session_group.h"
#include "core/check.h"
#include "core/text_hash.h"
#include "eval/agreement.h"
#include "eval/progress.h"
#include "eval/reader.h"
#include "eval/residency_log.h"
#include "llama/model.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr std::size_t kFilePrompt = 32;  // tokens
constexpr int kShown = 64;               // taught tokens between two signs of life

Sample identity(const TaughtText& text, const Cell& cell) {
  return identity("text", text.name, 0, cell);
}

// As RunResult::text_hash comes out when the whole text was read.
std::string taught_hash(const Model& model, const TaughtText& text) {
  std::string whole;
  for (const Token token : text.prompt.taught) whole += model.impl().piece(token);
  return text_hash(whole);
}

// What the others are compared with: f16, and no policy's own settings.
RunOptions reference(const Cell& cell, const char* policy) {
  RunOptions options = with_full_kv(cell.options);
  options.policy = policy;
  options.context.type_k = "f16";
  options.context.type_v = "f16";
  return options;
}

class SideBySide {
 public:
  SideBySide(const Model& model, const TaughtText& text, const std::vector<Cell>& cells)
      : text_(text),
        full_(model, reference(cells.front(), "full"), text),
        window_(model, reference(cells.front(), "streaming-llm"), text),
        logs_(cells.size()),
        of_cell_(cells.size()) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      readers_.push_back(std::make_unique<Reader>(
          model, cells[i].options, text,
          ReaderOptions{.budgets = {}, .follow = {}, .watcher = &logs_[i]}));
    }
  }

  void read(const std::function<void(std::size_t)>& show) {
    const std::vector<Token>& taught = text_.prompt.taught;
    for (std::size_t i = 0; i < taught.size(); ++i) {
      const Pos next = full_.n_prompt() + static_cast<Pos>(i);
      full_.read_to(next);
      window_.read_to(next);
      of_window_.push_back(
          compare(full_.log_probabilities(), window_.log_probabilities(), taught[i]));
      for (std::size_t r = 0; r < readers_.size(); ++r) {
        readers_[r]->read_to(next);
        of_cell_[r].push_back(
            compare(full_.log_probabilities(), readers_[r]->log_probabilities(), taught[i]));
      }
      if (i % kShown == 0) show(i);
    }
    for (const auto& reader : readers_) reader->finish();
  }

  [[nodiscard]] Sample sample(std::size_t r, Sample sample) const {
    sample.update(summarise(of_cell_[r], of_window_));
    sample.update(Sample::parse(readers_[r]->result().to_json()));
    sample.erase("text");  // it is the same for all, and its lines hold it
    sample["residency"] = logs_[r].to_json();
    return sample;
  }

 private:
  const TaughtText& text_;
  Reader full_;
  Reader window_;
  std::vector<ResidencyLog> logs_;  // [cells], as the next two
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<TokenAgreement> of_window_;
  std::vector<std::vector<TokenAgreement>> of_cell_;
};

}  // namespace

TaughtText text_of_file(const Model& model, const std::string& path, int n_tokens) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::bad_input, "cannot read the text " + path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<Token> tokens = model.impl().tokenize(text, true, false);
  if (tokens.size() < 2 * kFilePrompt) {
    throw Error(ErrorCode::bad_input, "the text " + path + " has fewer than 64 tokens");
  }
  if (n_tokens >= 0)
    tokens.resize(std::min(tokens.size(), kFilePrompt + static_cast<std::size_t>(n_tokens)));
  TaughtText result{.name = std::filesystem::path(path).filename().string(), .prompt = {}};
  const auto middle = tokens.begin() + static_cast<std::ptrdiff_t>(kFilePrompt);
  result.prompt.tokens.assign(tokens.begin(), middle);
  result.prompt.taught.assign(middle, tokens.end());
  return result;
}

TaughtText own_answer(const Model& model, const Prompt& prompt, const RunOptions& options,
                      int n_tokens) {
  RunOptions full = with_full_kv(options);
  full.n_predict = n_tokens;
  full.loop_guard = false;
  std::vector<SessionGroup::Member> members(1);
  members[0].prompt = prompt;
  SessionGroup group(model.impl(), full, std::move(members));
  while (group.step()) {
  }
  const Session& session = group.session(0);
  if (session.finish_reason() == Finish::error) {
    throw Error(ErrorCode::failed, "the model's own answer: " + session.failure());
  }
  TaughtText text{.name = "own", .prompt = prompt};
  const auto tokens = session.timeline().tokens();
  text.prompt.taught.assign(tokens.begin() + session.n_prompt(), tokens.end());
  if (text.prompt.taught.size() < kFilePrompt) {
    throw Error(ErrorCode::failed, "the model's own answer has fewer than 32 tokens");
  }
  return text;
}

void evaluate_text(const Model& model, const TaughtText& text, const std::vector<Cell>& cells,
                   SampleFile& samples, std::ostream& progress) {
  // Those of one budget go together; a cell's group does not depend on what is done already.
  std::vector<std::vector<Cell>> by_budget;
  for (const Cell& cell : cells) {
    if (cell.options.summaries != "none") {
      throw Error(ErrorCode::bad_input,
                  "a text that is read has no summaries: leave " + cell.policy + " out");
    }
    if (const Sample* sample = samples.find(key_of(identity(text, cell)))) {
      if ((*sample)["text_hash"] == taught_hash(model, text)) continue;
      throw Error(ErrorCode::bad_input,
                  "the samples were made with another text " + text.name + ": name another file");
    }
    auto same = std::find_if(by_budget.begin(), by_budget.end(), [&](const auto& together) {
      return together.front().options.budget == cell.options.budget;
    });
    if (same == by_budget.end()) same = by_budget.insert(by_budget.end(), std::vector<Cell>{});
    same->push_back(cell);
  }
  const std::size_t n_taught = text.prompt.taught.size();
  const std::size_t pieces = (n_taught + kShown - 1) / kShown;
  Progress bar(progress, pieces * by_budget.size());
  for (const auto& together : by_budget) {
    SideBySide side_by_side(model, text, together);
    side_by_side.read([&](std::size_t i) {
      if (i > 0) bar.end();
      bar.begin("text " + text.name + " " + together.front().budget_asked + ", token " +
                std::to_string(i));
    });
    bar.end();
    std::vector<Sample> made;
    for (std::size_t i = 0; i < together.size(); ++i)
      made.push_back(side_by_side.sample(i, identity(text, together[i])));
    samples.append(made);
  }
  bar.finish();
}

}  // namespace zoomr
