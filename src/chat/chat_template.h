// Chat templates, thinking delimiters and JSON schemas: llama.cpp's `common` library behind an
// interface of ours. Nothing else in ZoomR includes that library.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zoomr/zoomr.h"

struct llama_model;

namespace zoomr {

class ChatTemplate {
 public:
  struct Message {
    std::string role;  // system, user, assistant
    std::string content;
  };
  struct Options {
    std::string reasoning_format = "auto";      // none, auto, deepseek
    bool enable_thinking = true;                // for templates that can turn it off
    std::map<std::string, std::string> kwargs;  // more variables of the template, JSON values
    std::string json_schema;                    // that the answer must follow; "": any
  };
  struct Rendered {
    std::string prompt;
    bool add_special = true;  // tokenise with the beginning-of-sequence token
    std::string think_begin;  // "" : the template knows no thinking
    std::vector<std::string> think_ends;
    bool starts_thinking = false;    // the prompt ends inside the model's thinking
    std::vector<std::string> stops;  // texts that end the reply beside the vocabulary's ends
    std::string grammar;  // of the whole reply, thinking included, where a schema was given
    // What parse() needs to read the reply.
    std::string parser;
    std::string generation_prompt;
    std::string reasoning_format;
    int format = 0;
  };
  struct Reply {
    std::string content;
    std::string reasoning;
  };

  // `text` is a Jinja template that replaces the model's; "": the model's own, or ChatML when it
  // has none. Throws Error(bad_input) when it does not parse. The model outlives it.
  ChatTemplate(const llama_model* model, const std::string& text);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // Throws Error(bad_input) with the template's complaint.
  [[nodiscard]] Rendered apply(const std::vector<Message>& messages, const Options& options) const;
  // Splits a whole reply into thinking and answer.
  [[nodiscard]] static Reply parse(const std::string& text, const Rendered& rendered);
  [[nodiscard]] std::string source() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The messages of a conversation's first turn; a system text that is empty is none.
[[nodiscard]] std::vector<ChatTemplate::Message> first_turn(const std::string& system,
                                                            const std::string& user);

// What a run takes.
[[nodiscard]] Prompt as_prompt(const ChatTemplate::Rendered& rendered);

// GBNF of a JSON schema. Throws Error(bad_input) when it is not JSON or not a schema.
[[nodiscard]] std::string json_schema_to_grammar(const std::string& schema);

}  // namespace zoomr
