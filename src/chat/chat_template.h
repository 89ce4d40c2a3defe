// Chat templates, thinking delimiters and JSON schemas: llama.cpp's `common` library behind an
// interface of ours. Nothing else in ZoomR includes that library.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zoomr/zoomr.h"

struct llama_model;

namespace zoomr {

class ChatTemplate {
 public:
  struct ToolCall {
    std::string name;
    std::string arguments;  // a JSON object, as text
    std::string id;
    bool operator==(const ToolCall&) const = default;
  };
  struct Message {
    std::string role;  // system, user, assistant, tool
    std::string content;
    std::vector<std::string> parts = {};  // texts instead of content, for templates that see them
    std::string reasoning = {};           // of an assistant
    std::vector<ToolCall> tool_calls = {};
    std::string tool_name = {};     // of a tool's answer
    std::string tool_call_id = {};  // the call that it answers
  };
  struct Tool {
    std::string name;
    std::string description;
    std::string parameters;  // a JSON schema
  };
  struct Options {
    std::string reasoning_format = "auto";      // none, auto, deepseek
    bool enable_thinking = true;                // for templates that can turn it off
    std::map<std::string, std::string> kwargs;  // more variables of the template, JSON values
    std::string json_schema;                    // that the answer must follow; "": any
    std::vector<Tool> tools;
    std::string tool_choice = "auto";         // auto, required, none
    std::optional<bool> parallel_tool_calls;  // none: where the template can
    // The last message is the beginning of the reply instead of one before it.
    bool continue_last = false;
    bool add_generation_prompt = true;
  };
  struct Rendered {
    std::string prompt;
    bool add_special = true;  // tokenise with the beginning-of-sequence token
    std::string think_begin;  // "" : the template knows no thinking
    std::vector<std::string> think_ends;
    bool starts_thinking = false;    // the prompt ends inside the model's thinking
    std::vector<std::string> stops;  // texts that end the reply beside the vocabulary's ends
    std::string grammar;             // of the whole reply, thinking included, for a schema or tools
    bool grammar_lazy = false;       // it begins to hold at one of these
    std::vector<std::string> trigger_words;
    std::vector<std::string> trigger_patterns;  // regular expressions on the reply so far
    // What parse() needs to read the reply.
    std::string parser;
    std::string generation_prompt;
    std::string reasoning_format;
    int format = 0;
    bool parse_tool_calls = false;
    bool continues = false;  // Options::continue_last
  };
  struct Reply {
    std::string content;
    std::string reasoning;
    std::vector<ToolCall> tool_calls;
  };

  // `text` is a Jinja template that replaces the model's; "": the model's own, or ChatML when it
  // has none. Throws Error(bad_input) when it does not parse. The model outlives it.
  ChatTemplate(const llama_model* model, const std::string& text);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // Throws Error(bad_input) with the template's complaint.
  [[nodiscard]] Rendered apply(const std::vector<Message>& messages, const Options& options) const;
  // The text behind the n-th message (1-based, an assistant's): its end of turn, the messages that
  // follow, the beginning of the new reply. Found by a mark in place of that message's content;
  // nullopt where the template does not let the mark through.
  [[nodiscard]] std::optional<Rendered> continuation(std::vector<Message> messages,
                                                     const Options& options, std::size_t n) const;
  // Splits a whole reply into thinking, answer and tool calls.
  [[nodiscard]] static Reply parse(const std::string& text, const Rendered& rendered);
  [[nodiscard]] std::string source() const;
  // What the template can do, by llama.cpp's names.
  [[nodiscard]] std::map<std::string, bool> abilities() const;

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
