#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/replay.h"
#include "unit/recorded_run.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

std::string lines_of(const Events& events) {
  std::string text;
  for (const TraceEvent& event : events) text += to_json_line(event) + "\n";
  return text;
}

class ReplayCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '-');
    path_ = (std::filesystem::temp_directory_path() /
             ("zoomr-" + name + "-" + std::to_string(getpid()) + ".jsonl"))
                .string();
  }
  void TearDown() override { std::remove(path_.c_str()); }

  // The exit code, as the program would have it.
  int run(const std::string& trace, ReplayOptions options = {}) {
    std::ofstream(path_, std::ios::binary) << trace;
    return run_file(path_, std::move(options));
  }
  int run_file(const std::string& path, ReplayOptions options = {}) {
    options.path = path;
    std::ostringstream out;
    std::ostringstream err;
    int code = 0;
    error_.clear();
    try {
      code = replay_command(options, out, err);
    } catch (const Error& e) {
      code = exit_code(e.code());
      error_ = e.what();
    }
    out_ = out.str();
    if (error_.empty()) error_ = err.str();
    return code;
  }
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out_); }

  std::string path_;
  std::string out_;
  std::string error_;
};

TEST_F(ReplayCommand, PrintsTheRunItsTreeAndItsFigures) {
  EXPECT_EQ(run(lines_of(recorded_run()), {.ascii = true}), 0);
  EXPECT_EQ(out_,
            "toy 1M | zoomr | budget 15 tokens\n"
            "# resident   . stored (folded)   x dropped\n"
            "- prompt      [0,4)       ##########    4 /   4  \"Add 1 and 2\"\n"
            "+ thought 1   [4,12)      .....xxxxx    0 /   8  \"One and two.\"\n"
            " `- summary   [12,16)     ##########    4 /   4  \"sum 3\"\n"
            "- answer      [16,20)     ########__    3 /   4  \"It is caf?.\"\n"
            "19 tokens: 11 resident, 4 stored, 4 dropped | peak 15 | 4 edits, 1 votes | text hash "
            "ok\n");
  EXPECT_EQ(error_, "");
}

TEST_F(ReplayCommand, PrintsJson) {
  EXPECT_EQ(run(lines_of(recorded_run()), {.json = true}), 0);
  const nlohmann::json state = json();
  EXPECT_EQ(state["resident"], nlohmann::json::parse("[[0,4],[12,19]]"));
  EXPECT_EQ(state["stored"], nlohmann::json::parse("[[4,8]]"));
  EXPECT_EQ(state["dropped"], nlohmann::json::parse("[[8,12]]"));
  EXPECT_EQ(state["segments"].size(), 4U);
  EXPECT_EQ(state["segments"][1]["stored_tokens"], 4);
  EXPECT_EQ(state["segments"][1]["partner"], 2);
  EXPECT_EQ(state["peak_resident_tokens"], 15);
  EXPECT_EQ(state["edits"], 4);
  EXPECT_EQ(state["ok"], true);
}

struct Moment {
  Pos at;
  const char* resident;
  const char* stored;
};

class ReplayAt : public ReplayCommand, public ::testing::WithParamInterface<Moment> {};

TEST_P(ReplayAt, ShowsTheStateBehindThatStep) {
  EXPECT_EQ(run(lines_of(recorded_run()), {.at = GetParam().at, .json = true}), 0) << error_;
  EXPECT_EQ(json()["resident"], nlohmann::json::parse(GetParam().resident));
  EXPECT_EQ(json()["stored"], nlohmann::json::parse(GetParam().stored));
  EXPECT_EQ(json()["decoded"], std::max(GetParam().at + 1, 4));
}

INSTANTIATE_TEST_SUITE_P(Moments, ReplayAt,
                         ::testing::Values(Moment{0, "[[0,4]]", "[]"},  // decoded at once with 3
                                           Moment{3, "[[0,4]]", "[]"}, Moment{8, "[[0,9]]", "[]"},
                                           Moment{9, "[[0,4],[8,10]]", "[[4,8]]"},
                                           Moment{12, "[[0,4],[8,13]]", "[[4,8]]"},
                                           Moment{13, "[[0,14]]", "[]"},
                                           Moment{18, "[[0,4],[12,19]]", "[[4,8]]"}));

TEST_F(ReplayCommand, AMomentKnowsNothingOfTheNextToken) {
  EXPECT_EQ(run(lines_of(recorded_run()), {.at = 11, .json = true}), 0);
  ASSERT_EQ(json()["segments"].size(), 2U);  // the thought is still open
  EXPECT_EQ(json()["segments"][1]["closed"], false);
  EXPECT_EQ(json()["complete"], false);
}

TEST_F(ReplayCommand, AMomentTakesTheEditsBehindTheNextToken) {
  Events events = recorded_run();  // a compaction that could not put its line back
  insert_before<DecodeEvent>(events, 9, EditEvent{.kind = EditKind::out, .span = {8, 12}});
  EXPECT_EQ(run(lines_of(events), {.at = 11, .json = true}), 0);
  EXPECT_EQ(json()["stored"], nlohmann::json::parse("[[4,12]]"));
}

TEST_F(ReplayCommand, AMomentIsNotSpoiledByWhatFollows) {
  Events events = recorded_run();
  erase<EditEvent>(events, 1);
  EXPECT_EQ(run(lines_of(events), {.at = 9}), 0);
  EXPECT_EQ(run(lines_of(events), {.at = 18}), 1);
}

TEST_F(ReplayCommand, APositionBeyondTheEndIsBadInput) {
  EXPECT_EQ(run(lines_of(recorded_run()), {.at = 19}), 2);
  EXPECT_EQ(error_, "position 19 is not in the trace: 19 are decoded");
}

TEST_F(ReplayCommand, ACutOffTraceShowsWhatThereIs) {
  std::string trace = lines_of(recorded_run());
  trace.resize(trace.find("\"summary\"") + 3);  // in the middle of token 12
  EXPECT_EQ(run(trace, {.json = true}), 1);
  EXPECT_EQ(json()["decoded"], 12);
  EXPECT_EQ(json()["ok"], false);
  EXPECT_NE(error_.find(": the trace is cut off here\n"), std::string::npos) << error_;
  EXPECT_EQ(run(trace), 1);
  EXPECT_NE(out_.find("12 tokens: 8 resident, 4 stored"), std::string::npos) << out_;
}

TEST_F(ReplayCommand, ATraceWithoutItsFinalRecordIsCutOff) {
  Events events = recorded_run();
  events.pop_back();
  EXPECT_EQ(run(lines_of(events)), 1);
  EXPECT_NE(error_.find("final record"), std::string::npos);
  EXPECT_NE(out_.find("19 tokens:"), std::string::npos);
  EXPECT_EQ(out_.find("hash"), std::string::npos);
}

TEST_F(ReplayCommand, AnywhereACutOffTraceIsNoLie) {
  const std::string trace = lines_of(recorded_run());
  for (std::size_t n = trace.find('\n') + 1; n < trace.size(); n += 7) {
    EXPECT_EQ(run(trace.substr(0, n)), 1) << n;
    EXPECT_NE(error_.find("cut off"), std::string::npos) << error_;
  }
}

TEST_F(ReplayCommand, ABrokenInvariantIsOneLineThatSaysWhere) {
  Events events = recorded_run();
  const std::size_t at = index_of<EditEvent>(events, 1);
  erase<EditEvent>(events, 0);
  EXPECT_EQ(run(lines_of(events)), 1);
  EXPECT_EQ(error_, "zoomr: " + path_ + ": line " + std::to_string(at) +
                        ": [4,8) comes in but is not stored\n");
  EXPECT_EQ(out_, "");
}

TEST_F(ReplayCommand, ALineInTheMiddleThatIsNoEvent) {
  std::string trace = lines_of(recorded_run());
  trace.insert(trace.find('\n') + 1, "hello\n");
  EXPECT_EQ(run(trace), 1);
  EXPECT_NE(error_.find("line 2: not an event of a trace"), std::string::npos) << error_;
}

TEST_F(ReplayCommand, WhatIsNoTraceIsBadInput) {
  for (const char* text : {"", "hello", "{\"a\":1}\n", "GGUF\x03\n\n", "\n"}) {
    EXPECT_EQ(run(text), 2) << text;
    EXPECT_NE(error_.find("is not a trace"), std::string::npos) << error_;
  }
  EXPECT_EQ(run("{\"t\":\"line\",\"span\":[0,1]}\n"), 2);
}

TEST_F(ReplayCommand, AFileThatCannotBeReadIsBadInput) {
  EXPECT_EQ(run_file("/nonexistent/trace.jsonl"), 2);
  EXPECT_NE(error_.find("cannot read the trace /nonexistent"), std::string::npos);
  EXPECT_EQ(run_file(std::filesystem::temp_directory_path().string()), 2);
  EXPECT_NE(error_.find("cannot read the trace"), std::string::npos) << error_;
}

}  // namespace
}  // namespace zoomr
