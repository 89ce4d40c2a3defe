#include "http/tokens.h"

#include "zoomr/error.h"

namespace zoomr {

namespace {

// A text, or as its bytes where it is a part of a character.
json piece_json(const std::string& piece) {
  try {
    (void)json(piece).dump();
    return piece;
  } catch (const json::exception&) {
    json bytes = json::array();
    for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
    return bytes;
  }
}

}  // namespace

std::optional<Token> find_token(const json& number, const Vocabulary& vocabulary) {
  const auto token = number.get<double>();  // an integer of any size
  if (token < 0 || token >= vocabulary.n_tokens()) return std::nullopt;
  return static_cast<Token>(token);
}

json tokenize(const json& body, const Vocabulary& vocabulary) {
  const Fields fields(body);
  const std::vector<Token> tokens =
      vocabulary.tokenize(fields.text("content"), fields.flag("add_special", false),
                          fields.flag("parse_special", true));
  json result = json::array();
  const bool with_pieces = fields.flag("with_pieces", false);
  for (const Token token : tokens) {
    if (with_pieces) {
      result.push_back({{"id", token}, {"piece", piece_json(vocabulary.piece(token))}});
    } else {
      result.push_back(token);
    }
  }
  return {{"tokens", result}};
}

json detokenize(const json& body, const Vocabulary& vocabulary) {
  const Fields fields(body);
  std::string content;
  if (const json* tokens = fields.array("tokens")) {
    for (const json& token : *tokens) {
      if (!token.is_number_integer()) {
        fields.refuse("tokens", "must hold integers only, not " + std::string(kind_of(token)));
      }
      const auto id = find_token(token, vocabulary);
      if (!id) {
        fields.refuse("tokens", "names a token that the vocabulary does not have: " + token.dump());
      }
      content += vocabulary.piece(*id);
    }
  }
  return {{"content", content}};
}

}  // namespace zoomr
