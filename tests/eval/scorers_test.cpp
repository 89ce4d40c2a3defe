#include "eval/scorers.h"

#include "eval/testing.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

TEST(Answer, TheLastBoxWins) {
  EXPECT_EQ(extract_answer("so \\boxed{3}. No: \\boxed{\\text{12 coins}} or 7"), "12");
  EXPECT_EQ(extract_answer("\\boxed{\\frac{1}{2}}"), "\\frac12");
}

TEST(Answer, ElseWhatIsAnnouncedLast) {
  EXPECT_EQ(extract_answer("Answer: 5\nI check.\nResult: lamp = 60."), "60");
  EXPECT_EQ(extract_answer("The answer is **42**.\nThat took 3 steps."), "42");
  EXPECT_EQ(extract_answer("The final answer is: $1,250.50"), "1250.50");
  EXPECT_EQ(extract_answer("**Answer:** blue"), "blue");
}

TEST(Answer, OfTwoAnnouncementsOnALineTheLast) {
  EXPECT_EQ(extract_answer("**Final Answer**: The answer is 42."), "42");
  EXPECT_EQ(extract_answer("Answer: The final answer is 42"), "42");
}

TEST(Answer, MarksAreTakenOff) {
  for (const char* text : {"\\boxed{\\$42}", "Answer: 42\\%", "Answer: *42*", "Answer: 42!",
                           "\\boxed{42\\ \\text{km}}", "Answer: $42$"}) {
    EXPECT_EQ(extract_answer(text), "42") << text;
  }
}

TEST(Answer, ASentenceAnswersWithItsLastNumber) {
  Problem problem;
  problem.answer = "82";
  EXPECT_TRUE(score(problem, "Answer: The result of problem 3 is 78, adding 4 gives 82.").right);
  EXPECT_TRUE(score(problem, "Answer: There are 82 left.").right);
  EXPECT_FALSE(score(problem, "Answer: She had 82 and gave 7 away.").right);
}

TEST(Answer, NothingIsTooLong) {
  Problem problem;
  problem.answer = "1";
  EXPECT_FALSE(score(problem, "Answer: " + std::string(1000000, '1')).right);
  EXPECT_FALSE(score(problem, "\\boxed{" + std::string(1000000, 'x') + "}").right);
  EXPECT_FALSE(score(problem, std::string(1000000, '7')).right);
}

TEST(Answer, AnAnnouncementWithNothingBehindItIsNone) {
  EXPECT_EQ(extract_answer("We have 8.\nAnswer:\n"), "8");
}

TEST(Answer, ElseTheLastNumber) {
  EXPECT_EQ(extract_answer("First 12, then 30 apples."), "30");
  EXPECT_EQ(extract_answer("that leaves -4"), "-4");
  EXPECT_EQ(extract_answer("pages 12-7"), "7");
}

TEST(Answer, NothingIsNothing) {
  EXPECT_EQ(extract_answer(""), "");
  EXPECT_EQ(extract_answer("I do not know."), "");
  EXPECT_EQ(extract_answer("\\boxed{"), "");
}

TEST(Answer, OfAnEquationTheRightSideCounts) {
  EXPECT_EQ(extract_answer("Result: tin = oak + ink = 42 + 30 = 72."), "72");
}

TEST(Answer, NumbersAreComparedAsNumbers) {
  EXPECT_TRUE(same_answer("7.0", "7"));
  EXPECT_TRUE(same_answer("+7", "7"));
  EXPECT_TRUE(same_answer("1,000", "1000"));
  EXPECT_TRUE(same_answer("60 coins", "60"));
  EXPECT_FALSE(same_answer("7.1", "7"));
  EXPECT_FALSE(same_answer("-7", "7"));
  EXPECT_FALSE(same_answer("", "0"));
  EXPECT_FALSE(same_answer("inf", "1"));
}

TEST(Answer, WordsAreComparedWithoutCase) {
  EXPECT_TRUE(same_answer(" Blue.", "blue"));
  EXPECT_FALSE(same_answer("blue sky", "blue"));
}

TEST(Answer, WithoutARightAnswerNothingIsRight) {
  Problem problem;
  problem.answer = "";
  EXPECT_FALSE(score(problem, "").right);
  EXPECT_FALSE(score(problem, "4").right);
}

constexpr const char* kRight =
    "Step 1: amy = 3.\nStep 2: bob = 4.\nStep 3: cat = amy + bob = 3 + 4 = 7.\n"
    "Step 4: dan = cat + amy = 7 + 3 = 10.\nResult: dan = 10.";

Count part(const Score& score, const std::string& name) {
  for (const Score::Part& p : score.parts) {
    if (p.name == name) return p.count;
  }
  return {};
}

TEST(Chain, ARightReply) {
  const Score s = score(small_chain(), kRight);
  EXPECT_TRUE(s.right);
  EXPECT_EQ(s.steps.right, 4);
  EXPECT_EQ(s.steps.of, 4);
  EXPECT_EQ(part(s, "near").of, 4);
  EXPECT_EQ(part(s, "far").of, 0);
  EXPECT_EQ(part(s, "arithmetic").right, 2);
}

TEST(Chain, ALookUpIsHeldToTheRepliesOwnValue) {
  // amy was written as 5: a later 5 is a right look-up, though no right answer comes of it.
  const Score s = score(small_chain(),
                        "Step 1: amy = 5.\nStep 2: bob = 4.\nStep 3: cat = amy + bob = 5 + 4 = 9.\n"
                        "Step 4: dan = cat + amy = 9 + 3 = 12.\nResult: dan = 12.");
  EXPECT_FALSE(s.right);
  EXPECT_EQ(s.steps.right, 3);
}

TEST(Chain, AWrongSumIsArithmetic) {
  const Score s = score(small_chain(),
                        "Step 1: amy = 3.\nStep 2: bob = 4.\nStep 3: cat = amy + bob = 3 + 4 = 8.\n"
                        "Step 4: dan = cat + amy = 8 + 3 = 11.");
  EXPECT_EQ(s.steps.right, 4);
  EXPECT_EQ(part(s, "arithmetic").right, 1);
}

TEST(Chain, WhatIsLeftOutIsWrong) {
  const Score s = score(small_chain(), "Step 1: amy = 3.\nStep 4: dan = cat + amy = 7 + 3 = 10.");
  EXPECT_EQ(s.steps.right, 1);  // amy; cat was never written
  EXPECT_EQ(s.steps.of, 4);
}

TEST(Chain, ALineInAnotherFormStillSaysItsValue) {
  const Score s =
      score(small_chain(),
            "**Step 1**: amy = 1 + 2 = **3**.\nStep 2: bob = 4.\nStep 3: cat = 3 + 4 = 7.\n"
            "Step 4: dan = cat + amy = 7 + 3 = 10.");
  EXPECT_EQ(s.steps.right, 2);  // dan's; cat's were not shown
}

TEST(Chain, OperandsOfASumMayChangePlaces) {
  const Score s = score(small_chain(),
                        "Step 1: amy = 3.\nStep 2: bob = 4.\nStep 3: cat = bob + amy = 4 + 3 = 7.");
  EXPECT_EQ(s.steps.right, 2);
  EXPECT_EQ(part(s, "arithmetic").right, 1);
}

TEST(Chain, AnotherNameIsNoLookUp) {
  const Score s = score(small_chain(),
                        "Step 1: amy = 3.\nStep 2: bob = 3.\nStep 3: cat = bob + bob = 3 + 3 = 6.");
  EXPECT_EQ(s.steps.right, 1);
}

TEST(Chain, AStepCountsOnce) {
  const Score s =
      score(small_chain(), std::string(kRight) + "\nStep 3: cat = amy + bob = 1 + 1 = 2.");
  EXPECT_EQ(s.steps.right, 4);
}

TEST(Chain, ANegativeValueMayStandInBrackets) {
  Problem problem = small_chain();
  problem.steps[2]["op"] = "-";
  const Score s =
      score(problem,
            "Step 1: amy = 3.\nStep 2: bob = 4.\nStep 3: cat = amy - bob = 3 - 4 = -1.\n"
            "Step 4: dan = cat + amy = (-1) + 3 = 2.");
  EXPECT_EQ(s.steps.right, 4);
  EXPECT_EQ(part(s, "arithmetic").right, 2);
}

TEST(Chain, BulletsAndBoldAreRead) {
  const Score s = score(small_chain(),
                        "- Step 1: **amy** = 3\n* Step 2: bob = 4.\n"
                        "Step 3: **cat** = amy + bob = 3 + 4 = 7 (done)");
  EXPECT_EQ(s.steps.right, 2);
}

TEST(Chain, MalformedRepliesScoreNothingAndBreakNothing) {
  for (const char* text : {"", "Step", "Step 99999999999: amy = 3", "Step 0: amy = 3",
                           "Step 9: zoe = 3", "Step 3: cat = amy + bob = 3 + 4", "\xff\xfe"}) {
    EXPECT_EQ(score(small_chain(), text).steps.right, 0) << text;
  }
  EXPECT_EQ(score(small_chain(), std::string(100000, '=')).steps.right, 0);
}

TEST(Chain, EightLinesBackIsNearAndNineIsFar) {
  Problem problem = small_chain();
  problem.steps = nlohmann::json::array();
  std::string reply;
  for (const std::string name : {"a", "b", "c", "d", "e", "f", "g", "h", "i"}) {
    problem.steps.push_back({{"name", name}, {"value", 1}});
    reply += "Step " + std::to_string(problem.steps.size()) + ": " + name + " = 1.\n";
  }
  problem.steps.push_back({{"name", "j"}, {"op", "+"}, {"a", 0U}, {"b", 1U}, {"value", 2}});
  const Score far_wrong = score(problem, reply + "Step 10: j = a + b = 7 + 1 = 8.");
  EXPECT_EQ(part(far_wrong, "far").of, 1);
  EXPECT_EQ(part(far_wrong, "far").right, 0);
  EXPECT_EQ(part(far_wrong, "near").of, 1);
  EXPECT_EQ(part(far_wrong, "near").right, 1);
}

Problem labelled() {
  Problem problem;
  problem.scorer = "steps";
  problem.answer = "9";
  problem.steps = nlohmann::json::parse(
      R"([{"label":"Problem 1","value":"5"},{"label":"Problem 10","value":"12"}])");
  return problem;
}

TEST(Steps, EachLabelsFirstLineEndsInItsValue) {
  const Score s = score(labelled(), "**Problem 1:** 2 + 3 = 5\nProblem 10: 6 * 2 = 12.\nAnswer: 9");
  EXPECT_EQ(s.steps.right, 2);
  EXPECT_TRUE(s.right);
}

TEST(Steps, ALabelIsNotTheBeginningOfAnother) {
  EXPECT_EQ(score(labelled(), "Problem 10: 12").steps.right, 1);
}

TEST(Steps, OnlyTheFirstLineCounts) {
  EXPECT_EQ(score(labelled(), "Problem 1: 4\nProblem 1: 5").steps.right, 0);
}

TEST(Steps, MalformedRepliesScoreNothingAndBreakNothing) {
  for (const char* text : {"", "Problem", "Problem 1", "Problem 1:", "Problem 1: five", "5",
                           "\xff\xfe", "Problem 1 is 5 or 6", "problem 1: 5"}) {
    const Score s = score(labelled(), text);
    EXPECT_EQ(s.steps.right, 0) << text;
    EXPECT_EQ(s.steps.of, 2) << text;
  }
  EXPECT_EQ(score(labelled(), "Problem 1: " + std::string(100000, '5')).steps.right, 0);
}

void refused(const std::string& line, const std::string& why) {
  try {
    (void)parse_task(line, "t", "t.jsonl");
    FAIL() << "accepted: " << line;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("t.jsonl"), std::string::npos) << e.what();
  }
}

TEST(Task, ReadsWhatUsersWrite) {
  const auto problems = parse_task(
      "{\"prompt\": \"2+2?\", \"answer\": 4, \"mine\": [1]}\n\n{\"id\": \"x\", \"prompt\": "
      "\"a\"}\n",
      "t", "t.jsonl");
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].id, "1");
  EXPECT_EQ(problems[0].answer, "4");
  EXPECT_EQ(problems[0].scorer, "answer");
  EXPECT_EQ(problems[1].id, "x");
}

TEST(Task, RefusesWhatItCannotUse) {
  refused("{", "not JSON");
  refused("[1]", "not a JSON object");
  refused("{\"answer\": \"4\"}", "no \"prompt\"");
  refused("{\"prompt\": 1.5, \"answer\": []}", "\"answer\" is not a string");
  refused("{\"prompt\": \"a\", \"scorer\": \"vibes\"}", "unknown scorer");
  refused("{\"prompt\": \"a\", \"scorer\": \"chain\"}", "needs \"steps\"");
  refused("{\"prompt\": \"a\", \"scorer\": \"steps\", \"steps\": [{}]}", "label and value");
  refused(
      "{\"prompt\": \"a\", \"scorer\": \"chain\", \"steps\": "
      "[{\"name\": \"x\", \"op\": \"+\", \"a\": 0, \"b\": 0}]}",
      "not the index of an earlier step");
  refused("{\"id\": \"1\", \"prompt\": \"a\"}\n{\"id\": \"1\", \"prompt\": \"b\"}", "there twice");
  refused("\n", "no problem");
}

TEST(Task, TheBuiltInOnesAreSound) {
  for (const char* name : {"chain", "late", "recall", "gsm"}) {
    const auto problems = load_task(name);
    EXPECT_GE(problems.size(), 10U) << name;
    for (const Problem& problem : problems) EXPECT_FALSE(problem.answer.empty());
  }
}

// What the generator calls right, the scorer calls right.
TEST(Task, AChainsOwnSolutionScoresEverything) {
  for (const Problem& problem : load_task("chain")) {
    std::string reply;
    const auto& steps = problem.steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto text = [&](const char* key) { return steps[steps[i][key].get<std::size_t>()]; };
      reply += "Step " + std::to_string(i + 1) + ": " + steps[i]["name"].get<std::string>() + " = ";
      if (steps[i].contains("op")) {
        const std::string op = " " + steps[i]["op"].get<std::string>() + " ";
        reply += text("a")["name"].get<std::string>() + op + text("b")["name"].get<std::string>() +
                 " = " + text("a")["value"].dump() + op + text("b")["value"].dump() + " = ";
      }
      reply += steps[i]["value"].dump() + ".\n";
    }
    const Score s = score(problem, reply);
    EXPECT_TRUE(s.right);
    EXPECT_EQ(s.steps.right, 60);
    EXPECT_EQ(s.steps.of, 60);
    EXPECT_EQ(part(s, "arithmetic").right, 30);
  }
}

}  // namespace
}  // namespace zoomr
