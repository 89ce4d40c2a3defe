// A client that talks in words.
#pragma once

#include "serve/testing.h"

namespace zoomr {

// A chat whose messages are words, and whose template is: each message behind "<s>", the reply
// behind "</s>".
struct Chat {
  std::vector<std::vector<Token>> messages;  // the user's and the assistant's in turn

  static std::string canonical(const std::vector<Token>& message) {
    nlohmann::json json = message;
    return json.dump();
  }
  [[nodiscard]] std::vector<Token> rendered(std::size_t from) const {
    std::vector<Token> tokens;
    for (std::size_t i = from; i < messages.size(); ++i) {
      if (i % 2 == 0) tokens.push_back(Words::id("<s>"));
      tokens.insert(tokens.end(), messages[i].begin(), messages[i].end());
      if (i % 2 == 0) tokens.push_back(Words::id("</s>"));
    }
    return tokens;
  }
  [[nodiscard]] ServeRequest request(std::uint32_t seed, int n_predict = 40) const {
    ServeRequest request;
    request.prompt.tokens = rendered(0);
    request.sampling.seed = seed;
    request.n_predict = n_predict;
    for (const auto& message : messages) request.messages.push_back(canonical(message));
    request.continuation = [chat = *this](std::size_t n) {
      Prompt prompt;
      prompt.tokens = chat.rendered(n);
      return std::optional(prompt);
    };
    request.as_message = [](const std::string& text) {
      return text.empty() ? std::string() : canonical(split(text));
    };
    return request;
  }
  // The words of a text.
  static std::vector<Token> split(std::string text) {
    std::vector<Token> tokens;
    while (!text.empty()) {
      Token longest = -1;
      std::size_t size = 0;
      for (std::size_t i = 0; i < Words::all().size(); ++i) {
        const std::string& word = Words::all()[i];
        if (text.starts_with(word) && word.size() > size) {
          longest = static_cast<Token>(i);
          size = word.size();
        }
      }
      tokens.push_back(longest);
      text.erase(0, size);
    }
    return tokens;
  }
  void say(const Read& read) { messages.push_back(split(read.text)); }
};

inline std::vector<Token> many(const std::string& word, int n) {
  return std::vector<Token>(static_cast<std::size_t>(n), Words::id(word));
}

}  // namespace zoomr
