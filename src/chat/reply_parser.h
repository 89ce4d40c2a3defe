// A chat reply that is read while it grows: each text that arrives becomes what is new in the
// thinking, the answer and the tool calls. One thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chat/chat_template.h"

namespace zoomr {

struct ReplyDelta {
  std::string reasoning;
  std::string content;
  struct CallDelta {
    std::size_t index = 0;
    std::string id;         // with the call's first delta only
    std::string name;       // the same
    std::string arguments;  // what was added
  };
  std::vector<CallDelta> calls;
};

class ReplyParser {
 public:
  // make_id: names a tool call that the model gave no id.
  ReplyParser(const ChatTemplate::Rendered& rendered, std::function<std::string()> make_id);
  ~ReplyParser();

  // The text goes on; what that adds. Nothing while the text may still become something else.
  std::vector<ReplyDelta> add(const std::string& text);
  // The text is complete; what is left.
  std::vector<ReplyDelta> finish();
  [[nodiscard]] ChatTemplate::Reply reply() const;  // so far

 private:
  struct Impl;
  std::vector<ReplyDelta> read(bool partial);
  std::unique_ptr<Impl> impl_;
};

}  // namespace zoomr
