#include "api/heads.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "api/select_file.h"
#include "core/text_hash.h"
#include "llama/context_params.h"
#include "llama/head_probe.h"
#include "llama/model.h"

namespace zoomr {

namespace {

// Size, time of change, and a hash of the first 16 MiB (a GGUF file's header and more) and of 64
// places spread over the rest: another file under the same name is noticed, and none is read whole.
std::string file_key(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr std::uint64_t kHead = 16 << 20;
  constexpr std::uint64_t kPlace = 4096;
  constexpr std::uint64_t kPlaces = 64;
  std::error_code ignored;
  const std::uint64_t size = fs::file_size(path, ignored);
  const auto changed = fs::last_write_time(path, ignored).time_since_epoch().count();
  std::ifstream file(path, std::ios::binary);
  std::string text(std::min(size, kHead), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (size > kHead + kPlace) {
    std::string place(kPlace, '\0');
    for (std::uint64_t i = 1; i <= kPlaces; ++i) {
      file.seekg(static_cast<std::streamoff>(kHead + (size - kHead - kPlace) / kPlaces * i));
      file.read(place.data(), static_cast<std::streamsize>(kPlace));
      text += place;
    }
  }
  return std::to_string(size) + ' ' + std::to_string(changed) + ' ' + text_hash(text);
}

// The heads with the key heads that they read. Throws Error(bad_input): the model has no such head,
// or a sliding window hides from it what it is to look for.
std::vector<RetrievalHead> place_heads(const std::vector<Head>& heads, const LlamaModel& model,
                                       const ContextOptions& context) {
  if (heads.empty()) return {};
  const std::vector<LayerShape> layers = layer_shapes(model, context);
  std::vector<RetrievalHead> placed;
  for (const Head& head : heads) {
    const auto layer = static_cast<std::size_t>(head.layer);
    if (layer >= layers.size() || head.head >= layers[layer].n_head) {
      int most = 0;  // a hybrid's layers may have none
      for (const LayerShape& shape : layers) most = std::max(most, shape.n_head);
      throw Error(ErrorCode::bad_input, "the model has no head " +
                                            head_name(head.layer, head.head) + ": it has " +
                                            std::to_string(layers.size()) + " layers of " +
                                            std::to_string(most) + " heads");
    }
    const LayerShape& shape = layers[layer];
    if (shape.window > 0) {
      throw Error(ErrorCode::bad_input,
                  "head " + head_name(head.layer, head.head) + " cannot look far back: layer " +
                      std::to_string(head.layer) + " has a sliding window (zoomr heads)");
    }
    placed.push_back({head.layer, head.head, head.head / (shape.n_head / shape.n_head_kv)});
  }
  return placed;
}

bool is_list(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.,+") == std::string::npos;
}

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

// False when the model has no heads to follow. key: the probe's, which costs reading the file.
[[nodiscard]] bool use_probe(const LlamaModel& model, RunOptions& options, std::string& key,
                             const Tell& tell) {
  const auto found = find_heads(model, options.context, false, tell);
  key = found.file.key;
  const std::vector<HeadScore>& scores = found.file.probe.scores;
  options.settings.heads = choose_heads(scores, HeadKind::value);
  options.settings.name_heads = choose_heads(scores, HeadKind::name);
  options.settings.order_heads = choose_heads(scores, HeadKind::order);
  if (options.settings.heads.empty()) return false;
  const double best = best_score(scores, HeadKind::value);
  if (best >= kClearScore) return true;
  tell("no head of this model stands out as one that looks facts up (the best has " +
       two_digits(best) + ", clear is " + two_digits(kClearScore) +
       "): what --select retrieval brings back may be wrong");
  return true;
}

// No head to follow. Where the user left the choice to us nothing comes back by itself: the votes
// of all heads did no better than that on any model that was measured (docs/selection.md).
void do_without_heads(PolicySettings& settings, bool chosen_by_us, const Tell& tell) {
  if (!chosen_by_us) {
    throw Error(ErrorCode::unsupported,
                "--select retrieval: no head of this model looks facts up (--select paper)");
  }
  settings.select = "none";
  settings.name_heads.clear();
  settings.order_heads.clear();
  tell(
      "no head of this model looks facts up: nothing comes back by itself "
      "(--select none; with paper all heads vote)");
}

// False when the model has no heads to follow. key: the probe's, when it was asked.
[[nodiscard]] bool choose(const LlamaModel& model, RunOptions& options, std::string& key,
                          const Tell& tell) {
  PolicySettings& settings = options.settings;
  const auto place = [&](const std::vector<Head>& heads) {
    return place_heads(heads, model, options.context);
  };
  if (options.heads == "auto") {
    if (!use_probe(model, options, key, tell)) return false;
  } else if (is_list(options.heads)) {
    settings.heads = place(parse_head_list("--heads", options.heads));
  } else {
    const NamedHeads named = read_named_heads(options.heads);
    settings.heads = place(named.values);
    settings.name_heads = place(named.names);
    settings.order_heads = place(named.order);
  }
  const auto by_hand = [&](const char* flag, const std::string& text,
                           std::vector<RetrievalHead>& heads) {
    if (text == "none") heads.clear();
    if (text != "none" && text != "auto") heads = place(parse_head_list(flag, text));
  };
  by_hand("--name-heads", options.name_heads, settings.name_heads);
  by_hand("--order-heads", options.order_heads, settings.order_heads);
  return true;
}

bool has_own_selection(const RunOptions& options) {
  return options.own_selection || !same_selection(options.settings, PolicySettings{});
}

// The selection's settings that `zoomr tune` kept for this model, or those of the user's file.
void use_select_config(const LlamaModel& model, RunOptions& options, std::string key,
                       const Tell& tell) {
  std::string path = options.select_config;
  std::optional<PolicySettings> found;
  if (path == "auto" && !has_own_selection(options)) {
    if (key.empty()) key = probe_key(model, options.context);
    path = select_path(model.options().path, key);
    if (const auto text = read_text(path)) found = parse_select_file(*text, key, options.settings);
  } else if (path != "auto" && path != "none") {
    found = read_select_file(path);
  }
  options.select_config = found ? path : "none";
  if (!found) return;
  copy_selection(*found, options.settings);
  tell("selection as zoomr tune found it: " + path + " (--select-config none: the defaults)");
}

}  // namespace

std::string probe_key(const LlamaModel& model, const ContextOptions& c) {
  const ModelOptions& o = model.options();
  std::string key = "probe " + std::to_string(kProbeVersion) + " llama " +
                    std::string(llama_version()) + " model " + file_key(o.path);
  for (const std::string& text : o.kv_overrides) key += " override " + text;
  for (const LoraOptions& lora : o.loras) {
    key += " lora " + file_key(lora.path) + ' ' + std::to_string(lora.scale);
  }
  key += " kv " + c.type_k + ' ' + c.type_v + " rope " + c.rope_scaling;
  for (const float value : {c.rope_freq_base, c.rope_freq_scale, c.yarn_ext_factor,
                            c.yarn_attn_factor, c.yarn_beta_fast, c.yarn_beta_slow}) {
    key += ' ' + std::to_string(value);
  }
  return key + ' ' + std::to_string(c.yarn_orig_ctx);
}

FoundHeads find_heads(const LlamaModel& model, const ContextOptions& context, bool refresh,
                      const Tell& tell) {
  (void)make_context_params(context);  // what is wrong with the options is said first
  FoundHeads found;
  found.file.key = probe_key(model, context);
  found.file.model = model.description();
  found.path = heads_path(model.options().path, found.file.key);
  if (!refresh) {
    if (const auto text = read_text(found.path)) {
      if (auto probe = parse_head_file(*text, found.file.key)) {
        found.file.probe = std::move(*probe);
        found.kept = true;
        return found;
      }
    }
  }
  tell("looking for the heads that look things up, once for this model");
  found.file.probe = probe_heads(model, context);
  if (found.path.empty() || !write_whole(found.path, to_json(found.file).dump() + "\n")) {
    tell("the heads could not be kept in " + heads_folder() + ": the next run looks again");
    found.path.clear();
  }
  return found;
}

void check_head_flags(const RunOptions& o) {
  if (o.heads != "auto" && is_list(o.heads)) (void)parse_head_list("--heads", o.heads);
  if (o.heads != "auto" && !is_list(o.heads)) (void)read_named_heads(o.heads);
  const auto check_list = [](const char* flag, const std::string& text) {
    if (text != "auto" && text != "none") (void)parse_head_list(flag, text);
  };
  check_list("--name-heads", o.name_heads);
  check_list("--order-heads", o.order_heads);
  if (o.select_config == "auto" || o.select_config == "none") return;
  (void)read_select_file(o.select_config);
  if (!has_own_selection(o)) return;
  throw Error(ErrorCode::bad_input, "--select-config " + o.select_config +
                                        " names the selection's settings: " + selection_flags() +
                                        " have no place beside it");
}

void settle_heads(const LlamaModel& model, RunOptions& options, const Tell& tell) {
  PolicySettings& settings = options.settings;
  if (options.policy != "zoomr" || !settings.heads.empty()) return;
  const bool chosen_by_us = settings.select == "auto";
  // Summaries are the paper's index; lines alone are better found by the heads that look for them.
  if (chosen_by_us) settings.select = options.summaries != "none" ? "paper" : "retrieval";
  if (settings.select != "retrieval") return;
  std::string key;
  if (!choose(model, options, key, tell)) return do_without_heads(settings, chosen_by_us, tell);
  use_select_config(model, options, std::move(key), tell);
}

}  // namespace zoomr
