#include "engine/run_settings.h"

#include "zoomr/error.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

// What the KV depends on, both ways: field(name, value).
template <typename Options, typename Field>
void each_of_context(Options& o, const Field& field) {
  field("batch-size", o.n_batch);
  field("ubatch-size", o.n_ubatch);
  field("cache-type-k", o.type_k);
  field("cache-type-v", o.type_v);
  field("rope-scaling", o.rope_scaling);
  field("rope-freq-base", o.rope_freq_base);
  field("rope-freq-scale", o.rope_freq_scale);
  field("yarn-orig-ctx", o.yarn_orig_ctx);
  field("yarn-ext-factor", o.yarn_ext_factor);
  field("yarn-attn-factor", o.yarn_attn_factor);
  field("yarn-beta-fast", o.yarn_beta_fast);
  field("yarn-beta-slow", o.yarn_beta_slow);
  field("swa-full", o.swa_full);
}

Json context_settings(const ContextOptions& o) {
  Json settings = {{"threads", o.threads}, {"threads-batch", o.threads_batch}};
  each_of_context(o, [&](const char* name, const auto& value) { settings[name] = value; });
  return settings;
}

// A setting as it stands there, or as usual where it does not.
template <typename T>
void read(const Json& settings, const char* name, T& value) {
  const auto it = settings.find(name);
  if (it == settings.end()) return;
  try {
    it->get_to(value);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::bad_input,
                std::string("the settings' '") + name + "' is of another type");
  }
}

}  // namespace

Json sampling_settings(const SamplingOptions& o) {
  Json biases = Json::array();
  for (const LogitBias& b : o.logit_bias) biases.push_back({b.token, b.bias});
  return {{"samplers", o.samplers},
          {"seed", o.seed},
          {"temp", o.temp},
          {"dynatemp-range", o.dynatemp_range},
          {"dynatemp-exp", o.dynatemp_exponent},
          {"top-k", o.top_k},
          {"top-p", o.top_p},
          {"min-p", o.min_p},
          {"typical", o.typical_p},
          {"top-nsigma", o.top_n_sigma},
          {"xtc-probability", o.xtc_probability},
          {"xtc-threshold", o.xtc_threshold},
          {"repeat-last-n", o.repeat_last_n},
          {"repeat-penalty", o.repeat_penalty},
          {"presence-penalty", o.presence_penalty},
          {"frequency-penalty", o.frequency_penalty},
          {"dry-multiplier", o.dry_multiplier},
          {"dry-base", o.dry_base},
          {"dry-allowed-length", o.dry_allowed_length},
          {"dry-penalty-last-n", o.dry_penalty_last_n},
          {"mirostat", o.mirostat},
          {"mirostat-ent", o.mirostat_tau},
          {"mirostat-lr", o.mirostat_eta},
          {"ignore-eos", o.ignore_eos},
          {"logit-bias", biases},
          {"grammar", o.grammar}};
}

Json run_settings(const RunOptions& o) {
  Json settings = {{"policy", o.policy},
                   {"select", o.settings.select},
                   {"heads", o.heads},
                   {"name-heads", o.name_heads},
                   {"order-heads", o.order_heads},
                   {"window", o.settings.window},
                   {"sink", o.settings.sink},
                   {"vote-k", o.settings.vote_k},
                   {"consensus", o.settings.consensus},
                   {"zoom-in", o.settings.zoom_in},
                   {"zoom-in-name", o.settings.zoom_in_name},
                   {"zoom-max", o.settings.zoom_max},
                   {"second-look", o.settings.second_look},
                   {"sure", o.settings.sure},
                   {"second-look-name", o.settings.second_look_name},
                   {"fade", o.settings.fade},
                   {"miss", o.settings.miss},
                   {"select-config", o.select_config},
                   {"summaries", o.summaries},
                   {"summary-begin", o.summary_begin},
                   {"summary-end", o.summary_end},
                   {"line-min", o.line_min},
                   {"line-max", o.line_max},
                   {"clause-min", o.clause_min},
                   {"thought-max", o.thought_max},
                   {"pin-prompt", o.pin_prompt},
                   {"keep", o.keep},
                   {"loop-guard", o.loop_guard},
                   {"predict", o.n_predict},
                   {"ctx-size", o.n_ctx},
                   {"allow-extrapolation", o.allow_extrapolation}};
  settings.update(context_settings(o.context));
  settings.update(sampling_settings(o.sampling));
  return settings;
}

ContextOptions context_options(const Json& settings) {
  ContextOptions o;
  each_of_context(o, [&](const char* name, auto& value) { read(settings, name, value); });
  return o;
}

bool takes_largest(const Json& settings) {
  SamplingOptions o;
  Json biases = Json::array();
  read(settings, "samplers", o.samplers);
  read(settings, "temp", o.temp);
  read(settings, "typical", o.typical_p);
  read(settings, "xtc-probability", o.xtc_probability);
  read(settings, "repeat-penalty", o.repeat_penalty);
  read(settings, "presence-penalty", o.presence_penalty);
  read(settings, "frequency-penalty", o.frequency_penalty);
  read(settings, "dry-multiplier", o.dry_multiplier);
  read(settings, "mirostat", o.mirostat);
  read(settings, "logit-bias", biases);
  read(settings, "grammar", o.grammar);
  // The others never take the largest away. What is not said is as the program has it: not greedy.
  return o.temp <= 0 && o.samplers.find("temp") != std::string::npos && o.typical_p >= 1 &&
         o.xtc_probability <= 0 && o.repeat_penalty == 1 && o.presence_penalty == 0 &&
         o.frequency_penalty == 0 && o.dry_multiplier == 0 && o.mirostat == 0 && biases.empty() &&
         o.grammar.empty();
}

}  // namespace zoomr
