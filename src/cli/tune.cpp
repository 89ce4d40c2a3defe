#include "cli/tune.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/head_file.h"
#include "eval/simulator.h"
#include "zoomr/error.h"

namespace zoomr {

namespace {

struct Trial {
  std::string budget;
  PolicySettings settings;
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
  vary(t.fade, &PolicySettings::fade);
  return all;
}

std::vector<RetrievalHead> heads_of(const Recording& recording, const std::string& flag,
                                    const std::string& text) {
  std::vector<RetrievalHead> heads;
  if (text.empty()) return heads;
  for (const Head& head : parse_head_list(flag, text)) heads.push_back(recording.head(head));
  return heads;
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
                    {"fade", t.settings.fade},
                    {"look_ups", t.sum.look_ups},
                    {"found", t.sum.found},
                    {"ahead", t.sum.ahead},
                    {"missed_mass", t.sum.missed_mean},
                    {"missed_mass_p95", t.sum.missed_p95},
                    {"moves", t.sum.moves},
                    {"second_looks", t.sum.second_looks},
                    {"mean_resident_tokens", t.sum.mean_resident}});
  }
  return rows;
}

void print(const std::vector<Trial>& trials, std::ostream& out) {
  out << "| budget | window | zoom in | at names | most | second look | fade | look-ups | found % "
         "| ahead % | missed mass | p95 | moves a token | looks a token | mean resident |\n"
         "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | "
         "---: | ---: | ---: |\n";
  for (const Trial& t : trials) {
    char row[256];
    std::snprintf(
        row, sizeof row,
        "| %s | %d | %.3f | %.3f | %d | %.3f | %.3f | %d | %.1f | %.1f | %.4f | %.4f | %.3f | "
        "%.3f | %.0f |\n",
        t.budget.c_str(), t.settings.window, t.settings.zoom_in, t.settings.zoom_in_name,
        t.settings.zoom_max, t.settings.second_look, t.settings.fade, t.sum.look_ups,
        share(t.sum.found, t.sum.look_ups), share(t.sum.ahead, t.sum.look_ups), t.sum.missed_mean,
        t.sum.missed_p95, t.sum.moves, t.sum.second_looks, t.sum.mean_resident);
    out << row;
  }
}

}  // namespace

void add_flags(CLI::App& app, TuneCommand& t) {
  app.add_option("recordings", t.recordings, "Folders that eval --record wrote")->required();
  app.add_option("--budget", t.budgets, "Most resident tokens; +N: beyond the prompt")
      ->delimiter(',');
  app.add_option("--heads", t.heads, "Value heads, LAYER.HEAD,...")->required();
  app.add_option("--name-heads", t.name_heads, "Name heads, LAYER.HEAD,...");
  app.add_option("--window", t.window, "Values to try")->delimiter(',');
  app.add_option("--zoom-in", t.zoom_in, "Values to try")->delimiter(',');
  app.add_option("--zoom-in-name", t.zoom_in_name, "Values to try")->delimiter(',');
  app.add_option("--zoom-max", t.zoom_max, "Values to try")->delimiter(',');
  app.add_option("--second-look", t.second_look, "Values to try")->delimiter(',');
  app.add_option("--fade", t.fade, "Values to try")->delimiter(',');
  app.add_option("--line-min", t.run.line_min, "Least tokens of a line");
  app.add_option("--line-max", t.run.line_max, "Most tokens of a line");
  app.add_flag("--json", t.json, "Print JSON");
}

int tune_command(const TuneCommand& command, std::ostream& out) {
  std::vector<Recording> recordings;
  for (const std::string& folder : command.recordings) recordings.push_back(read_recording(folder));
  std::vector<Trial> trials;
  for (const std::string& budget : command.budgets) {
    for (const PolicySettings& settings : combinations(command)) {
      Trial trial{.budget = budget, .settings = settings};
      for (const Recording& recording : recordings) {
        RunOptions options = command.run;
        options.policy = "zoomr";
        options.budget = parse_budget(budget);
        options.settings = settings;
        options.settings.heads = heads_of(recording, "--heads", command.heads);
        options.settings.name_heads = heads_of(recording, "--name-heads", command.name_heads);
        add(trial.sum, simulate(recording, options));
      }
      trials.push_back(std::move(trial));
    }
  }
  if (command.json) {
    out << to_json(trials).dump() << '\n';
  } else {
    print(trials, out);
  }
  return 0;
}

}  // namespace zoomr
