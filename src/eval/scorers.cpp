#include "eval/scorers.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <regex>
#include <sstream>

#include "zoomr/error.h"

namespace zoomr {

namespace {

constexpr int kNear = 8;  // a look-up at most so many lines back is near

std::string trimmed(std::string_view text) {
  const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

std::optional<double> as_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

// std::regex recurses over every character: what is longer than an answer is cut first.
constexpr std::size_t kLongestAnswer = 300;

// Without Markdown's and LaTeX's marks.
std::string unmarked(std::string_view text) {
  static const std::regex spaces(R"(\\(?:text|mathrm)\{|\\[,!; ])");
  static const std::regex marks(R"(\*+|`|\\[()\[\]$%]|\\left|\\right|[$}{€£])");
  const std::string cut(text.substr(0, 4 * kLongestAnswer));
  return std::regex_replace(std::regex_replace(cut, spaces, " "), marks, "");
}

std::string normalised(std::string text) {
  if (text.size() > kLongestAnswer) text.resize(kLongestAnswer);
  const std::size_t equals = text.rfind('=');
  if (equals != std::string::npos) text.erase(0, equals + 1);
  text = trimmed(unmarked(text));
  while (!text.empty() && std::string_view(".,;:!").find(text.back()) != std::string_view::npos)
    text.pop_back();
  static const std::regex thousands(R"((\d),(?=\d{3}(\D|$)))");
  text = std::regex_replace(text, thousands, "$1");
  // "60 coins" answers as 60 does.
  static const std::regex number_first(R"(^([-+]?\d+(\.\d+)?)(\s.*|%)$)");
  std::smatch match;
  if (std::regex_match(text, match, number_first)) text = std::string(match[1]);
  return trimmed(text);
}

std::string last_boxed(std::string_view text) {
  const std::size_t at = text.rfind("\\boxed{");
  if (at == std::string_view::npos) return "";
  int depth = 1;
  std::size_t i = at + 7;
  const std::size_t begin = i;
  for (; i < text.size() && depth > 0; ++i) depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
  return depth == 0 ? std::string(text.substr(begin, i - begin - 1)) : "";
}

// What follows the last announcement that has something behind it on its line.
std::string last_announced(const std::string& text) {
  static const std::regex announced(R"(\b(?:result|answer)\s*(?:\*\*)?\s*(?::|is\b:?)(?:\*\*)?)",
                                    std::regex::icase);
  std::string found;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), announced);
       it != std::sregex_iterator(); ++it) {
    const auto begin = static_cast<std::size_t>(it->position() + it->length());
    const std::size_t length = std::min(text.find('\n', begin), text.size()) - begin;
    const std::string behind = trimmed(text.substr(begin, std::min(length, kLongestAnswer)));
    if (!unmarked(behind).empty()) found = behind;
  }
  return found;
}

std::string last_number(const std::string& text) {
  static const std::regex number(R"([-+]?\d[\d,]{0,40}(?:\.\d{1,40})?)");
  std::string found;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), number);
       it != std::sregex_iterator(); ++it) {
    found = it->str();
    // "12-7" is a difference: its sign belongs to the sum.
    const auto at = static_cast<std::size_t>(it->position());
    const bool sign = found[0] == '-' || found[0] == '+';
    if (sign && at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0) {
      found.erase(0, 1);
    }
  }
  return found;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    // Longer ones are no steps, and std::regex recurses over every character.
    if (line.size() <= 400) lines.push_back(line);
  }
  return lines;
}

// A chain's reply, line by line: "Step 23: kite = gem + fox = 27 + 37 = 64."
class ChainScorer {
 public:
  explicit ChainScorer(const nlohmann::json& steps) : steps_(steps), seen_(steps.size()) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!is_computed(i)) continue;
      ++arithmetic_.of;
      for (const char* operand : {"a", "b"}) ++lookups_of(i, operand).of;
    }
  }

  void read(const std::string& marked) {
    const std::string line = unmarked(marked);
    static const std::regex whole(
        R"(^\W*Step\s+(\d{1,6})\s*:\s*(\w+)\s*=\s*(\w+)\s*([+-])\s*(\w+)\s*=\s*\(?(-?\d{1,9})\)?\s*([+-])\s*\(?(-?\d{1,9})\)?\s*=\s*\(?(-?\d{1,9}).*$)");
    static const std::regex partly(R"(^\W*Step\s+(\d{1,6})\s*:\s*(\w+)\s*=.*$)");
    std::smatch m;
    if (std::regex_match(line, m, whole)) {
      const auto i = step_at(m[1], m[2]);
      if (i && is_computed(*i)) count(*i, m);
    } else if (std::regex_match(line, m, partly)) {
      // Not in the form asked for: its look-ups are not seen, but what it says the name is counts.
      const auto i = step_at(m[1], m[2]);
      const std::string value = last_number(line.substr(line.rfind('=')));
      if (!i || value.empty() || value.size() > 9) return;
      seen_[*i] = true;
      said_[m[2]] = std::stol(value);
    }
  }

  [[nodiscard]] Score result() const {
    Score score;
    score.steps = {near_.right + far_.right, near_.of + far_.of};
    score.parts = {{"near", near_}, {"far", far_}, {"arithmetic", arithmetic_}};
    return score;
  }

 private:
  [[nodiscard]] bool is_computed(std::size_t i) const { return steps_[i].contains("op"); }
  [[nodiscard]] std::string name_of(std::size_t i) const { return steps_[i]["name"]; }
  [[nodiscard]] std::size_t operand(std::size_t i, const char* which) const {
    return steps_[i][which].get<std::size_t>();
  }
  Count& lookups_of(std::size_t i, const char* which) {
    return i - operand(i, which) <= kNear ? near_ : far_;
  }
  // The step that a line writes, if it is that step's first line.
  [[nodiscard]] std::optional<std::size_t> step_at(const std::string& number,
                                                   const std::string& name) const {
    const std::size_t i = std::stoul(number) - 1;
    if (i >= seen_.size() || seen_[i] || name_of(i) != name) return {};
    return i;
  }

  void count(std::size_t i, const std::smatch& m) {
    seen_[i] = true;
    const std::string op = steps_[i]["op"];
    const long left = std::stol(m[6]);
    const long right = std::stol(m[8]);
    // "a + b" may be written "b + a"; a name that is not the step's own is no look-up of it.
    const bool swapped =
        op == "+" && m[3] == name_of(operand(i, "b")) && m[5] == name_of(operand(i, "a"));
    const auto look_up = [&](const char* which, const std::string& name, long value) {
      const std::string own = name_of(operand(i, which));
      const auto said = said_.find(own);
      const bool ok = name == own && said != said_.end() && said->second == value;
      lookups_of(i, which).right += ok ? 1 : 0;
    };
    look_up("a", m[swapped ? 5 : 3], swapped ? right : left);
    look_up("b", m[swapped ? 3 : 5], swapped ? left : right);
    const bool plus = m[7] == "+";
    const long result = std::stol(m[9]);
    const bool right_sum = result == (plus ? left + right : left - right);
    arithmetic_.right += right_sum && m[7] == op ? 1 : 0;
    said_[m[2]] = result;
  }

  const nlohmann::json& steps_;
  std::vector<bool> seen_;
  std::map<std::string, long> said_;  // what the reply itself gave to a name
  Count near_;
  Count far_;
  Count arithmetic_;
};

Score score_chain(const Problem& problem, const std::string& text) {
  ChainScorer scorer(problem.steps);
  for (const std::string& line : lines_of(text)) scorer.read(line);
  return scorer.result();
}

// Steps with a label each: right when the first line that begins with the label ends in its value.
Score score_steps(const Problem& problem, const std::string& text) {
  Score score;
  const std::vector<std::string> lines = lines_of(text);
  for (const auto& step : problem.steps) {
    const std::string label = step["label"];
    ++score.steps.of;
    for (const std::string& line : lines) {
      const std::size_t at = line.find_first_not_of(" \t*#-");
      if (at == std::string::npos || line.compare(at, label.size(), label) != 0) continue;
      const std::size_t next = at + label.size();
      if (next < line.size() && std::isalnum(static_cast<unsigned char>(line[next])) != 0) continue;
      score.steps.right +=
          same_answer(last_number(line.substr(next)), step["value"].get<std::string>()) ? 1 : 0;
      break;
    }
  }
  return score;
}

}  // namespace

std::string extract_answer(std::string_view view) {
  const std::string text(view);
  std::string found = last_boxed(text);
  if (found.empty()) found = last_announced(text);
  if (found.empty()) found = last_number(text);
  return normalised(found);
}

bool same_answer(std::string_view a, std::string_view b) {
  const std::string left = normalised(std::string(a));
  const std::string right = normalised(std::string(b));
  const auto x = as_number(left);
  const auto y = as_number(right);
  if (x && y) return std::fabs(*x - *y) <= 1e-9 * std::max(1.0, std::fabs(*y));
  if (left.empty() || left.size() != right.size()) return false;
  return std::equal(left.begin(), left.end(), right.begin(), [](char p, char q) {
    return std::tolower(static_cast<unsigned char>(p)) ==
           std::tolower(static_cast<unsigned char>(q));
  });
}

Score score(const Problem& problem, const std::string& text) {
  Score result;
  if (problem.scorer == "chain") result = score_chain(problem, text);
  if (problem.scorer == "steps") result = score_steps(problem, text);
  result.answer = extract_answer(text);
  result.right = !problem.answer.empty() && same_answer(result.answer, problem.answer);
  // "There are 42 left" answers a question for a number: its last one.
  if (!result.right && as_number(normalised(problem.answer)) && !as_number(result.answer)) {
    const std::string number = normalised(last_number(result.answer));
    if (!number.empty()) result.answer = number;
    result.right = same_answer(result.answer, problem.answer);
  }
  return result;
}

void check_scorable(const Problem& problem, const std::string& where) {
  const auto fail = [&where](const std::string& what) {
    throw Error(ErrorCode::bad_input, where + ": " + what);
  };
  if (problem.scorer == "answer") return;
  if (problem.scorer != "chain" && problem.scorer != "steps") {
    fail("unknown scorer '" + problem.scorer + "': answer, chain or steps");
  }
  if (!problem.steps.is_array() || problem.steps.empty()) {
    fail("scorer " + problem.scorer + " needs \"steps\", an array");
  }
  const auto has_text = [](const nlohmann::json& step, const char* key) {
    return step.contains(key) && step[key].is_string();
  };
  for (std::size_t i = 0; i < problem.steps.size(); ++i) {
    const auto& step = problem.steps[i];
    const std::string at = "step " + std::to_string(i + 1);
    if (!step.is_object()) fail(at + " is not an object");
    if (problem.scorer == "steps") {
      if (!has_text(step, "label") || !has_text(step, "value")) fail(at + " needs label and value");
      continue;
    }
    if (!has_text(step, "name")) fail(at + " has no name");
    if (!step.contains("op")) continue;
    for (const char* key : {"a", "b"}) {
      const bool earlier =
          step.contains(key) && step[key].is_number_unsigned() && step[key].get<std::size_t>() < i;
      if (!earlier) fail(at + ": \"" + key + "\" is not the index of an earlier step");
    }
    if (!has_text(step, "op")) fail(at + ": \"op\" is not a string");
  }
}

}  // namespace zoomr
