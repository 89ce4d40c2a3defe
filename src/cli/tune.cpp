#include "cli/tune.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/head_file.h"
#include "api/select_file.h"
#include "cli/options.h"
#include "eval/simulator.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

// Missed mass that differs by less is the same: the earlier settings, which are nearer to the
// defaults, are then the better ones.
constexpr double kAlike = 0.002;

struct Trial {
  std::string budget;
  PolicySettings settings;
  bool best = false;
  Simulated sum;  // over the recordings
};

std::vector<PolicySettings> combinations(const TuneCommand& t) {
  std::vector<PolicySettings> all{t.run.settings};
  all.front().select = "retrieval";
  const auto vary = [&all](const auto& values, auto member) {
    std::vector<PolicySettings> more;
    for (const PolicySettings& settings : all) {
      for (const auto& value : values) {
        more.push_back(settings);
        more.back().*member = value;
      }
    }
    all = std::move(more);
  };
  vary(t.window, &PolicySettings::window);
  vary(t.zoom_in, &PolicySettings::zoom_in);
  vary(t.zoom_in_name, &PolicySettings::zoom_in_name);
  vary(t.zoom_max, &PolicySettings::zoom_max);
  vary(t.second_look, &PolicySettings::second_look);
  vary(t.second_look_name, &PolicySettings::second_look_name);
  vary(t.fade, &PolicySettings::fade);
  return all;
}

std::vector<Recording> read_recordings(const std::vector<std::string>& folders) {
  std::vector<Recording> recordings;
  for (const std::string& folder : folders) {
    recordings.push_back(read_recording(folder));
    const Recording& first = recordings.front();
    const Recording& read = recordings.back();
    if (read.model == first.model && read.probe_key == first.probe_key) continue;
    throw Error(ErrorCode::bad_input, folder + " is a recording of another model or KV type (" +
                                          read.model + ") than " + first.folder + " (" +
                                          first.model + "): tune them apart");
  }
  return recordings;
}

std::vector<RetrievalHead> recorded(const Recording& recording, const std::vector<Head>& heads) {
  std::vector<RetrievalHead> found;
  for (const Head& head : heads) found.push_back(recording.head(head));
  return found;
}

// What the probe found and `zoomr heads` keeps.
std::vector<HeadScore> kept_scores(const Recording& recording) {
  const auto text = recording.probe_key.empty()
                        ? std::nullopt
                        : read_text(heads_path(recording.model_file, recording.probe_key));
  const auto probe = text ? parse_head_file(*text, recording.probe_key) : std::nullopt;
  if (probe) return probe->scores;
  throw Error(ErrorCode::bad_input, "no heads are kept for the model of " + recording.folder +
                                        ": run zoomr heads MODEL first, or name them (--heads)");
}

// The heads that the recordings are replayed with.
void settle_heads(const TuneCommand& t, const Recording& recording, PolicySettings& settings) {
  const auto of_probe = [&](HeadKind kind) {
    std::vector<Head> heads;
    for (const RetrievalHead& head : choose_heads(kept_scores(recording), kind)) {
      heads.push_back({head.layer, head.head});
    }
    return heads;
  };
  const bool by_probe = t.heads == "auto";
  settings.heads = recorded(
      recording, by_probe ? of_probe(HeadKind::value) : parse_head_list("--heads", t.heads));
  if (settings.heads.empty()) {
    throw Error(ErrorCode::unsupported, "no head of this model looks facts up: nothing to tune");
  }
  const auto others = [&](const char* flag, const std::string& text, HeadKind kind) {
    if (text == "none" || (text == "auto" && !by_probe)) return std::vector<RetrievalHead>();
    return recorded(recording, text == "auto" ? of_probe(kind) : parse_head_list(flag, text));
  };
  settings.name_heads = others("--name-heads", t.name_heads, HeadKind::name);
  settings.order_heads = others("--order-heads", t.order_heads, HeadKind::order);
}

// Means over the tokens of all recordings.
void add(Simulated& sum, const Simulated& one) {
  const double n = sum.n_tokens + one.n_tokens;
  const auto mean = [&](double a, double b) {
    return n > 0 ? (a * sum.n_tokens + b * one.n_tokens) / n : 0;
  };
  sum.missed_mean = mean(sum.missed_mean, one.missed_mean);
  sum.missed_p95 = mean(sum.missed_p95, one.missed_p95);
  sum.moves = mean(sum.moves, one.moves);
  sum.second_looks = mean(sum.second_looks, one.second_looks);
  sum.mean_resident = mean(sum.mean_resident, one.mean_resident);
  sum.look_ups += one.look_ups;
  sum.found += one.found;
  sum.ahead += one.ahead;
  sum.n_tokens += one.n_tokens;
}

double mean_missed(const std::vector<const Trial*>& of_budgets) {
  double sum = 0;
  for (const Trial* trial : of_budgets) sum += trial->sum.missed_mean;
  return sum / static_cast<double>(of_budgets.size());
}

// The settings that miss least, as a mean over the budgets. trials: [budget][settings].
std::vector<const Trial*> mark_best(std::vector<Trial>& trials, std::size_t n_budgets) {
  const std::size_t n_settings = trials.size() / n_budgets;
  const auto of_budgets = [&](std::size_t s) {
    std::vector<const Trial*> same;
    for (std::size_t b = 0; b < n_budgets; ++b) same.push_back(&trials[b * n_settings + s]);
    return same;
  };
  double least = mean_missed(of_budgets(0));
  for (std::size_t s = 1; s < n_settings; ++s) {
    least = std::min(least, mean_missed(of_budgets(s)));
  }
  std::size_t best = 0;
  while (mean_missed(of_budgets(best)) > least + kAlike) ++best;
  for (std::size_t b = 0; b < n_budgets; ++b) trials[b * n_settings + best].best = true;
  return of_budgets(best);
}

void keep(const TuneCommand& command, const Recording& recording,
          const std::vector<const Trial*>& best) {
  if (command.select_config == "none") return;
  const bool by_user = command.select_config != "auto";
  if (!by_user && recording.probe_key.empty()) {
    return tell("an older zoomr recorded " + recording.folder +
                ", which does not say of which model file: nothing is kept (--select-config FILE)");
  }
  const std::string path =
      by_user ? command.select_config : select_path(recording.model_file, recording.probe_key);
  SelectFile file{.key = recording.probe_key,
                  .model = recording.model,
                  .settings = best.front()->settings,
                  .n_tokens = best.front()->sum.n_tokens,
                  .missed_mass = mean_missed(best)};
  if (!path.empty() && write_whole(path, to_json(file).dump() + "\n")) {
    return tell("the best (" + selection_json(file.settings).dump() + ") is kept in " + path +
                (by_user ? "" : ", and used from now on"));
  }
  if (by_user) throw Error(ErrorCode::failed, "--select-config: cannot write " + path);
  tell("the best could not be kept in " + heads_folder() + " (--select-config FILE)");
}

double share(int part, int of) { return of > 0 ? 100.0 * part / of : 0; }

nlohmann::ordered_json to_json(const std::vector<Trial>& trials) {
  auto rows = nlohmann::ordered_json::array();
  for (const Trial& t : trials) {
    rows.push_back({{"budget", t.budget},
                    {"window", t.settings.window},
                    {"zoom-in", t.settings.zoom_in},
                    {"zoom-in-name", t.settings.zoom_in_name},
                    {"zoom-max", t.settings.zoom_max},
                    {"second-look", t.settings.second_look},
                    {"second-look-name", t.settings.second_look_name},
                    {"fade", t.settings.fade},
                    {"look_ups", t.sum.look_ups},
                    {"found", t.sum.found},
                    {"ahead", t.sum.ahead},
                    {"missed_mass", t.sum.missed_mean},
                    {"missed_mass_p95", t.sum.missed_p95},
                    {"moves", t.sum.moves},
                    {"second_looks", t.sum.second_looks},
                    {"mean_resident_tokens", t.sum.mean_resident},
                    {"best", t.best}});
  }
  return rows;
}

void print(const std::vector<Trial>& trials, std::ostream& out) {
  out << "| budget | window | zoom in | at names | most | second look | of a name | fade "
         "| look-ups | found % | ahead % | missed mass | p95 | moves a token | looks a token "
         "| mean resident |\n"
         "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | "
         "---: | ---: | ---: | ---: |\n";
  for (const Trial& t : trials) {
    char row[256];
    std::snprintf(row, sizeof row,
                  "| %s | %d | %.3f | %.3f | %d | %.3f | %.3f | %.3f | %d | %.1f | %.1f | %.4f | "
                  "%.4f | %.3f | %.3f | %.0f |\n",
                  t.budget.c_str(), t.settings.window, t.settings.zoom_in, t.settings.zoom_in_name,
                  t.settings.zoom_max, t.settings.second_look, t.settings.second_look_name,
                  t.settings.fade, t.sum.look_ups, share(t.sum.found, t.sum.look_ups),
                  share(t.sum.ahead, t.sum.look_ups), t.sum.missed_mean, t.sum.missed_p95,
                  t.sum.moves, t.sum.second_looks, t.sum.mean_resident);
    out << row;
  }
}

}  // namespace

void add_flags(CLI::App& app, TuneCommand& t) {
  app.add_option("recordings", t.recordings, "Folders that eval --record wrote")->required();
  app.add_option("--budget", t.budgets, "Most resident tokens; +N: beyond the prompt")
      ->delimiter(',');
  app.add_option("--heads", t.heads,
                 "Value heads, LAYER.HEAD,...; auto: those that zoomr heads keeps for the model");
  app.add_option("--name-heads", t.name_heads,
                 "Name heads, LAYER.HEAD,... or none; auto: likewise, beside named heads none");
  app.add_option("--order-heads", t.order_heads,
                 "Order heads, LAYER.HEAD,... or none; auto: likewise, beside named heads none");
  app.add_option("--select-config", t.select_config,
                 "Where the best settings are kept: a file; auto: beside the model's heads, for "
                 "its runs from now on; none: nowhere");
  app.add_option("--window", t.window, "Values to try")->delimiter(',');
  app.add_option("--zoom-in", t.zoom_in, "Values to try")->delimiter(',');
  app.add_option("--zoom-in-name", t.zoom_in_name, "Values to try")->delimiter(',');
  app.add_option("--zoom-max", t.zoom_max, "Values to try")->delimiter(',');
  app.add_option("--second-look", t.second_look, "Values to try")->delimiter(',');
  app.add_option("--second-look-name", t.second_look_name, "Values to try")->delimiter(',');
  app.add_option("--fade", t.fade, "Values to try")->delimiter(',');
  app.add_option("--line-min", t.run.line_min, "Least tokens of a line");
  app.add_option("--line-max", t.run.line_max, "Most tokens of a line");
  app.add_option("--clause-min", t.run.clause_min,
                 "A clause of so many tokens is a line; 0: none is");
  app.add_flag("--json", t.json, "Print JSON");
}

int tune_command(const TuneCommand& command, std::ostream& out) {
  for (const std::string& budget : command.budgets) (void)parse_budget(budget);
  const std::vector<Recording> recordings = read_recordings(command.recordings);
  TuneCommand tried = command;
  settle_heads(command, recordings.front(), tried.run.settings);
  const PolicySettings& of = tried.run.settings;
  if (of.name_heads.empty()) tried.second_look_name.resize(1);  // of no use
  if (of.name_heads.empty() && of.order_heads.empty()) tried.zoom_in_name.resize(1);
  std::vector<Trial> trials;
  for (const std::string& budget : tried.budgets) {
    for (const PolicySettings& settings : combinations(tried)) {
      Trial trial{.budget = budget, .settings = settings};
      for (const Recording& recording : recordings) {
        RunOptions options = tried.run;
        options.policy = "zoomr";
        options.budget = parse_budget(budget);
        options.settings = settings;
        add(trial.sum, simulate(recording, options));
      }
      trials.push_back(std::move(trial));
    }
  }
  const auto best = mark_best(trials, tried.budgets.size());
  if (command.json) {
    out << to_json(trials).dump() << '\n';
  } else {
    print(trials, out);
  }
  keep(command, recordings.front(), best);
  return 0;
}

}  // namespace zoomr
