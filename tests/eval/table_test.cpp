#include "eval/table.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include "eval/report.h"
#include "eval/residency_log.h"
#include "eval/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

std::vector<Sample> two_policies() {
  return {make_sample({.problem = "1", .policy = "full", .steps_right = 10}),
          make_sample({.problem = "2", .policy = "full", .steps_right = 8}),
          make_sample({.problem = "1",
                       .policy = "zoomr",
                       .budget = "+64",
                       .steps_right = 6,
                       .agreeability = 0.8,
                       .votes = 3}),
          make_sample({.problem = "2",
                       .policy = "zoomr",
                       .budget = "+64",
                       .right = false,
                       .steps_right = 4,
                       .peak = 60,
                       .agreeability = 0.5,
                       .votes = 3,
                       .finish = "loop"})};
}

TEST(Table, ARowIsTheMeanOfItsSamples) {
  const auto rows = make_rows(two_policies());
  ASSERT_EQ(rows.size(), 2U);
  const Row& zoomr = rows[1];
  EXPECT_EQ(zoomr.policy, "zoomr");
  EXPECT_EQ(zoomr.budget_asked, "+64");
  EXPECT_DOUBLE_EQ(zoomr.right.mean, 0.5);
  EXPECT_DOUBLE_EQ(zoomr.right_against_full.mean, -0.5);
  EXPECT_DOUBLE_EQ(zoomr.steps.mean, 0.5);
  EXPECT_DOUBLE_EQ(zoomr.steps_against_full.mean, -0.4);
  EXPECT_EQ(zoomr.peak_resident, 100);
  EXPECT_DOUBLE_EQ(zoomr.mean_resident, 60);
  EXPECT_DOUBLE_EQ(zoomr.kv_mib, 100);
  EXPECT_DOUBLE_EQ(zoomr.resident_mib, 50);
  EXPECT_EQ(zoomr.loops, 1);
  EXPECT_EQ(zoomr.cut, 0);
  EXPECT_DOUBLE_EQ(zoomr.tokens_per_second, 10);
  EXPECT_DOUBLE_EQ(zoomr.agreeability_right.mean, 0.8);
  EXPECT_DOUBLE_EQ(zoomr.agreeability_wrong.mean, 0.5);
  EXPECT_TRUE(std::isnan(rows[0].agreeability_right.mean));
}

TEST(Table, ADifferenceNeedsTheSameProblems) {
  auto samples = two_policies();
  samples.erase(samples.begin() + 1);  // full lacks problem 2
  EXPECT_TRUE(std::isnan(make_rows(samples)[1].right_against_full.mean));
}

TEST(Table, SamplesOfOneProblemAreOneProblem) {
  const auto rows = make_rows(
      {make_sample({.problem = "1"}), make_sample({.problem = "1", .right = false, .sample = 1})});
  EXPECT_EQ(rows[0].n_problems, 1);
  EXPECT_EQ(rows[0].n_samples, 2);
  EXPECT_DOUBLE_EQ(rows[0].right.mean, 0.5);
}

TEST(Table, IsMarkdownWithARowEach) {
  std::ostringstream out;
  print(answers_table(make_rows(two_policies())), out);
  std::istringstream lines(out.str());
  std::string line;
  std::vector<std::string> all;
  while (std::getline(lines, line)) all.push_back(line);
  ASSERT_EQ(all.size(), 4U);
  const auto bars = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '|');
  };
  for (const std::string& row : all) EXPECT_EQ(bars(row), bars(all[0]));
  EXPECT_NE(all[3].find("| zoomr | +64 | 2 | 50.0 ["), std::string::npos) << all[3];
}

TEST(Report, ItsNumbersAreTheTables) {
  const auto samples = two_policies();
  const auto rows = make_rows(samples);
  const std::string page = report_html(samples, rows);
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(open) + open.size();
  const auto data = Sample::parse(page.substr(begin, page.find("</script>", begin) - begin));
  EXPECT_EQ(data["answers"].get<Table>(), answers_table(rows));
  ASSERT_EQ(data["points"].size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& r = data["points"][i];
    EXPECT_EQ(r["policy"], rows[i].policy);
    EXPECT_EQ(r["right"][0].get<double>(), rows[i].right.mean);
    EXPECT_EQ(r["steps"][0].get<double>(), rows[i].steps.mean);
    EXPECT_EQ(r["steps"][1].get<double>(), rows[i].steps.low);
    EXPECT_EQ(r["steps"][2].get<double>(), rows[i].steps.high);
    EXPECT_EQ(r["resident_mib"].get<double>(), rows[i].resident_mib);
  }
  EXPECT_EQ(data["samples"].size(), samples.size());
}

TEST(Report, ATextCannotBreakOut) {
  auto samples = two_policies();
  samples[0]["text"] = "<!--<script></script><script>alert(1)</script>";
  const std::string page = report_html(samples, make_rows(samples));
  EXPECT_EQ(page.find("<!--"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
}

TEST(Report, NamesNoOtherHost) {
  const std::string page = report_html({}, {});
  for (const char* text : {"src=\"http", "href=\"http", "@import", "url(http"}) {
    EXPECT_EQ(page.find(text), std::string::npos) << text;
  }
}

TEST(ResidencyLog, KeepsTextsAndEdits) {
  ResidencyLog log;
  for (const char* piece : {"Hi", " there", "."}) {
    const Pos pos = piece == std::string("Hi") ? 0 : piece == std::string(".") ? 2 : 1;
    log.write(
        TokenEvent{pos, 1, piece, pos == 0 ? SegmentKind::prompt : SegmentKind::thought, false});
  }
  log.write(DecodeEvent{{0, 3}, 1});
  log.write(LineEvent{{1, 3}});
  log.write(EditEvent{.kind = EditKind::out, .span = {1, 3}});
  log.write(EditEvent{.kind = EditKind::in, .span = {1, 3}, .ok = false});
  log.write(EditEvent{.kind = EditKind::compact, .span = {0, 1}});
  EXPECT_EQ(log.to_json().dump(),
            R"({"lines":[[0,1,"prompt",""],[1,3,"thought"," there."]],"edits":[3,1,1,3]})");
}

TEST(Samples, ARunThatWasKilledGoesOn) {
  const std::string path = fresh_path("samples.jsonl");
  const nlohmann::ordered_json settings = {{"seed", 1}};
  {
    SampleFile file(path, false, settings);
    file.append({make_sample({.problem = "1"})});
    file.append({make_sample({.problem = "2"})});
  }
  {
    std::ofstream cut(path, std::ios::app);
    cut << R"({"task":"chain","problem":"3","sam)";  // killed while it wrote
  }
  SampleFile file(path, true, settings);
  EXPECT_EQ(file.samples().size(), 2U);
  EXPECT_NE(file.find(key_of(make_sample({.problem = "2"}))), nullptr);
  EXPECT_EQ(file.find(key_of(make_sample({.problem = "3"}))), nullptr);
  file.append({make_sample({.problem = "3"})});
  EXPECT_EQ(read_samples(path).size(), 3U);
}

TEST(Samples, NothingIsOverwrittenOrMixed) {
  const std::string path = fresh_path("samples.jsonl");
  { SampleFile(path, false, {{"seed", 1}}).append({make_sample({})}); }
  EXPECT_THROW(SampleFile(path, false, {{"seed", 1}}), Error);
  EXPECT_THROW(SampleFile(path, true, {{"seed", 2}}), Error);
  EXPECT_EQ(read_samples(path).size(), 1U);
}

TEST(Samples, WhatTheTablesReadMustBeThere) {
  const std::string path = fresh_path("samples.jsonl");
  for (const char* line : {"{\"settings\":{},\"right\":true}", "{\"settings\":1}", "[]"}) {
    std::ofstream(path) << line << "\n";
    EXPECT_THROW((void)read_samples(path), Error) << line;
  }
}

TEST(Samples, AFileOfSomethingElseIsRefusedAndKept) {
  const std::string path = fresh_path("other.jsonl");
  std::ofstream(path) << "{\"a\": 1}\n";
  EXPECT_THROW(SampleFile(path, true, {{"seed", 1}}), Error);
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "{\"a\": 1}");
}

}  // namespace
}  // namespace zoomr
