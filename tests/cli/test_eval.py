"""zoomr eval: tables, samples, resuming, reports, records, and errors."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from program import ROOT, SMOL, ZOOMR, Case  # noqa: E402

TASK = "\n".join(
    json.dumps({"prompt": f"Say the number {n} and stop.", "answer": str(n), "note": "unknown fields are ignored"})
    for n in (4, 7, 9)
)


class Eval(Case):
    def task(self):
        return self.write("sums.jsonl", TASK)

    def args(self, *more):
        return ("eval", "-m", SMOL, "--task", self.task(), "-n", "40", "--budget", "+64", *more)

    def refuse(self, word, *args):
        self.refused(*args, says=word)

    @staticmethod
    def rows(out):
        """The table without its last column, the speed."""
        return [line.rsplit("|", 2)[0] for line in out.decode().splitlines() if line.startswith("|")]

    def test_a_row_for_each_policy_and_budget(self):
        done = self.ok("eval", "-m", SMOL, "--task", self.task(), "-n", "16", "--policy",
                       "full,streaming-llm,full:ctk=q8_0:ctv=q8_0", "--budget", "+64,+96", "--problems", "1")
        rows = self.rows(done.stdout)
        self.assertEqual(len(rows), 2 + 4)
        self.assertIn("| sums | full | - | 1 |", rows[2])
        self.assertIn("| sums | streaming-llm | +64 |", rows[3])
        self.assertIn("| sums | streaming-llm | +96 |", rows[4])
        self.assertIn("| sums | full:ctk=q8_0:ctv=q8_0 | - |", rows[5])
        self.assertIn("eval: 0/4", done.stderr.decode())

    def test_samples_are_what_run_prints_and_more(self):
        path = self.path("s.jsonl")
        self.ok(*self.args("--policy", "full,zoomr:select=paper", "--samples-out", path, "--samples", "2", "--temp", "0.8"))
        with open(path) as file:
            samples = [json.loads(line) for line in file]
        self.assertEqual(len(samples), 3 * 2 * 2)
        # Every policy has its turn before the next problem begins.
        self.assertEqual([(s["problem"], s["policy"]) for s in samples if s["sample"] == 0],
                         [(p, policy) for p in ("1", "2", "3") for policy in ("full", "zoomr:select=paper")])
        run = json.loads(self.ok("run", "-m", SMOL, "-p", samples[0]["prompt"], "--raw", "-n", "4", "--json").stdout)
        for name in run:
            self.assertIn(name, samples[0])
        for name in ("task", "problem", "sample", "policy", "expected", "answer", "right", "steps", "residency", "heads", "settings"):
            self.assertIn(name, samples[0])
        self.assertEqual({s["seed"] for s in samples}, {1, 2})
        self.assertLessEqual(max(s["peak_resident_tokens"] - s["n_prompt"] for s in samples if s["budget"]), 64)

    def test_a_killed_evaluation_goes_on(self):
        args = self.args("--policy", "full,streaming-llm,zoomr", "--problems", "3", "-np", "2")
        whole = self.ok(*args, "--samples-out", self.path("whole.jsonl"))
        path = self.path("cut.jsonl")
        process = subprocess.Popen([ZOOMR, *args, "--samples-out", path], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        for _ in range(600):
            if os.path.exists(path) and os.path.getsize(path) > 0:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with open(path) as file:
            n_before = sum(1 for _ in file)
        self.assertTrue(0 < n_before < 9, n_before)
        with open(path, "a") as file:
            file.write('{"task":"sums","prob')
        resumed = self.ok(*args, "--samples-out", path, "--resume")
        self.assertEqual(self.rows(resumed.stdout), self.rows(whole.stdout))
        with open(path) as file:
            self.assertEqual(len(file.readlines()), 9)

    def tables(self, path, done):
        """What the report at `path` says and what was printed: header and rows."""
        with open(path) as file:
            data = json.loads(re.search(r'id="data">(.*?)</script>', file.read(), re.S)[1])
        printed = [[cell.strip() for cell in row.split("|")[1:-1]] for row in done.stdout.decode().splitlines()]
        return data, [row for row in printed if set("".join(row)) - set("-: ")]

    def test_the_reports_numbers_are_the_tables(self):
        path = self.path("r.html")
        done = self.ok(*self.args("--policy", "full,streaming-llm", "--report", path))
        data, printed = self.tables(path, done)
        self.assertEqual(data["answers"], printed)
        self.assertEqual([row[1] for row in printed[1:]], ["full", "streaming-llm"])
        for point, row in zip(data["points"], printed[1:]):
            mean, low, high = (100 * x for x in point["right"])
            self.assertEqual(f"{mean:.1f} [{low:.1f}, {high:.1f}]", row[4])
            self.assertLessEqual(point["resident_mib"], float(row[11]) + 0.05)

    def test_a_text_is_read_side_by_side(self):
        path = self.path("s.jsonl")
        report = self.path("r.html")
        text = os.path.join(ROOT, "DESIGN.md")
        done = self.ok("eval", "-m", SMOL, "--task", text, "-n", "220", "--budget", "+64", "--policy", "full,streaming-llm,zoomr,oracle",
                       "--samples-out", path, "--report", report)
        with open(path) as file:
            samples = {s["policy"]: s for s in map(json.loads, file)}
        self.assertLess(samples["full"]["kl_mean"], 1e-6)
        self.assertEqual(samples["full"]["same_top"], 100)
        self.assertGreater(samples["streaming-llm"]["kl_mean"], 0.01)
        self.assertAlmostEqual(samples["full"]["perplexity"], samples["oracle"]["perplexity_full"], 3)
        self.assertGreater(samples["streaming-llm"]["far_perplexity"], 2.7 * samples["streaming-llm"]["far_perplexity_full"])
        self.assertEqual(samples["zoomr"]["n_tokens"], 220)
        data, printed = self.tables(report, done)
        self.assertEqual(data["texts"], printed)
        self.assertIn("far: KL mean", printed[0])
        # What was resident when, of a text as of an answer.
        lines = samples["zoomr"]["residency"]["lines"]
        with open(text, encoding="utf-8") as file:
            whole = file.read()
        read = "".join(line[3] for line in lines)
        self.assertIn(read[:200], whole)
        self.assertEqual(lines[-1][1], samples["zoomr"]["n_prompt"] + 220)
        self.assertGreater(len(samples["streaming-llm"]["residency"]["edits"]), 0)

    def test_its_own_text_is_read_and_goes_on(self):
        path = self.path("s.jsonl")
        args = ("eval", "-m", SMOL, "--task", "text", "-n", "90", "--budget", "+64", "--policy", "streaming-llm,zoomr", "--samples-out", path)
        whole = self.ok(*args)
        self.assertIn("| own | streaming-llm | +64 | 90 |", whole.stdout.decode())
        with open(path) as file:
            first = file.readline()
        with open(path, "w") as file:
            file.write(first)
        resumed = self.ok(*args, "--resume")
        self.assertEqual(resumed.stdout, whole.stdout)
        # And without the model: tables and page of what is there.
        report = self.path("r.html")
        shown = self.ok("eval", "--show", path, "--report", report)
        self.assertEqual(shown.stdout, whole.stdout)
        self.assertEqual(self.tables(report, shown)[0]["texts"], self.tables(report, shown)[1])

    def test_what_was_written_is_scored_anew(self):
        path = self.path("s.jsonl")
        task = self.task()
        self.ok("eval", "-m", SMOL, "--task", task, "-n", "40", "--policy", "full", "--samples-out", path)
        with open(path) as file:
            samples = [json.loads(line) for line in file]
        for sample in samples:
            sample.update(right=not sample["right"], answer="?")
        changed = self.write("changed.jsonl", "".join(json.dumps(sample) + "\n" for sample in samples))
        as_scored = self.ok("eval", "--show", path).stdout
        self.assertNotEqual(self.ok("eval", "--show", changed).stdout, as_scored)
        self.assertEqual(self.ok("eval", "--show", changed, "--task", task).stdout, as_scored)

    def test_a_schema_holds_every_reply(self):
        path = self.path("s.jsonl")
        schema = json.dumps({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False})
        self.ok("eval", "-m", SMOL, "--task", self.task(), "-n", "60", "--problems", "1", "--policy", "full,streaming-llm",
                "--budget", "+64", "--json-schema", schema, "--samples-out", path)
        with open(path) as file:
            for sample in map(json.loads, file):
                self.assertEqual(set(json.loads(sample["text"])), {"age"})
        self.refuse("schema", *self.args("--json-schema", "{"))

    def test_policies_and_budget_by_environment(self):
        done = self.ok("eval", "-m", SMOL, "--task", self.task(), "-n", "8", "--problems", "1",
                       env={"ZOOMR_POLICY": "streaming-llm,random", "ZOOMR_BUDGET": "+96"})
        rows = [[cell.strip() for cell in row.split("|")[2:4]] for row in self.rows(done.stdout)[2:]]
        self.assertEqual(sorted(rows), [["random", "+96"], ["streaming-llm", "+96"]])

    def test_a_record_can_be_read(self):
        sys.path.insert(0, os.path.join(ROOT, "out-python"))
        sys.path.insert(0, os.path.join(ROOT, "eval"))
        sys.dont_write_bytecode = True
        from record import Record

        folder = self.path("rec")
        self.ok(*self.args("--record", folder, "--record-heads", "3.4,20.8"))
        run = Record(folder)
        n = run.meta["n_decoded"]
        self.assertEqual(run.keys(3, run.key_head(3, 4)).shape, (n, 64))
        self.assertEqual(run.queries(20, 8).shape, (len(run.positions), 64))
        self.assertEqual(run.positions[-1], n - 1)
        self.assertEqual("".join(run.meta["pieces"][run.meta["n_prompt"]:])[:8], run.meta["text"][:8])
        self.refuse("holds a record already", *self.args("--record", folder))

    def test_errors(self):
        self.refuse("unknown task 'poem'", "eval", "-m", SMOL, "--task", "poem")
        self.refuse("cannot read the task", "eval", "-m", SMOL, "--task", "no/such.jsonl")
        self.refuse("cannot read the text", "eval", "-m", SMOL, "--task", "no/such.txt")
        self.refuse(":2: not JSON", "eval", "-m", SMOL, "--task", self.write("bad.jsonl", '{"prompt":"a"}\n{'))
        self.refuse("unknown policy", *self.args("--policy", "full,magic"))
        self.refuse("needs summaries", *self.args("--policy", "summary-only"))
        self.refuse("--budget is a number", "eval", "-m", SMOL, "--task", self.task(), "--budget", "lots")
        self.refuse("--resume needs --samples-out", *self.args("--resume"))
        self.refuse("heads are", *self.args("--record", self.path("r"), "--record-heads", "7"))
        self.refuse("no head 900.1", *self.args("--record", self.path("r2"), "--record-heads", "900.1"))
        self.refuse("--samples must", *self.args("--samples", "0"))
        self.refuse("cannot write the report", *self.args("--policy", "full", "--report", "/no/such/r.html"))

    def test_nothing_is_overwritten(self):
        path = self.path("s.jsonl")
        args = self.args("--policy", "full", "--problems", "1", "--samples-out", path)
        self.ok(*args)
        before = os.path.getsize(path)
        self.refuse("has samples already", *args)
        self.refuse("another seed", *args, "--resume", "-s", "9")
        self.assertEqual(os.path.getsize(path), before)

    def test_a_row_has_one_choice_of_heads(self):
        """What `auto` stands for may change between the parts: another probe, a file by hand."""
        path = self.path("s.jsonl")
        args = self.args("--policy", "zoomr,full", "--problems", "1", "--samples-out", path)
        self.ok(*args)
        with open(path) as file:
            samples = [json.loads(line) for line in file]
        self.assertEqual([s["heads"] and s["heads"]["value"][0] for s in samples], ["18.6", None])
        self.ok(*args, "--resume")
        samples[0]["heads"]["value"] = ["18.6"]
        self.write("s.jsonl", "".join(json.dumps(s) + "\n" for s in samples))
        self.refuse("other heads", *args, "--resume")


if __name__ == "__main__":
    unittest.main()
