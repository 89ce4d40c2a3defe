"""eval/tasks.py: the generators of the built-in tasks.
`test_tasks.py [Class.method]`; prints nothing when all is well."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from quiet import Quiet

ROOT = pathlib.Path(os.environ.get("ZOOMR_ROOT", pathlib.Path(__file__).resolve().parents[2]))
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "eval"))
import tasks  # noqa: E402


def made(*args):
    env = {**os.environ, "PYTHONPATH": str(ROOT / "out-python"), "PYTHONHASHSEED": "random"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "eval" / "tasks.py"), *args], capture_output=True, env=env, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Generators(unittest.TestCase):
    def same_as_the_file(self, task):
        code, out, err = made(task)
        self.assertEqual(code, 0, err)
        self.assertEqual(out, (ROOT / "eval" / "tasks" / f"{task}.jsonl").read_text())

    def test_chain_is_what_the_file_holds(self):
        self.same_as_the_file("chain")

    def test_late_is_what_the_file_holds(self):
        self.same_as_the_file("late")

    def test_recall_is_what_the_file_holds(self):
        self.same_as_the_file("recall")

    def test_gsm_is_what_the_file_holds(self):
        sys.path.insert(0, str(ROOT / "out-python"))
        try:
            import reasoning_gym  # noqa: F401
        except ImportError:
            self.skipTest("reasoning-gym is not here (script/bootstrap --test)")
        self.same_as_the_file("gsm")

    def test_another_seed_is_another_problem(self):
        self.assertNotEqual(tasks.chain(40, 1)["prompt"], tasks.chain(40, 2)["prompt"])
        self.assertNotEqual(tasks.late(1)["prompt"], tasks.late(2)["prompt"])
        self.assertNotEqual(tasks.recall(200, 1)["prompt"], tasks.recall(200, 2)["prompt"])

    def test_bad_arguments_are_refused(self):
        for args in (("chain", "--steps", "5"), ("chain", "--steps", "81"), ("chain", "--problems", "0"), ("recall", "--entries", "9"), ("poem",)):
            self.assertEqual(made(*args)[0], 2, args)


class Recall(unittest.TestCase):
    def test_the_fact_is_told_once_and_far_from_the_question(self):
        for seed in range(1, 30):
            problem = tasks.recall(200, seed)
            asked = re.search(r"how many (\w+) does (\w+) keep", problem["prompt"])
            lines = problem["prompt"].splitlines()
            told = [i for i, line in enumerate(lines) if f"{asked[2]} keeps" in line]
            self.assertEqual(len(told), 1, seed)
            self.assertIn(f"keeps {problem['answer']} ", lines[told[0]])
            self.assertGreater(len(lines) - told[0], 40)


class Chain(unittest.TestCase):
    def values_follow(self, n_steps, seeds):
        for seed in seeds:
            values = []
            for step in tasks.chain(n_steps, seed)["steps"]:
                if "op" in step:
                    a, b = values[step["a"]], values[step["b"]]
                    values.append(a + b if step["op"] == "+" else a - b)
                else:
                    values.append(step["x"] + step["y"])
                self.assertEqual(values[-1], step["value"])
                self.assertTrue(3 <= step["value"] <= 99)
            self.assertEqual(len(set(values)), n_steps)

    def test_values_follow_from_the_steps(self):
        self.values_follow(40, range(1, 30))

    def test_a_chain_may_have_eighty_steps(self):
        self.values_follow(80, range(1, 10))
        names = [step["name"] for step in tasks.chain(80, 1)["steps"]]
        self.assertEqual(len(set(names)), 80)
        all_names = tasks.NAMES + tasks.MORE_NAMES
        self.assertEqual(len(set(all_names)), len(all_names))
        self.assertFalse(set(all_names) & {"sun", "ink", "oak", "tin"}, "names of the example")

    def test_a_shorter_chain_is_what_it_was(self):
        digest = hashlib.sha256(json.dumps(tasks.chain(60, 1)).encode()).hexdigest()
        self.assertEqual(digest[:16], "601f5b0c967cf2c1")

    def test_no_value_of_a_name_stands_in_the_prompt(self):
        problem = tasks.chain(40, 3)
        for step in problem["steps"]:
            self.assertNotRegex(problem["prompt"], rf"\b{step['name']} = {step['value']}\b")

    def test_most_look_ups_are_far(self):
        far = of = 0
        for seed in range(1, 21):
            for i, step in enumerate(tasks.chain(40, seed)["steps"]):
                for operand in ("a", "b"):
                    if operand in step:
                        of += 1
                        far += i - step[operand] > 8
        self.assertEqual(of, 20 * 60)
        self.assertGreater(far / of, 0.6)

    def test_the_example_is_right(self):
        for left, a, op, b, value in re.findall(r"= ([\w +-]+) = (\d+) ([+-]) (\d+) = (\d+)\.", tasks.CHAIN_EXAMPLE):
            self.assertEqual(int(value), int(a) + int(b) if op == "+" else int(a) - int(b), left)


class Late(unittest.TestCase):
    def test_the_last_question_is_about_an_early_problem(self):
        for seed in range(1, 30):
            problem = tasks.late(seed)
            early, more = map(int, re.search(r"result of problem (\d+),.* add (\d+) to", problem["prompt"]).groups())
            self.assertLessEqual(early, 3)
            self.assertEqual(int(problem["answer"]), int(problem["steps"][early - 1]["value"]) + more)

    def test_no_result_is_negative(self):
        for seed in range(1, 100):
            self.assertTrue(all(int(s["value"]) > 0 for s in tasks.late(seed)["steps"]))


class Replies(unittest.TestCase):
    def test_a_row_each(self):
        sample = {
            "policy": "full", "answer": "7", "expected": "8", "right": False, "n_generated": 50, "seconds": 2,
            "steps": {"right": 3, "of": 4, "far": {"right": 1, "of": 2}}, "peak_resident_tokens": 9,
            "peak_kv_bytes": 2**21, "zoom_ins": 1, "zoom_outs": 2,
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "samples.jsonl"
            path.write_text(json.dumps(sample) + "\n")
            out = subprocess.run(
                [sys.executable, str(ROOT / "eval" / "replies.py"), str(path)], capture_output=True, check=True
            ).stdout.decode()
        self.assertIn("| full | 7 wrong | 3 of 4 | 1 of 2 | 9 | 2.0 | 1 / 2 | 50 | 25.0 |", out)
        self.assertIn("the right answer: 8", out)


if __name__ == "__main__":
    unittest.main(testRunner=Quiet)
