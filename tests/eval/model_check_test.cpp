#include "eval/model_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace zoomr {
namespace {

ModelCheck check(int recalled, std::vector<CheckedBudget> budgets) {
  return {.model = "m",
          .exact = true,
          .why = "",
          .n_tokens = 900,
          .n_facts = 60,
          .recalled = recalled,
          .budgets = std::move(budgets)};
}

TEST(Verdict, NamesTheLeastBudgetThatRecallsAndTheFirstThatDoesNot) {
  const ModelCheck c = check(58, {{.budget = 512, .recalled = 58},
                                  {.budget = 256, .recalled = 56},
                                  {.budget = 128, .recalled = 40}});
  EXPECT_EQ(verdict(c),
            "At budget 256 this model recalls as with full KV (56 of 60 against 58); at 128 it "
            "does not (40).");
}

TEST(Verdict, OneOfThirtyIsTheLimit) {
  EXPECT_NE(verdict(check(60, {{.budget = 128, .recalled = 58}})).find("as with full KV (58"),
            std::string::npos);
  EXPECT_NE(verdict(check(60, {{.budget = 128, .recalled = 57}})).find("does not recall"),
            std::string::npos);
}

// A small budget that happens to recall well says nothing when a larger one did not.
TEST(Verdict, StopsAtTheFirstThatFails) {
  const ModelCheck c =
      check(58, {{.budget = 512, .recalled = 30}, {.budget = 256, .recalled = 58}});
  EXPECT_EQ(verdict(c),
            "At budget 512 this model does not recall as with full KV (30 of 60 against 58).");
}

TEST(Verdict, SaysWhenTheModelItselfRecallsLittle) {
  const std::string text = verdict(check(20, {{.budget = 512, .recalled = 20}}));
  EXPECT_NE(text.find("With full KV this model recalls 20 of 60 facts only"), std::string::npos);
}

TEST(Verdict, SaysWhenZoomingIsNotExact) {
  ModelCheck c = check(0, {});
  c.exact = false;
  c.why = "logits differ";
  EXPECT_EQ(verdict(c), "This model cannot be zoomed exactly: logits differ.");
}

TEST(Verdict, IsInTheJson) {
  const ModelCheck c = check(58, {{.budget = 512, .recalled = 58, .kl_mean = 0.5}});
  const auto json = nlohmann::json::parse(to_json(c));
  EXPECT_EQ(json["verdict"], verdict(c));
  EXPECT_EQ(json["budgets"][0]["kl_mean"], 0.5);
  EXPECT_EQ(json["budgets"][0]["missed_mass"], -1);
}

}  // namespace
}  // namespace zoomr
