// Thinking delimiters of the template families that llama.cpp tells apart: what the template says
// of them, how a reply that is read while it grows falls into thinking and answer, and whether the
// segmenter sees the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "chat/reply_parser.h"
#include "core/segmenter.h"

namespace zoomr {
namespace {

struct Family {
  std::string name;
  std::string marks;             // llama.cpp knows the template by them; "": by what it renders
  std::string turn, turn_end;    // around each message
  std::string think, think_end;  // around the thinking of an earlier reply; "": it is left out
  std::string opening;           // of the reply, at the prompt's end
  std::string think_begin;
  std::vector<std::string> think_ends;
  bool starts_thinking = false;
  std::string reply;  // thinks "One. Two." and answers "Three."
};

void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {.name = "Qwen3",
       .turn = "<|im_start|>",
       .turn_end = "<|im_end|>\n",
       .think = "<think>\n",
       .think_end = "\n</think>\n\n",
       .opening = "<|im_start|>assistant\n",
       .think_begin = "<think>",
       .think_ends = {"</think>"},
       .reply = "<think>\nOne. Two.\n</think>\n\nThree."},
      {.name = "Qwen3Thinking",
       .turn = "<|im_start|>",
       .turn_end = "<|im_end|>\n",
       .think = "<think>\n",
       .think_end = "\n</think>\n\n",
       .opening = "<|im_start|>assistant\n<think>\n",
       .think_begin = "<think>",
       .think_ends = {"</think>"},
       .starts_thinking = true,
       .reply = "One. Two.\n</think>\n\nThree."},
      {.name = "SeedOss",
       .turn = "<seed:bos>",
       .turn_end = "<seed:eos>",
       .think = "<seed:think>",
       .think_end = "</seed:think>",
       .opening = "<seed:bos>assistant\n",
       .think_begin = "<seed:think>",
       .think_ends = {"</seed:think>"},
       .reply = "<seed:think>One. Two.</seed:think>Three."},
      {.name = "NemotronNano2",
       .marks = "<SPECIAL_10> <SPECIAL_11> <SPECIAL_12> <TOOL_RESPONSE>",
       .turn = "<SPECIAL_11>",
       .turn_end = "\n",
       .opening = "<SPECIAL_11>Assistant\n<think>\n",
       .think_begin = "<think>",
       .think_ends = {"</think>"},
       .starts_thinking = true,
       .reply = "One. Two.\n</think>\n\nThree."},
      // Nemotron 3 and Qwen3.5; a tool call ends the thinking, too.
      {.name = "Qwen3Coder",
       .marks = "<think> <tool_call> <function= <parameter=",
       .turn = "<|im_start|>",
       .turn_end = "<|im_end|>\n",
       .opening = "<|im_start|>assistant\n<think>\n",
       .think_begin = "<think>",
       .think_ends = {"\n</think>", "</think>", "<tool_call>"},
       .starts_thinking = true,
       .reply = "One. Two.\n</think>\n\nThree."},
      {.name = "Magistral",
       .marks = "[SYSTEM_PROMPT] [TOOL_CALLS] [ARGS]",
       .turn = "[INST]",
       .turn_end = "[/INST]",
       .think_begin = "[THINK]",
       .think_ends = {"[/THINK]"},
       .reply = "[THINK]One. Two.[/THINK]Three."},
      {.name = "GptOss",
       .marks = "<|channel|>",
       .turn = "<|start|>",
       .turn_end = "<|end|>",
       .opening = "<|start|>assistant",
       .think_begin = "<|channel|>analysis<|message|>",
       .think_ends = {"<|end|>"},
       .reply = "<|channel|>analysis<|message|>One. Two.<|end|>"
                "<|start|>assistant<|channel|>final<|message|>Three."},
      {.name = "Gemma4",
       .marks = "'<|tool_call>call:'",
       .turn = "<|turn>",
       .turn_end = "<turn|>\n",
       .opening = "<|turn>model\n",
       .think_begin = "<|channel>thought",
       .think_ends = {"<channel|>"},
       .reply = "<|channel>thought\nOne. Two.\n<channel|>Three."},
      {.name = "Cohere2Moe",
       .marks = "<|START_TEXT|> <|START_ACTION|>",
       .turn = "<|START_OF_TURN_TOKEN|>",
       .turn_end = "<|END_OF_TURN_TOKEN|>",
       .opening = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_THINKING|>",
       .think_begin = "<|START_THINKING|>",
       .think_ends = {"<|END_THINKING|>"},
       .starts_thinking = true,
       .reply = "One. Two.<|END_THINKING|><|START_TEXT|>Three.<|END_TEXT|>"},
      {.name = "MiniMaxM3",
       .marks = "]<]minimax[>[ <tool_call> <invoke name=",
       .turn = "]~b]",
       .turn_end = "[e~[\n",
       .opening = "]~b]ai\n",
       .think_begin = "<mm:think>",
       .think_ends = {"</mm:think>"},
       .reply = "<mm:think>One. Two.</mm:think>Three."},
      {.name = "DeepSeekV32",
       .marks = "dsml_token DSML function_calls",
       .turn = "<\uff5cUser\uff5c>",
       .turn_end = "\n",
       .opening = "<\uff5cAssistant\uff5c><think>",
       .think_begin = "<think>",
       .think_ends = {"</think>", "<\uff5cDSML\uff5cfunction_calls>"},
       .starts_thinking = true,
       .reply = "One. Two.</think>Three."},
      {.name = "KimiK2",
       .marks = "<|tool_calls_section_begin|> <|tool_call_begin|>",
       .turn = "<|im_user|>",
       .turn_end = "<|im_end|>",
       .opening = "<|im_assistant|>assistant<|im_middle|>",
       .think_begin = "<think>",
       .think_ends = {"</think>"},
       .reply = "<think>One. Two.</think>Three."},
      {.name = "KimiK3",
       .marks = "<|open|> <|close|> <|end_of_msg|>",
       .turn = "<|open|>",
       .turn_end = "<|close|>message<|sep|>",
       .opening = R"(<|open|>message role="assistant"<|sep|><|open|>think<|sep|>)",
       .think_begin = "<|open|>think<|sep|>",
       .think_ends = {"<|close|>think<|sep|>"},
       .starts_thinking = true,
       .reply = "One. Two.<|close|>think<|sep|><|open|>response<|sep|>Three."
                "<|close|>response<|sep|><|close|>message<|sep|>"},
      {.name = "Ling3",
       .marks = "<role>ASSISTANT</role> <arg_key>",
       .turn = "<role>",
       .turn_end = "<|role_end|>",
       .opening = "<role>ASSISTANT</role>\n<think>",
       .think_begin = "<think>",
       .think_ends = {"</think>", "<tool_call>"},
       .starts_thinking = true,
       .reply = "One. Two.</think>Three."},
      {.name = "Lfm25",
       .marks = "List of tools: [ <think>",
       .turn = "<|im_start|>",
       .turn_end = "<|im_end|>\n",
       .opening = "<|im_start|>assistant\n",
       .think_begin = "<think>",
       .think_ends = {"</think>"},
       .reply = "<think>\nOne. Two.\n</think>\n\nThree."},
  };
  return all;
}

// A short template of the family; its marks stand in a comment.
std::string template_of(const Family& family) {
  const auto print = [](const std::string& before, const std::string& what,
                        const std::string& behind) {
    return "{{ '" + before + "' + " + what + " + '" + behind + "' }}";
  };
  std::string text = "{# " + family.marks + " #}{% for m in messages %}";
  text += print(family.turn, "m.role", "\n");
  if (!family.think.empty()) {
    text += "{% if m.reasoning_content %}" +
            print(family.think, "m.reasoning_content", family.think_end) + "{% endif %}";
  }
  text += print("", "m.content", family.turn_end) + "{% endfor %}";
  return text + "{% if add_generation_prompt %}{{ '" + family.opening + "' }}{% endif %}";
}

ChatTemplate::Rendered render(const Family& family) {
  return ChatTemplate(nullptr, template_of(family)).apply({{"user", "Hi"}}, {});
}

// Blanks at the edges of thinking and answer are llama.cpp's to judge, family by family.
std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_last_not_of(" \n") - begin + 1);
}

class ThinkFamily : public ::testing::TestWithParam<Family> {};

TEST_P(ThinkFamily, TheTemplateNamesItsDelimiters) {
  const Family& family = GetParam();
  const ChatTemplate::Rendered rendered = render(family);
  EXPECT_TRUE(rendered.prompt.ends_with(family.opening)) << rendered.prompt;
  EXPECT_EQ(rendered.think_begin, family.think_begin);
  EXPECT_EQ(rendered.think_ends, family.think_ends);
  EXPECT_EQ(rendered.starts_thinking, family.starts_thinking) << rendered.prompt;
}

TEST_P(ThinkFamily, AReplyIsSplitWhileItGrows) {
  const Family& family = GetParam();
  const ChatTemplate::Rendered rendered = render(family);
  for (const std::size_t size : {1, 7, 1000}) {
    SCOPED_TRACE("in pieces of " + std::to_string(size));
    ReplyParser parser(rendered, [] { return std::string("call"); });
    std::string reasoning;
    std::string content;
    const auto take = [&](const std::vector<ReplyDelta>& deltas) {
      for (const ReplyDelta& delta : deltas) {
        reasoning += delta.reasoning;
        content += delta.content;
        EXPECT_TRUE(delta.calls.empty());
      }
    };
    for (std::size_t at = 0; at < family.reply.size(); at += size) {
      take(parser.add(family.reply.substr(at, size)));
    }
    take(parser.finish());
    EXPECT_EQ(trimmed(reasoning), "One. Two.");
    EXPECT_EQ(trimmed(content), "Three.");
    EXPECT_EQ(parser.reply().reasoning, reasoning);
    EXPECT_EQ(parser.reply().content, content);
  }
  const ChatTemplate::Reply whole = ChatTemplate::parse(family.reply, rendered);
  EXPECT_EQ(trimmed(whole.reasoning), "One. Two.");
  EXPECT_EQ(trimmed(whole.content), "Three.");
}

// What a segmenter takes the end of this text for, of which each byte is a token.
SegmentKind kind_behind(const ChatTemplate::Rendered& rendered, const std::string& text) {
  Segmenter segmenter(
      {.delimiters = {.think_begin = rendered.think_begin, .think_ends = rendered.think_ends},
       .starts_thinking = rendered.starts_thinking});
  Timeline timeline;
  segmenter.end_prompt(timeline);
  for (const char c : text) (void)segmenter.push(timeline, Token{0}, std::string(1, c));
  return segmenter.kind();
}

TEST_P(ThinkFamily, TheSegmenterSeesTheSame) {
  const Family& family = GetParam();
  const ChatTemplate::Rendered rendered = render(family);
  EXPECT_EQ(kind_behind(rendered, ""),
            family.starts_thinking ? SegmentKind::thought : SegmentKind::answer);
  EXPECT_EQ(kind_behind(rendered, family.reply.substr(0, family.reply.find("Two."))),
            SegmentKind::thought);
  EXPECT_EQ(kind_behind(rendered, family.reply.substr(0, family.reply.find("Three."))),
            SegmentKind::answer);
  EXPECT_EQ(kind_behind(rendered, family.reply), SegmentKind::answer);
}

const Family& family_named(const std::string& name) {
  return *std::find_if(families().begin(), families().end(),
                       [&](const Family& family) { return family.name == name; });
}

TEST(Thinking, AThoughtThatIsToBeContinuedIsOne) {
  const ChatTemplate chat(nullptr, template_of(family_named("Qwen3")));
  const auto goes_on = [&](const std::string& reasoning, const std::string& content) {
    return chat.apply({{.role = "user", .content = "What is <think>?"},
                       {.role = "assistant", .content = content, .reasoning = reasoning}},
                      {.continue_last = true});
  };
  EXPECT_TRUE(goes_on("One.", "").starts_thinking) << goes_on("One.", "").prompt;
  EXPECT_FALSE(goes_on("One.", "Thr").starts_thinking) << goes_on("One.", "Thr").prompt;
  EXPECT_FALSE(goes_on("", "Thr").starts_thinking) << goes_on("", "Thr").prompt;
  EXPECT_FALSE(goes_on("", "The <think> tag").starts_thinking);
}

// What its own format cannot read is shown as it is, behind what was shown of the thinking.
TEST(Thinking, AReplyThatBreaksItsFormatIsShownToItsEnd) {
  ReplyParser parser(render(family_named("Cohere2Moe")), [] { return std::string("call"); });
  (void)parser.add("One. Two.");
  (void)parser.add("<|END_THINKING|>Three.");
  (void)parser.finish();
  EXPECT_EQ(parser.reply().reasoning, "One. Two.");
  EXPECT_EQ(parser.reply().content, "Three.");
}

INSTANTIATE_TEST_SUITE_P(Families, ThinkFamily, ::testing::ValuesIn(families()),
                         [](const auto& family) { return family.param.name; });

}  // namespace
}  // namespace zoomr
