#include "api/head_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "zoomr/error.h"

namespace zoomr {
namespace {

namespace fs = std::filesystem;

class HeadFiles : public ::testing::Test {
 protected:
  HeadFiles()
      : folder_(fs::path(::testing::TempDir()) /
                ("zoomr-heads-" +
                 std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
  }
  ~HeadFiles() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }

  fs::path folder_;
};

HeadFile example() {
  return {
      .key = "a key",
      .model = "a model",
      .probe = {
          .scores = {{.head = {0, 1}, .key_head = 0, .value = 0.25, .name = 0.9123, .order = 0.3},
                     {.head = {2, 3}, .key_head = 1, .value = 0.75, .name = 0.1},
                     {.head = {3, 0}, .windowed = true}},
          .n_tokens = 1200,
          .seconds = 2.5}};
}

TEST_F(HeadFiles, ComeBackAsTheyWere) {
  ASSERT_TRUE(write_whole(path("a/b.json"), to_json(example()).dump()));
  const auto probe = parse_head_file(read_text(path("a/b.json")).value(), "a key");
  ASSERT_TRUE(probe.has_value());
  EXPECT_EQ(probe->n_tokens, 1200);
  EXPECT_EQ(probe->seconds, 2.5);
  ASSERT_EQ(probe->scores.size(), 3U);
  EXPECT_EQ(probe->scores[1].head, (Head{2, 3}));
  EXPECT_EQ(probe->scores[1].key_head, 1);
  EXPECT_EQ(probe->scores[0].name, 0.9123);
  EXPECT_EQ(probe->scores[0].order, 0.3);
  EXPECT_TRUE(probe->scores[2].windowed);
  EXPECT_FALSE(probe->scores[1].windowed);
}

TEST_F(HeadFiles, NameTheChosenHeads) {
  const auto json = to_json(example());
  EXPECT_EQ(json["value_heads"].dump(), R"(["2.3","0.1"])");  // the second fills up
  EXPECT_EQ(json["name_heads"].dump(), R"(["0.1"])");
  EXPECT_EQ(json["order_heads"].dump(), R"(["0.1"])");
  ASSERT_TRUE(write_whole(path("mine.json"), json.dump()));
  const NamedHeads named = read_named_heads(path("mine.json"));
  EXPECT_EQ(named.values, (std::vector<Head>{{2, 3}, {0, 1}}));
  EXPECT_EQ(named.names, (std::vector<Head>{{0, 1}}));
  EXPECT_EQ(named.order, (std::vector<Head>{{0, 1}}));
}

TEST(HeadFile, OfAnotherKeyOrVersionOrDamagedIsNone) {
  auto json = to_json(example());
  const std::string text = json.dump();
  EXPECT_TRUE(parse_head_file(text, "a key"));
  EXPECT_FALSE(parse_head_file(text, "another key"));
  for (std::size_t n = 0; n < text.size(); n += 7) {
    EXPECT_FALSE(parse_head_file(text.substr(0, n), "a key")) << n;
  }
  for (const char* member : {"zoomr_heads", "key", "tokens", "heads"}) {
    auto without = json;
    without.erase(member);
    EXPECT_FALSE(parse_head_file(without.dump(), "a key")) << member;
  }
  auto wrong = json;
  wrong["heads"][0]["value"] = 7;
  EXPECT_FALSE(parse_head_file(wrong.dump(), "a key"));
  wrong = json;
  wrong["heads"][0]["layer"] = -1;
  EXPECT_FALSE(parse_head_file(wrong.dump(), "a key"));
  json["zoomr_heads"] = kProbeVersion - 1;
  EXPECT_FALSE(parse_head_file(json.dump(), "a key"));
}

TEST_F(HeadFiles, WhatCannotBeWrittenIsNoError) {
  ASSERT_TRUE(write_whole(path("file"), "x"));
  EXPECT_FALSE(write_whole(path("file/under.json"), "y"));
  fs::create_directories(path("taken.json"));
  EXPECT_FALSE(write_whole(path("taken.json"), "y"));
  std::size_t n = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) n += entry.exists() ? 1 : 0;
  EXPECT_EQ(n, 2U);  // no draft is left
  EXPECT_FALSE(read_text(path("taken.json")));
}

TEST_F(HeadFiles, ReplaceAnOlderOneWhole) {
  ASSERT_TRUE(write_whole(path("f"), "a longer text"));
  ASSERT_TRUE(write_whole(path("f"), "new"));
  EXPECT_EQ(read_text(path("f")), "new");
}

TEST_F(HeadFiles, SayWhatIsWrongWithAUsersFile) {
  const auto message = [this](const std::string& text) {
    EXPECT_TRUE(write_whole(path("f"), text));
    try {
      (void)read_named_heads(path("f"));
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      return std::string(e.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(message(R"({"value_heads":["1.2"]})"), "none");
  for (const char* text : {"", "{", "[]", R"({"value_heads":[1]})", R"({"name_heads":["1.2"]})"}) {
    EXPECT_NE(message(text).find("not a file of zoomr heads"), std::string::npos) << text;
  }
  EXPECT_NE(message(R"({"value_heads":["x"]})").find("LAYER.HEAD"), std::string::npos);
  EXPECT_NE(message(R"({"value_heads":[]})").find("LAYER.HEAD"), std::string::npos);
  EXPECT_THROW((void)read_named_heads(path("missing")), Error);
}

TEST(HeadList, IsReadInItsOrder) {
  EXPECT_EQ(parse_head_list("--heads", "22.7,19.1+22.7,3.0"),
            (std::vector<Head>{{22, 7}, {19, 1}, {3, 0}}));
  for (const char* text :
       {"", "1", "1.", ".2", "1.2,", "1.2 3.4", "-1.2", "1.-2", "a.b", "1.2.3", "99999999999.1"}) {
    EXPECT_THROW((void)parse_head_list("--heads", text), Error) << text;
  }
}

// Sets a variable of the environment and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value, 1);
  }
  ~Variable() {
    if (old_) {
      setenv(name_, old_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(HeadsFolder, FollowsXdg) {
  const Variable home("HOME", "/home/me");
  {
    const Variable cache("XDG_CACHE_HOME", "/somewhere");
    EXPECT_EQ(heads_folder(), "/somewhere/zoomr/heads");
  }
  const Variable cache("XDG_CACHE_HOME", "");
  EXPECT_EQ(heads_folder(), "/home/me/.cache/zoomr/heads");
  const Variable homeless("HOME", "");
  EXPECT_EQ(heads_folder(), "");
}

}  // namespace
}  // namespace zoomr
