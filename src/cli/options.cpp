#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <thread>

#include "api/heads.h"
#include "api/policy_spec.h"
#include "api/select_file.h"
#include "core/policy.h"

namespace zoomr {

namespace {

const std::map<std::string, std::string>& long_names() {
  static const std::map<std::string, std::string> names = {{"-tb", "--threads-batch"},
                                                           {"-ub", "--ubatch-size"},
                                                           {"-fa", "--flash-attn"},
                                                           {"-ctk", "--cache-type-k"},
                                                           {"-ctv", "--cache-type-v"},
                                                           {"-ngl", "--n-gpu-layers"},
                                                           {"-dev", "--device"},
                                                           {"-ts", "--tensor-split"},
                                                           {"-mg", "--main-gpu"},
                                                           {"-sm", "--split-mode"},
                                                           {"-lm", "--load-mode"},
                                                           {"-sys", "--system-prompt"},
                                                           {"-sysf", "--system-prompt-file"},
                                                           {"-st", "--single-turn"},
                                                           {"-jf", "--json-schema-file"},
                                                           {"-lv", "--log-verbosity"},
                                                           {"-np", "--parallel"},
                                                           {"-nkvo", "--no-kv-offload"},
                                                           {"-kvo", "--kv-offload"},
                                                           {"-to", "--timeout"},
                                                           {"-cb", "--cont-batching"}};
  return names;
}

std::string policy_names() {
  std::string text;
  for (const PolicyInfo& policy : policies()) {
    text += "\n    " + std::string(policy.name) + ": " + std::string(policy.what);
  }
  return text;
}

}  // namespace

std::vector<std::string> with_long_names(std::vector<std::string> args) {
  for (std::string& arg : args) {
    if (arg == "--") break;
    const std::string flag = arg.substr(0, arg.find('='));
    const auto known = long_names().find(flag);
    if (known != long_names().end()) arg = known->second + arg.substr(flag.size());
  }
  return args;
}

std::string read_file(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::bad_input, std::string("cannot read ") + what + " " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::size_t parse_bytes(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const std::map<std::string, double> scale = {{"", 1.0},
                                               {"K", 1024.0},
                                               {"M", 1024.0 * 1024},
                                               {"G", 1024.0 * 1024 * 1024},
                                               {"T", 1024.0 * 1024 * 1024 * 1024}};
  const auto factor =
      scale.find(unit.empty() ? unit : std::string(1, static_cast<char>(std::toupper(unit[0]))));
  if (error != std::errc() || factor == scale.end() || unit.size() > 3 || number <= 0) {
    throw Error(ErrorCode::bad_input, "a size is a number with K, M, G or T, not '" + text + "'");
  }
  return static_cast<std::size_t>(number * factor->second);
}

void add_model_flags(CLI::App& app, ModelOptions& o) {
  const std::string group = "Model";
  app.add_option("-m,--model", o.path, "GGUF file, or the name of a known model (zoomr models)")
      ->envname("LLAMA_ARG_MODEL")
      ->group(group);
  app.add_option_function<std::vector<std::string>>(
         "--lora",
         [&o](const std::vector<std::string>& paths) {
           for (const std::string& path : paths) o.loras.push_back({path, 1.0F});
         },
         "LoRA adapter, GGUF; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_option_function<std::vector<std::string>>(
         "--lora-scaled",
         [&o](const std::vector<std::string>& values) {
           for (const std::string& value : values) {
             const std::size_t colon = value.rfind(':');
             try {
               if (colon == std::string::npos) throw std::invalid_argument(value);
               o.loras.push_back({value.substr(0, colon), std::stof(value.substr(colon + 1))});
             } catch (const std::exception&) {
               throw Error(ErrorCode::bad_input,
                           "--lora-scaled is FILE:SCALE, not '" + value + "'");
             }
           }
         },
         "LoRA adapter with its scale, FILE:SCALE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_option("--override-kv", o.kv_overrides,
                 "Metadata override, KEY=TYPE:VALUE; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_option("--gpu-layers,--n-gpu-layers", o.n_gpu_layers, "Layers on the GPU (-ngl); -1: all")
      ->envname("LLAMA_ARG_N_GPU_LAYERS")
      ->group(group);
  app.add_option("--device", o.devices, "Devices to use (-dev), comma-separated; none: the CPU")
      ->delimiter(',')
      ->envname("LLAMA_ARG_DEVICE")
      ->group(group);
  app.add_option("--split-mode", o.split_mode, "How several GPUs share (-sm): none, layer or row")
      ->envname("LLAMA_ARG_SPLIT_MODE")
      ->group(group);
  app.add_option("--tensor-split", o.tensor_split, "Share of each GPU (-ts), comma-separated")
      ->delimiter(',')
      ->envname("LLAMA_ARG_TENSOR_SPLIT")
      ->group(group);
  app.add_option("--main-gpu", o.main_gpu, "The GPU used alone with split mode none (-mg)")
      ->envname("LLAMA_ARG_MAIN_GPU")
      ->group(group);
  app.add_option("--rpc", o.rpc_servers, "RPC servers, HOST:PORT, comma-separated")
      ->delimiter(',')
      ->envname("LLAMA_ARG_RPC")
      ->group(group);
  app.add_option("--load-mode", o.load_mode,
                 "How the file is read (-lm): auto, none, mmap, mlock, mmap+mlock or dio")
      ->envname("LLAMA_ARG_LOAD_MODE")
      ->group(group);
  app.add_flag_callback(
         "--no-mmap", [&o] { o.load_mode = "none"; }, "Same as --load-mode none")
      ->group(group);
  app.add_flag_callback(
         "--mlock", [&o] { o.load_mode = "mlock"; }, "Same as --load-mode mlock")
      ->group(group);
  app.add_flag("--check-tensors", o.check_tensors, "Look for invalid values while loading")
      ->group(group);
}

void add_context_flags(CLI::App& app, RunOptions& options) {
  const std::string group = "Context";
  ContextOptions& o = options.context;
  app.add_option("-t,--threads", o.threads, "Threads for generation; 0: all cores")
      ->envname("LLAMA_ARG_THREADS")
      ->group(group);
  app.add_option("--threads-batch", o.threads_batch, "Threads for prompts (-tb); 0: as -t")
      ->group(group);
  app.add_option("-c,--ctx-size", options.n_ctx,
                 "Most positions of the run; 0: the trained length, or what prompt and -n need. It "
                 "costs no memory: --budget does")
      ->envname("LLAMA_ARG_CTX_SIZE")
      ->group(group);
  app.add_option("-b,--batch-size", o.n_batch, "Most tokens of one decode")
      ->envname("LLAMA_ARG_BATCH")
      ->group(group);
  app.add_option("--ubatch-size", o.n_ubatch, "Most tokens of one computation (-ub)")
      ->envname("LLAMA_ARG_UBATCH")
      ->group(group);
  app.add_option("--flash-attn", o.flash_attn, "Flash attention (-fa): on or auto; off is refused")
      ->expected(0, 1)
      ->default_str("auto")
      ->envname("LLAMA_ARG_FLASH_ATTN")
      ->group(group);
  app.add_option(
         "--cache-type-k", o.type_k,
         "Type of the keys' cache (-ctk): f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0, q5_1")
      ->envname("LLAMA_ARG_CACHE_TYPE_K")
      ->group(group);
  app.add_option("--cache-type-v", o.type_v, "Type of the values' cache (-ctv)")
      ->envname("LLAMA_ARG_CACHE_TYPE_V")
      ->group(group);
  app.add_flag("--kv-offload,!--no-kv-offload", o.offload_kqv, "KV on the GPU (-kvo, -nkvo)")
      ->group(group);
  app.add_option("--rope-scaling", o.rope_scaling, "none, linear or yarn")
      ->envname("LLAMA_ARG_ROPE_SCALING_TYPE")
      ->group(group);
  app.add_option_function<float>(
         "--rope-scale", [&o](float scale) { o.rope_freq_scale = scale > 0 ? 1 / scale : 0; },
         "Context scaling factor of RoPE")
      ->envname("LLAMA_ARG_ROPE_SCALE")
      ->group(group);
  app.add_option("--rope-freq-base", o.rope_freq_base, "RoPE's base frequency; 0: the model's")
      ->envname("LLAMA_ARG_ROPE_FREQ_BASE")
      ->group(group);
  app.add_option("--rope-freq-scale", o.rope_freq_scale, "RoPE's frequency scale; 0: the model's")
      ->envname("LLAMA_ARG_ROPE_FREQ_SCALE")
      ->group(group);
  app.add_option("--yarn-orig-ctx", o.yarn_orig_ctx, "YaRN: original length; 0: the model's")
      ->envname("LLAMA_ARG_YARN_ORIG_CTX")
      ->group(group);
  app.add_option("--yarn-ext-factor", o.yarn_ext_factor,
                 "YaRN: extrapolation mix; < 0: the model's")
      ->envname("LLAMA_ARG_YARN_EXT_FACTOR")
      ->group(group);
  app.add_option("--yarn-attn-factor", o.yarn_attn_factor, "YaRN: scale of the attention")
      ->envname("LLAMA_ARG_YARN_ATTN_FACTOR")
      ->group(group);
  app.add_option("--yarn-beta-slow", o.yarn_beta_slow, "YaRN: high correction dimension")
      ->envname("LLAMA_ARG_YARN_BETA_SLOW")
      ->group(group);
  app.add_option("--yarn-beta-fast", o.yarn_beta_fast, "YaRN: low correction dimension")
      ->envname("LLAMA_ARG_YARN_BETA_FAST")
      ->group(group);
  app.add_flag("--swa-full", o.swa_full, "Policy full: full-size cache for sliding-window layers")
      ->envname("LLAMA_ARG_SWA_FULL")
      ->group(group);
  app.add_flag("--allow-extrapolation", options.allow_extrapolation,
               "Go on behind the model's trained length")
      ->group(group);
}

void add_sampling_flags(CLI::App& app, SamplingOptions& o) {
  const std::string group = "Sampling";
  app.add_option("--samplers", o.samplers, "Samplers in their order, separated by ';'")
      ->group(group);
  app.add_option("-s,--seed", o.seed, "Seed; -1: random")->group(group);
  app.add_option("--temp,--temperature", o.temp, "Temperature; 0: greedy")
      ->envname("LLAMA_ARG_TEMPERATURE")
      ->group(group);
  app.add_option("--top-k", o.top_k, "Top-k; 0: off")->envname("LLAMA_ARG_TOP_K")->group(group);
  app.add_option("--top-p", o.top_p, "Top-p; 1: off")->envname("LLAMA_ARG_TOP_P")->group(group);
  app.add_option("--min-p", o.min_p, "Min-p; 0: off")->envname("LLAMA_ARG_MIN_P")->group(group);
  app.add_option("--top-nsigma,--top-n-sigma", o.top_n_sigma, "Top-n-sigma; < 0: off")
      ->group(group);
  app.add_option("--xtc-probability", o.xtc_probability, "XTC: probability; 0: off")->group(group);
  app.add_option("--xtc-threshold", o.xtc_threshold, "XTC: threshold")->group(group);
  app.add_option("--typical,--typical-p", o.typical_p, "Locally typical sampling; 1: off")
      ->group(group);
  app.add_option("--repeat-last-n", o.repeat_last_n, "Tokens that penalties look at; 0: off")
      ->group(group);
  app.add_option("--repeat-penalty", o.repeat_penalty, "Repetition penalty; 1: off")
      ->envname("LLAMA_ARG_REPEAT_PENALTY")
      ->group(group);
  app.add_option("--presence-penalty", o.presence_penalty, "Presence penalty; 0: off")
      ->envname("LLAMA_ARG_PRESENCE_PENALTY")
      ->group(group);
  app.add_option("--frequency-penalty", o.frequency_penalty, "Frequency penalty; 0: off")
      ->envname("LLAMA_ARG_FREQUENCY_PENALTY")
      ->group(group);
  app.add_option("--dry-multiplier", o.dry_multiplier, "DRY: multiplier; 0: off")->group(group);
  app.add_option("--dry-base", o.dry_base, "DRY: base")->group(group);
  app.add_option("--dry-allowed-length", o.dry_allowed_length, "DRY: allowed length")->group(group);
  app.add_option("--dry-penalty-last-n", o.dry_penalty_last_n, "DRY: tokens it looks at")
      ->group(group);
  app.add_option("--dynatemp-range", o.dynatemp_range, "Dynamic temperature: range; 0: off")
      ->group(group);
  app.add_option("--dynatemp-exp", o.dynatemp_exponent, "Dynamic temperature: exponent")
      ->group(group);
  app.add_option("--mirostat", o.mirostat, "Mirostat: 0, 1 or 2")->group(group);
  app.add_option("--mirostat-lr", o.mirostat_eta, "Mirostat: learning rate")->group(group);
  app.add_option("--mirostat-ent", o.mirostat_tau, "Mirostat: target entropy")->group(group);
  app.add_flag("--ignore-eos", o.ignore_eos, "Never end by itself")->group(group);
  app.add_option_function<std::vector<std::string>>(
         "-l,--logit-bias",
         [&o](const std::vector<std::string>& values) {
           for (const std::string& value : values) {
             const std::size_t sign = value.find_first_of("+-");
             try {
               if (sign == std::string::npos) throw std::invalid_argument(value);
               o.logit_bias.push_back(
                   {std::stoi(value.substr(0, sign)), std::stof(value.substr(sign))});
             } catch (const std::exception&) {
               throw Error(ErrorCode::bad_input,
                           "--logit-bias is TOKEN+BIAS or TOKEN-BIAS, not '" + value + "'");
             }
           }
         },
         "Bias of one token, e.g. 15043+1; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_option("--grammar", o.grammar, "Grammar (GBNF) that the text must follow")->group(group);
  app.add_option_function<std::string>(
         "--grammar-file",
         [&o](const std::string& path) { o.grammar = read_file(path, "the grammar"); },
         "File of a grammar")
      ->group(group);
}

void add_schema_flags(CLI::App& app, std::string& schema) {
  app.add_option("-j,--json-schema", schema, "JSON schema that the reply must follow")
      ->group("Sampling");
  app.add_option_function<std::string>(
         "--json-schema-file",
         [&schema](const std::string& path) { schema = read_file(path, "the schema"); },
         "Its file (-jf)")
      ->group("Sampling");
}

void add_policy_flag(CLI::App& app, std::string& policy) {
  app.add_option("--policy", policy, "What stays in memory:" + policy_names())
      ->envname("ZOOMR_POLICY")
      ->group("Memory");
}

void add_policy_flags(CLI::App& app, RunOptions& o) {
  const std::string group = "Memory";
  add_policy_flag(app, o.policy);
  app.add_option_function<std::string>(
         "--budget", [&o](const std::string& text) { o.budget = parse_budget(text); },
         "Most resident tokens, prompt included; +N: N beyond the prompt. Default +1024")
      ->envname("ZOOMR_BUDGET")
      ->group(group);
  add_thinking_flags(app, o);
}

void add_head_flags(CLI::App& app, RunOptions& o) {
  const std::string group = "Memory";
  app.add_option("--heads", o.heads,
                 "--select retrieval: the heads that say what is needed now: auto (zoomr heads "
                 "finds them once and keeps them), LAYER.HEAD,..., or a file of zoomr heads --json")
      ->group(group);
  app.add_option("--name-heads", o.name_heads,
                 "--select retrieval: the heads that say, at a name, what is needed soon: auto, "
                 "LAYER.HEAD,... or none")
      ->group(group);
  app.add_option(
         "--order-heads", o.order_heads,
         "--select retrieval: the heads that say, before the number of a list's item, which "
         "one was the last: auto, LAYER.HEAD,... or none")
      ->group(group);
}

void tell(const std::string& line) { std::cerr << "zoomr: " << line << std::endl; }

void add_thinking_flags(CLI::App& app, RunOptions& o) {
  const std::string group = "Memory";
  app.add_option(
         "--select", o.settings.select,
         "Policy zoomr: what comes back: retrieval (what the heads that look things up attend to), "
         "paper (votes of all heads), none; auto: retrieval, or paper with summaries, or none on "
         "models without such heads")
      ->group(group);
  add_head_flags(app, o);
  app.add_option("--select-config", o.select_config,
                 "Select retrieval: file of zoomr tune with " + selection_flags() +
                     "; auto: what tune kept for this model, when none of these is typed; none: "
                     "the defaults")
      ->group(group);
  const auto own = [&o](const std::string& /*typed*/) { o.own_selection = true; };
  app.add_option("--vote-k", o.settings.vote_k, "Votes of each head")->group(group);
  app.add_option("--consensus", o.settings.consensus, "Lines or thoughts that a vote brings back")
      ->group(group);
  app.add_option("--zoom-in", o.settings.zoom_in,
                 "Select retrieval: share of the value heads' attention at which a line comes back")
      ->each(own)
      ->group(group);
  app.add_option("--zoom-in-name", o.settings.zoom_in_name,
                 "Select retrieval: the same of the name heads, which ask some tokens ahead")
      ->each(own)
      ->group(group);
  app.add_option("--zoom-max", o.settings.zoom_max,
                 "Select retrieval: most lines that come back at one token")
      ->each(own)
      ->group(group);
  app.add_option("--second-look", o.settings.second_look,
                 "Select retrieval: share of attention on what comes back at which the token that "
                 "asked is decoded again; above 1: never")
      ->each(own)
      ->group(group);
  app.add_option("--sure", o.settings.sure,
                 "Select retrieval: no second look where the model gives its next token this "
                 "probability all the same; above 1: always one")
      ->group(group);
  app.add_option("--second-look-name", o.settings.second_look_name,
                 "Select retrieval: the same share of the name heads, however sure the model is of "
                 "its next token; above 1: never")
      ->each(own)
      ->group(group);
  app.add_option("--fade", o.settings.fade,
                 "Select retrieval: what is left of a line's need after one token")
      ->each(own)
      ->group(group);
  app.add_option(
         "--miss", o.settings.miss,
         "Select retrieval: the budget is a ceiling, and as little stays in memory as keeps "
         "the missed share of attention near this one, e.g. 0.05; 0: what fits stays")
      ->group(group);
  app.add_option("--window", o.settings.window, "Most recent tokens, always resident")
      ->each(own)
      ->group(group);
  app.add_option("--sink", o.settings.sink, "First tokens, always resident")->group(group);
  app.add_option(
         "--summaries", o.summaries,
         "Who writes a thought's summary: none, native (the model was trained to), prompted "
         "(a system text asks), injected (the engine opens one behind each thought)")
      ->group(group);
  app.add_option("--summary-begin", o.summary_begin, "Opening delimiter of a summary")
      ->group(group);
  app.add_option("--summary-end", o.summary_end, "Closing delimiter of a summary")->group(group);
  app.add_option("--line-min", o.line_min, "Least tokens of a line")->group(group);
  app.add_option("--line-max", o.line_max, "Most tokens of a line")->group(group);
  app.add_option(
         "--clause-min", o.clause_min,
         "A line of so many tokens ends behind a comma, semicolon or colon too; 0: none does")
      ->group(group);
  app.add_option("--thought-max", o.thought_max,
                 "Tokens after which a thought ends at its next line")
      ->group(group);
  app.add_option("--keep", o.keep,
                 "First tokens that stay of a prompt longer than the budget, which is read in "
                 "pieces; -1: an eighth of the budget")
      ->group(group);
  app.add_flag("!--no-pin-prompt", o.pin_prompt, "Let the prompt's lines leave like any others")
      ->group(group);
  app.add_flag("!--no-loop-guard", o.loop_guard, "Do not end the run at four equal lines in a row")
      ->group(group);
  app.add_flag("!--no-self-test", o.self_test, "Skip the proof at load that zooming is exact")
      ->group(group);
}

void settle(RunOptions& options) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ContextOptions& c = options.context;
  const auto clamp = [cores](int& threads, const char* flag) {
    if (threads > cores) {
      std::cerr << "zoomr: " << flag << " " << threads << " is more than the " << cores
                << " cores here and would be far slower: using " << cores << std::endl;
      threads = cores;
    }
  };
  clamp(c.threads, "-t");
  clamp(c.threads_batch, "-tb");
  if (c.threads < 1) c.threads = cores;
  if (c.threads_batch < 1) c.threads_batch = c.threads;
  if (options.sampling.ignore_eos) options.loop_guard = false;
  check_head_flags(options);
}

}  // namespace zoomr
