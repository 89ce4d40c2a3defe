#include "api/run_settings.h"

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

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

Json context_settings(const ContextOptions& o) {
  return {{"threads", o.threads},
          {"threads-batch", o.threads_batch},
          {"batch-size", o.n_batch},
          {"ubatch-size", o.n_ubatch},
          {"cache-type-k", o.type_k},
          {"cache-type-v", o.type_v},
          {"rope-scaling", o.rope_scaling},
          {"rope-freq-base", o.rope_freq_base},
          {"rope-freq-scale", o.rope_freq_scale},
          {"yarn-orig-ctx", o.yarn_orig_ctx},
          {"yarn-ext-factor", o.yarn_ext_factor},
          {"yarn-attn-factor", o.yarn_attn_factor},
          {"yarn-beta-fast", o.yarn_beta_fast},
          {"yarn-beta-slow", o.yarn_beta_slow},
          {"swa-full", o.swa_full}};
}

}  // namespace

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
                   {"fade", o.settings.fade},
                   {"miss", o.settings.miss},
                   {"select-config", o.select_config},
                   {"summaries", o.summaries},
                   {"summary-begin", o.summary_begin},
                   {"summary-end", o.summary_end},
                   {"line-min", o.line_min},
                   {"line-max", o.line_max},
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

}  // namespace zoomr
