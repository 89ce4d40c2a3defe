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

// A point of a plot.
Json as_json(const Row& r) {
  return {{"task", r.task},
          {"policy", r.policy},
          {"budget", r.budget_asked},
          {"right", as_json(r.right)},
          {"steps", as_json(r.steps)},
          {"resident_mib", r.resident_mib}};
}

}  // namespace

std::string report_html(const std::vector<Sample>& samples, const std::vector<Row>& rows) {
  Json data = {{"points", Json::array()},
               {"answers", answers_table(rows)},
               {"texts", texts_table(samples)},
               {"samples", Json::array()},
               {"settings", Json::object()}};
  for (const Row& row : rows) data["points"].push_back(as_json(row));
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
