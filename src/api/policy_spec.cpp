#include "api/policy_spec.h"

#include <charconv>

#include "api/heads.h"
#include "api/select_file.h"
#include "core/policy.h"

namespace zoomr {

namespace {

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
Number to_number(const std::string& key, const std::string& value) {
  Number number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    throw Error(ErrorCode::bad_input,
                "policy setting " + key + " needs a number, not '" + value + "'");
  }
  return number;
}

void set(RunOptions& options, const std::string& key, const std::string& value) {
  if (key == "select")
    options.settings.select = value;
  else if (key == "heads")
    options.heads = value;
  else if (key == "name-heads")
    options.name_heads = value;
  else if (key == "order-heads")
    options.order_heads = value;
  else if (key == "window")
    options.settings.window = to_number<int>(key, value);
  else if (key == "sink")
    options.settings.sink = to_number<int>(key, value);
  else if (key == "vote-k")
    options.settings.vote_k = to_number<int>(key, value);
  else if (key == "consensus")
    options.settings.consensus = to_number<int>(key, value);
  else if (key == "zoom-in")
    options.settings.zoom_in = to_number<float>(key, value);
  else if (key == "zoom-in-name")
    options.settings.zoom_in_name = to_number<float>(key, value);
  else if (key == "zoom-max")
    options.settings.zoom_max = to_number<int>(key, value);
  else if (key == "second-look")
    options.settings.second_look = to_number<float>(key, value);
  else if (key == "second-look-name")
    options.settings.second_look_name = to_number<float>(key, value);
  else if (key == "sure")
    options.settings.sure = to_number<float>(key, value);
  else if (key == "fade")
    options.settings.fade = to_number<float>(key, value);
  else if (key == "miss")
    options.settings.miss = to_number<float>(key, value);
  else if (key == "select-config")
    options.select_config = value;
  else if (key == "summaries")
    options.summaries = value;
  else if (key == "ctk")
    options.context.type_k = value;
  else if (key == "ctv")
    options.context.type_v = value;
  else if (key == "budget")
    options.budget = parse_budget(value);
  else
    throw Error(
        ErrorCode::bad_input,
        "unknown policy setting '" + key +
            "': select, heads, name-heads, order-heads, window, sink, vote-k, consensus, zoom-in, "
            "zoom-in-name, zoom-max, second-look, sure, second-look-name, fade, miss, "
            "select-config, summaries, ctk, ctv "
            "or budget");
  options.own_selection |= is_of_selection(key);
}

}  // namespace

Budget parse_budget(const std::string& text) {
  const bool beyond = !text.empty() && text[0] == '+';
  const std::string number = beyond ? text.substr(1) : text;
  Budget budget{.tokens = 0, .beyond_prompt = beyond};
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), budget.tokens);
  if (error != std::errc() || end != number.data() + number.size() || budget.tokens < 1) {
    throw Error(ErrorCode::bad_input,
                "--budget is a number of tokens, or +N beyond the prompt, not '" + text + "'");
  }
  return budget;
}

std::vector<PolicySpec> parse_policies(std::string_view list, const RunOptions& defaults) {
  std::vector<PolicySpec> specs;
  for (const std::string& typed : split(list, ',')) {
    const std::vector<std::string> parts = split(typed, ':');
    PolicySpec spec{.typed = typed, .options = defaults};
    spec.options.policy = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::size_t equals = parts[i].find('=');
      if (equals == std::string::npos) {
        throw Error(ErrorCode::bad_input,
                    "a policy's setting is key=value, not '" + parts[i] + "'");
      }
      const std::string key = parts[i].substr(0, equals);
      set(spec.options, key, parts[i].substr(equals + 1));
      spec.has_budget |= key == "budget";
    }
    spec.options.settings.summaries = spec.options.summaries != "none";
    (void)make_policy(spec.options.policy, spec.options.settings);  // its errors come first
    check_head_flags(spec.options);
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace zoomr
