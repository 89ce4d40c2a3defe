#include "eval/report.h"

#include <cmath>
#include <fstream>

#include "zoomr/error.h"
#include "zoomr_report_page.h"  // generated from src/eval/report.html

namespace zoomr {

namespace {

using Json = nlohmann::ordered_json;

Json as_json(const Estimate& e) {
  if (std::isnan(e.mean)) return nullptr;
  return {e.mean, e.low, e.high};
}

Json as_json(const Row& r) {
  Json parts = Json::object();
  for (const auto& [name, estimate] : r.parts) parts[name] = as_json(estimate);
  return {{"task", r.task},
          {"policy", r.policy},
          {"budget", r.budget_asked},
          {"problems", r.n_problems},
          {"samples", r.n_samples},
          {"right", as_json(r.right)},
          {"right_against_full", as_json(r.right_against_full)},
          {"steps", as_json(r.steps)},
          {"steps_against_full", as_json(r.steps_against_full)},
          {"parts", parts},
          {"peak_resident", r.peak_resident},
          {"mean_resident", r.mean_resident},
          {"kv_mib", r.kv_mib},
          {"length", r.length},
          {"loops", r.loops},
          {"cut", r.cut},
          {"zoom_ins", r.zoom_ins},
          {"zoom_outs", r.zoom_outs},
          {"second_looks", r.second_looks},
          {"agreeability_right", as_json(r.agreeability_right)},
          {"agreeability_wrong", as_json(r.agreeability_wrong)},
          {"tokens_per_second", r.tokens_per_second}};
}

}  // namespace

std::string report_html(const std::vector<Sample>& samples, const std::vector<Row>& rows) {
  Json data = {{"rows", Json::array()}, {"samples", Json::array()}, {"settings", Json::object()}};
  for (const Row& row : rows) data["rows"].push_back(as_json(row));
  for (Sample sample : samples) {
    data["settings"] = sample["settings"];
    sample.erase("settings");
    data["samples"].push_back(std::move(sample));
  }
  std::string json = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  // A tag in a text could end the element that holds the data.
  for (std::size_t at = 0; (at = json.find('<', at)) != std::string::npos; at += 6) {
    json.replace(at, 1, "\\u003c");
  }
  std::string page(kReportPage);
  const std::string mark = "/*DATA*/";
  page.replace(page.find(mark), mark.size(), json);
  return page;
}

void write_report(const std::string& path, const std::vector<Sample>& samples,
                  const std::vector<Row>& rows) {
  std::ofstream file(path, std::ios::binary);
  file << report_html(samples, rows);
  if (!file.flush()) throw Error(ErrorCode::bad_input, "cannot write the report " + path);
}

}  // namespace zoomr
