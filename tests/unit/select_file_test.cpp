#include "api/select_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "api/head_file.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

SelectFile example() {
  return {.key = "a key",
          .model = "a model",
          .settings = {.window = 12,
                       .heads = {{.layer = 2, .head = 3}, {.layer = 1, .head = 0}},
                       .name_heads = {{.layer = 4, .head = 5}},
                       .order_heads = {{.layer = 6, .head = 1}},
                       .zoom_in = 0.1F,
                       .zoom_in_name = 0.25F,
                       .zoom_max = 5,
                       .second_look = 1.5F,
                       .second_look_name = 0.4F,
                       .fade = 0.7F},
          .n_tokens = 1000,
          .missed_mass = 0.09};
}

TEST(SelectFile, ComesBackAsItWas) {
  const SelectFile file = example();
  const auto settings = parse_select_file(to_json(file).dump(), "a key", file.settings);
  ASSERT_TRUE(settings);
  EXPECT_TRUE(same_selection(*settings, file.settings));
  PolicySettings own{.sink = 9, .heads = {{.layer = 7}}};
  copy_selection(*settings, own);
  EXPECT_EQ(own.zoom_in, 0.1F);
  EXPECT_EQ(own.second_look_name, 0.4F);
  EXPECT_EQ(own.window, 12);
  EXPECT_EQ(own.sink, 9);  // none of the selection's
  EXPECT_EQ(own.heads.size(), 1U);
}

TEST(SelectFile, OfAnotherKeyOrHeadsOrDamagedIsNone) {
  const SelectFile file = example();
  const auto json = to_json(file);
  const auto found = [&file](const nlohmann::ordered_json& j) {
    return parse_select_file(j.dump(), "a key", file.settings).has_value();
  };
  EXPECT_TRUE(found(json));
  EXPECT_FALSE(parse_select_file(json.dump(), "another", file.settings));
  PolicySettings other = file.settings;
  other.name_heads.clear();
  EXPECT_FALSE(parse_select_file(json.dump(), "a key", other));
  other = file.settings;
  other.order_heads.clear();
  EXPECT_FALSE(parse_select_file(json.dump(), "a key", other));
  other = file.settings;
  std::swap(other.heads[0], other.heads[1]);
  EXPECT_FALSE(parse_select_file(json.dump(), "a key", other));
  const std::string text = json.dump();
  for (std::size_t n = 0; n < text.size(); n += 7) {
    EXPECT_FALSE(parse_select_file(text.substr(0, n), "a key", file.settings)) << n;
  }
  for (const char* member :
       {"zoomr_select", "key", "value_heads", "name_heads", "order_heads", "window", "zoom_in",
        "zoom_in_name", "zoom_max", "second_look", "second_look_name", "fade"}) {
    auto without = json;
    without.erase(member);
    EXPECT_FALSE(found(without)) << member;
  }
  for (const auto& [member, value] : {std::pair{"window", 0.0},
                                      {"zoom_in", 1.5},
                                      {"zoom_in_name", -0.1},
                                      {"zoom_max", 0.0},
                                      {"second_look", -1.0},
                                      {"second_look_name", -1.0},
                                      {"fade", 2.0},
                                      {"zoomr_select", 1.0}}) {
    auto wrong = json;
    wrong[member] = value;
    EXPECT_FALSE(found(wrong)) << member;
  }
}

TEST(SelectFile, OfTheUserSaysWhatIsWrong) {
  const std::string path = ::testing::TempDir() + "zoomr-select.json";
  const auto message = [&path](const std::string& text) -> std::string {
    EXPECT_TRUE(write_whole(path, text));
    try {
      (void)read_select_file(path);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      return e.what();
    }
    return "none";
  };
  EXPECT_EQ(message(to_json(example()).dump()), "none");
  for (const char* text : {"", "[]", "{}", R"({"zoomr_select":1})", R"({"zoomr_heads":2})"}) {
    EXPECT_NE(message(text).find("is not a file of zoomr tune"), std::string::npos) << text;
  }
  std::filesystem::remove(path);
  try {
    (void)read_select_file(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("cannot read"), std::string::npos);
  }
}

TEST(SelectFile, NamesTheFlagsThatItStandsFor) {
  EXPECT_TRUE(is_of_selection("zoom-in-name"));
  EXPECT_TRUE(is_of_selection("second-look-name"));
  EXPECT_FALSE(is_of_selection("zoom_in"));
  EXPECT_FALSE(is_of_selection("sure"));
  EXPECT_EQ(selection_flags(),
            "--window, --zoom-in, --zoom-in-name, --zoom-max, --second-look, --second-look-name "
            "and --fade");
}

// Beside the heads, of the same model and key.
TEST(SelectFile, LiesBesideTheHeads) {
  const std::string heads = heads_path("/models/m.gguf", "k");
  const std::string select = select_path("../m.gguf", "k");
  EXPECT_EQ(heads.substr(0, heads.size() - 5) + ".select.json", select);
  EXPECT_NE(select_path("m.gguf", "another"), select);
}

}  // namespace
}  // namespace zoomr
