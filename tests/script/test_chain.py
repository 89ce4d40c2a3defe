"""eval/chain.py: the generator and its scorer. `test_chain.py [Class.method]`; prints nothing when
all is well."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from quiet import Quiet

ROOT = pathlib.Path(os.environ.get("ZOOMR_ROOT", pathlib.Path(__file__).resolve().parents[2]))
SCRIPT = ROOT / "eval" / "chain.py"
spec = importlib.util.spec_from_file_location("chain", SCRIPT)
sys.dont_write_bytecode = True
chain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)


def reply(problem, change=None):
    """The right answer, line by line; change(i, line) may return another line, or None for no line."""
    steps = problem["steps"]
    lines = []
    for i, step in enumerate(steps):
        line = f"Step {i + 1}: {step['name']} = {step['value']}."
        if "op" in step:
            a, b = steps[step["a"]], steps[step["b"]]
            line = (
                f"Step {i + 1}: {step['name']} = {a['name']} {step['op']} {b['name']} = "
                f"{a['value']} {step['op']} {b['value']} = {step['value']}."
            )
        line = change(i, line) if change else line
        if line is not None:
            lines.append(line)
    return "\n".join(lines + [f"Result: {steps[-1]['name']} = {steps[-1]['value']}."])


class Generator(unittest.TestCase):
    def test_the_same_seed_gives_the_same_problem(self):
        self.assertEqual(chain.make(40, 1), chain.make(40, 1))
        self.assertNotEqual(chain.make(40, 1)["prompt"], chain.make(40, 2)["prompt"])

    def test_it_is_the_same_in_another_process(self):
        made = subprocess.run(
            [sys.executable, SCRIPT, "make", "--steps", "40", "--seed", "7"],
            env=dict(os.environ, PYTHONHASHSEED="5"),
            capture_output=True,
            check=True,
        ).stdout
        self.assertEqual(json.loads(made), chain.make(40, 7))

    def test_values_follow_from_the_prompt_alone(self):
        for seed in range(20):
            problem = chain.make(40, seed)
            task = problem["prompt"].split("Now the task")[1]
            values = {}
            for line in task.splitlines():
                if not line.startswith("Step "):
                    continue
                name, right = line.split(": ")[1].split(" = ")
                words = right.split()
                if len(words) == 1:
                    values[name] = int(right)
                else:
                    a, b = values[words[0]], values[words[2]]
                    values[name] = a + b if words[1] == "+" else a - b
                self.assertIn(values[name], range(1, 100))
            self.assertEqual(len(values), 40)
            self.assertEqual(problem["answer"], str(list(values.values())[-1]))

    def test_the_long_part_is_not_in_the_prompt(self):
        problem = chain.make(40, 3)
        self.assertLess(len(problem["prompt"]), 2000)
        computed = [step for step in problem["steps"] if "op" in step]
        self.assertEqual(len(computed), 36)
        for step in computed:
            self.assertNotIn(f" {step['name']} = {step['value']}\n", problem["prompt"])


class Scorer(unittest.TestCase):
    def setUp(self):
        self.problem = chain.make(40, 1)
        self.steps = self.problem["steps"]

    def score(self, change=None):
        return chain.score(self.problem, reply(self.problem, change))

    def test_a_right_reply(self):
        s = self.score()
        self.assertTrue(s["right"])
        self.assertEqual((s["lookups"], s["lookups_of"]), (72, 72))
        self.assertEqual((s["arithmetic"], s["steps"]), (36, 40))
        self.assertEqual(s["near"] + s["far"], 72)
        self.assertGreater(s["far_of"], 10)

    def test_a_wrong_look_up_counts_once(self):
        at = 20
        step = self.steps[at]
        a, b = self.steps[step["a"]]["value"], self.steps[step["b"]]["value"]
        # Another left operand with its own right sum; every other line keeps the true value.
        result = a + 1 + b if step["op"] == "+" else a + 1 - b
        used = sum((s.get("a") == at) + (s.get("b") == at) for s in self.steps)
        head = f"Step {at + 1}: {step['name']} = {self.steps[step['a']]['name']} {step['op']} {self.steps[step['b']]['name']}"
        s = self.score(lambda i, line: f"{head} = {a + 1} {step['op']} {b} = {result}" if i == at else line)
        # Later lines no longer agree with the value that the reply gave to this name.
        self.assertEqual(s["lookups"], 72 - 1 - used)
        self.assertEqual(s["arithmetic"], 36)
        self.assertTrue(s["right"], "the result line decides")

    def test_look_ups_are_held_to_the_reply_s_own_values(self):
        """A wrong constant that is then used consistently costs no look-up."""
        wrong = {}

        def change(i, line):
            step = self.steps[i]
            if "op" not in step:
                wrong[i] = step["value"] + 1
                return f"Step {i + 1}: {step['name']} = {wrong[i]}."
            a, b = wrong[step["a"]], wrong[step["b"]]
            wrong[i] = a + b if step["op"] == "+" else a - b
            names = self.steps[step["a"]]["name"], self.steps[step["b"]]["name"]
            return (
                f"Step {i + 1}: {step['name']} = {names[0]} {step['op']} {names[1]} = "
                f"{a} {step['op']} {b} = {wrong[i]}."
            )

        s = self.score(change)
        self.assertEqual((s["lookups"], s["arithmetic"]), (72, 36))

    def test_a_wrong_sum_is_arithmetic(self):
        last = len(self.steps) - 1
        s = self.score(lambda i, line: line[: line.rindex("=")] + "= 1000" if i == last else line)
        self.assertEqual((s["lookups"], s["arithmetic"]), (72, 35))

    def test_a_cut_off_reply(self):
        text = "\n".join(reply(self.problem).splitlines()[:20])
        s = chain.score(self.problem, text)
        self.assertFalse(s["right"])
        self.assertEqual((s["steps"], s["lookups"], s["arithmetic"]), (20, 32, 16))
        self.assertEqual(s["lookups_of"], 72)

    def test_a_left_out_line_costs_those_that_need_it(self):
        s = self.score(lambda i, line: None if i == 0 else line)
        used = sum((step.get("a") == 0) + (step.get("b") == 0) for step in self.steps)
        self.assertGreater(used, 0)
        self.assertEqual(s["lookups"], 72 - used)

    def test_a_repeated_line_counts_once(self):
        s = self.score(lambda i, line: f"{line}\n{line}" if i == 30 else line)
        self.assertEqual((s["steps"], s["lookups"], s["arithmetic"]), (40, 72, 36))

    def test_malformed_replies_score_nothing(self):
        for text in ("", "\n\n", "I cannot.", "Step 1", "Step x: a = b", "Step 99: gem = 1", "Step 5: = + = 1"):
            s = chain.score(self.problem, text)
            self.assertEqual((s["lookups"], s["arithmetic"], s["right"]), (0, 0, False), text)

    def test_bold_names_and_bullets_are_read(self):
        s = self.score(lambda i, line: "- **" + line)
        self.assertEqual((s["steps"], s["lookups"]), (40, 72))


class Commands(unittest.TestCase):
    def run_chain(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)

    def test_make_prompt_score_and_table(self):
        problem = chain.make(40, 1)
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("problem.json", "reply.txt", "run.json")]
            run = {
                "text": reply(problem),
                "peak_resident_tokens": 1270,
                "peak_kv_bytes": 36 << 20,
                "zoom_ins": 5,
                "zoom_outs": 9,
                "n_generated": 1001,
                "tokens_per_second": 11.25,
            }
            for path, text in zip(paths, (json.dumps(problem), run["text"], json.dumps(run))):
                pathlib.Path(path).write_text(text)
            self.assertEqual(self.run_chain("prompt", paths[0]).stdout, problem["prompt"])
            self.assertTrue(json.loads(self.run_chain("score", *paths[:2]).stdout)["right"])
            rows = self.run_chain("table", paths[0], f"full={paths[2]}").stdout.splitlines()
            self.assertEqual(len(rows), 3)
            for cell in ("full", f"{problem['answer']} right", "72 of 72", "1270", "36.0", "5 / 9"):
                self.assertIn(f"| {cell} |", rows[2])

    def test_steps_out_of_range_are_refused(self):
        for steps in ("5", "1000"):
            result = self.run_chain("make", "--steps", steps)
            self.assertEqual(result.returncode, 2)
            self.assertIn("--steps is between", result.stderr)


if __name__ == "__main__":
    unittest.main(testRunner=Quiet)
