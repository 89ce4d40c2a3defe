#include "core/recall_text.h"

#include <algorithm>
#include <array>
#include <random>

#include "core/check.h"

namespace zoomr {

namespace {

using Words = std::array<const char*, kMostRecallFacts>;

constexpr Words kThings = {"lamp", "kite",  "drum", "rope",   "bell", "pear",   "clock",  "boat",
                           "ring", "spoon", "tent", "mirror", "harp", "basket", "hammer", "candle"};
constexpr Words kPeople = {"Anna",   "Peter",  "Maria",  "David", "Laura", "Simon",
                           "Julia",  "Martin", "Sophie", "Paul",  "Emma",  "Oscar",
                           "Helena", "Frank",  "Nina",   "Victor"};
constexpr Words kClothes = {"coat",  "shirt", "hat",     "scarf", "door",  "desk", "chair", "car",
                            "house", "fence", "blanket", "cup",   "wagon", "flag", "bag",   "ball"};
constexpr Words kColours = {"red",    "blue",   "green",   "yellow", "black",  "white",
                            "brown",  "pink",   "gray",    "purple", "orange", "golden",
                            "silver", "violet", "scarlet", "beige"};
constexpr Words kVariables = {"count",  "width", "total", "index", "speed", "price",
                              "score",  "depth", "limit", "angle", "size",  "level",
                              "offset", "delay", "rate",  "height"};

// A telling is head, name, middle, value, tail.
struct Kind {
  const Words& names;
  const Words* values;  // nullptr: numbers
  const char* head;
  const char* middle;
  const char* tail;
  const char* head_again;
  const char* middle_again;
};
// Code is told again in other words: what only copies what followed last time is no look-up.
constexpr std::array<Kind, kRecallKinds> kKinds = {{
    {kThings, nullptr, "The ", " costs ", " coins.\n", "The ", " costs "},
    {kPeople, nullptr, "", " is ", " years old.\n", "", " is "},
    {kClothes, &kColours, "The ", " is ", ".\n", "The ", " is "},
    {kVariables, nullptr, "", " = ", "\n", "assert ", " == "},
}};

// Fisher and Yates with a generator whose numbers are the same everywhere.
template <typename T>
void shuffle(std::vector<T>& values, std::mt19937& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

std::vector<std::string> two_digit_numbers(std::mt19937& random) {
  std::vector<std::string> numbers;
  for (int value = 12; value < 98; ++value) numbers.push_back(std::to_string(value));
  shuffle(numbers, random);
  return numbers;
}

struct ListKind {
  const char* head;
  const char* tail;
};
constexpr std::array<ListKind, 2> kLists = {{{"Step ", ": "}, {"", ". "}}};

// Each item has its own words, and a line more behind the label's: what only goes on as it went on
// last time, or looks at the last line, does not count.
void add_lists(RecallText& result, int n_items, const std::vector<std::string>& numbers) {
  std::size_t word = 0;
  for (std::size_t kind = 0; kind < kLists.size(); ++kind) {
    for (int i = 1; i <= n_items; ++i, ++word) {
      RecallText::Item item{.begin = result.text.size(), .kind = static_cast<int>(kind)};
      result.text += kLists[kind].head;
      item.number_at = result.text.size();
      result.text += std::to_string(i) + kLists[kind].tail;
      item.end = result.text.size() - 1;
      const std::size_t n = word % kMostRecallFacts;
      result.text += std::string("the ") + kThings[n] + " for " + numbers[n] + " coins.\n" +
                     kPeople[n] + " wants to put it beside the " + kColours[n] + " " + kClothes[n] +
                     ", but not today.\n";
      result.items.push_back(item);
    }
  }
}

}  // namespace

RecallText make_recall_text(int n_facts) {
  check(1 <= n_facts && n_facts <= kMostRecallFacts, "there are words for this many facts");
  const auto n = static_cast<std::size_t>(n_facts);
  std::mt19937 random(24);
  const std::vector<std::string> numbers = two_digit_numbers(random);
  RecallText result;
  const auto value_of = [&](int kind, std::size_t i) {
    const Words* words = kKinds[static_cast<std::size_t>(kind)].values;
    return words != nullptr ? std::string((*words)[i])
                            : numbers[static_cast<std::size_t>(kind) * kMostRecallFacts + i];
  };
  for (int kind = 0; kind < kRecallKinds; ++kind) {
    const Kind& k = kKinds[static_cast<std::size_t>(kind)];
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t begin = result.text.size();
      result.text += k.head + std::string(k.names[i]) + k.middle + value_of(kind, i) + k.tail;
      result.facts.push_back({.begin = begin, .end = result.text.size(), .kind = kind});
    }
  }
  for (int kind = kRecallKinds - 1; kind >= 0; --kind) {
    const Kind& k = kKinds[static_cast<std::size_t>(kind)];
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < n; ++i) order.push_back(i);
    shuffle(order, random);
    for (const std::size_t i : order) {
      RecallText::Fact& fact = result.facts[static_cast<std::size_t>(kind) * n + i];
      result.text += k.head_again + std::string(k.names[i]);
      fact.name_end = result.text.size();
      result.text += k.middle_again;
      fact.value_at = result.text.size();
      result.text += value_of(kind, i) + k.tail;
    }
  }
  add_lists(result, std::min(n_facts, kMostListItems), numbers);
  return result;
}

std::vector<Recall> find_recalls(const RecallText& text, std::span<const std::string> pieces) {
  std::vector<std::size_t> begins;  // of each token, in bytes
  std::size_t at = 0;
  for (const std::string& piece : pieces) {
    begins.push_back(at);
    at += piece.size();
  }
  // The token that holds the byte; a tokenizer may have put a space before the text.
  const std::size_t shift = at - std::min(at, text.text.size());
  const auto token_of = [&](std::size_t byte) {
    const auto next = std::upper_bound(begins.begin(), begins.end(), byte + shift);
    return static_cast<Pos>(next - begins.begin()) - 1;
  };
  const auto tokens_of = [&](std::size_t begin, std::size_t end) {
    return Span{token_of(begin), token_of(end - 1) + 1};
  };
  const auto before = [&](std::size_t byte) { return std::max<Pos>(0, token_of(byte) - 1); };
  std::vector<Recall> recalls;
  for (const RecallText::Fact& fact : text.facts) {
    const Span wanted = tokens_of(fact.begin, fact.end);
    recalls.push_back({HeadKind::value, wanted, before(fact.value_at), fact.kind});
    recalls.push_back({HeadKind::name, wanted, token_of(fact.name_end - 1), fact.kind});
  }
  for (std::size_t i = 1; i < text.items.size(); ++i) {
    const RecallText::Item& last = text.items[i - 1];
    const RecallText::Item& item = text.items[i];
    if (item.kind != last.kind) continue;
    const Span wanted = tokens_of(last.begin, last.end);
    recalls.push_back({HeadKind::order, wanted, before(item.number_at), item.kind});
  }
  return recalls;
}

}  // namespace zoomr
