"""inspect, models, bench, replay, --version, --help."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from program import SMOL, Case, zoomr  # noqa: E402


class Inspect(Case):
    def test_text(self):
        out = self.ok("inspect", SMOL, "--memory", "1G").stdout.decode()
        for part in ("llama", "8192 tokens", "23040", "12240", "yes", "budget"):
            self.assertIn(part, out)

    def test_json(self):
        info = json.loads(self.ok("inspect", SMOL, "--memory", "1G", "--json").stdout)
        self.assertEqual(info["kv_bytes_per_token"]["f16"], 23040)
        self.assertEqual(info["layers"], 30)
        self.assertTrue(info["supported"])
        free = (1 << 30) - info["weights_bytes"]
        self.assertLess(info["budget"]["f16"] * 23040, free)
        self.assertGreater(info["budget"]["q4_0"], info["budget"]["f16"])

    def test_says_why_a_model_is_not_supported(self):
        sys.path.insert(0, os.path.join(os.environ["ZOOMR_ROOT"], "tests", "models"))
        import tiny
        out = self.ok("inspect", tiny.model(self.path("m.gguf"), "mamba")).stdout.decode()
        self.assertIn("no: mamba is recurrent", out)


class Models(Case):
    def test_lists_what_is_here(self):
        out = self.ok("models").stdout.decode()
        self.assertRegex(out, SMOL + r" +93|94 MiB +here")
        self.assertIn("qwen2.5-coder-1.5b", out)

    def test_json_agrees_with_the_script(self):
        names = [m["name"] for m in json.loads(self.ok("models", "--json").stdout)]
        with open(os.path.join(os.environ["ZOOMR_ROOT"], "script/models.tsv")) as table:
            self.assertEqual(names, [row.split("\t")[0] for row in table if not row.startswith("#")])


class Bench(Case):
    ARGS = ("bench", "-m", SMOL, "--policy", "full,zoomr", "--budget", "256", "-d", "400", "-n", "16", "-r", "1")

    def test_markdown(self):
        out = self.ok(*self.ARGS).stdout.decode().splitlines()
        self.assertEqual(len(out), 4)
        self.assertIn("| t/s |", out[0])
        self.assertIn("tg16 @ d400", out[2])

    def test_json_rows(self):
        full, bounded = json.loads(self.ok(*self.ARGS, "-o", "json").stdout)
        self.assertEqual(full["policy"], "full")
        self.assertEqual(full["peak_resident"], 416)
        self.assertLessEqual(bounded["peak_resident"], 256)
        self.assertEqual(bounded["n_ctx"], 256)
        self.assertGreater(bounded["zooms_out"], 0)
        self.assertGreater(float(bounded["t/s"]), 0)

    def test_csv_and_prompts(self):
        out = self.ok("bench", "-m", SMOL, "--policy", "full", "-p", "64", "-n", "4", "-r", "1", "-o", "csv").stdout.decode().splitlines()
        self.assertEqual(len(out), 3)
        self.assertIn('"pp64"', out[1])
        self.assertIn('"tg4"', out[2])


class Replay(Case):
    def setUp(self):
        super().setUp()
        self.trace = self.path("t.jsonl")
        self.record = self.run_json("-p", "Write a story about a fox.", "-n", "160", "--temp", "0", "--budget", "+96", "--window", "32", "--trace", self.trace)

    def test_ends_where_the_run_did(self):
        state = json.loads(self.ok("replay", self.trace, "--json").stdout)
        self.assertTrue(state["ok"])
        size = lambda spans: sum(end - begin for begin, end in spans)  # noqa: E731
        self.assertEqual(size(state["stored"]), self.record["stored_tokens"])
        self.assertEqual(state["peak_resident_tokens"], self.record["peak_resident_tokens"])
        self.assertEqual(state["dropped"], [])

    def test_shows_one_moment(self):
        early = json.loads(self.ok("replay", self.trace, "--at", "60", "--json").stdout)
        self.assertEqual(early["decoded"], 61)
        self.assertEqual(early["stored"], [])

    def test_draws_the_tree(self):
        out = self.ok("replay", self.trace, "--lines").stdout.decode()
        self.assertIn("thought 1", out)
        self.assertIn("folded", out)
        ascii_only = self.ok("replay", self.trace, "--ascii").stdout.decode()
        self.assertRegex(ascii_only, r"[#.]{10}")

    def test_a_trace_that_was_cut_off(self):
        with open(self.trace, "rb") as file:
            whole = file.read()
        done = zoomr("replay", self.write("cut.jsonl", whole[: len(whole) // 2 - 7]))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cut off", done.stderr.decode())
        self.assertIn("tokens:", done.stdout.decode())

    def test_a_trace_that_lies(self):
        with open(self.trace) as file:
            lines = file.readlines()
        out = next(i for i, line in enumerate(lines) if '"op":"out"' in line)
        del lines[out]
        done = zoomr("replay", self.write("lie.jsonl", "".join(lines)))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), r"line \d+: ")

    def test_the_model_says_it_again(self):
        said = json.loads(self.ok("replay", self.trace, "-m", SMOL, "--json").stdout)
        self.assertTrue(said["ok"])
        self.assertEqual(said["judged"], self.record["n_generated"])
        self.assertLessEqual(said["largest_gap"], 2 * said["noise"])
        self.assertIn("tokens judged", self.ok("replay", self.trace, "-m", SMOL).stdout.decode())

    def test_the_model_does_not_say_another_token(self):
        with open(self.trace) as file:
            events = [json.loads(line) for line in file]
        token = next(e for e in events if e["t"] == "token" and e["pos"] == 80)
        token["id"] = 788 if token["id"] != 788 else 339
        lie = self.write("lie.jsonl", "".join(json.dumps(e) + "\n" for e in events))
        self.ok("replay", lie)
        done = zoomr("replay", lie, "-m", SMOL)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), r"^zoomr: .*: the model does not say this: token \d+ lies [\d.]+ below .*\n$")

    def test_another_model_is_refused(self):
        done = zoomr("replay", self.trace, "-m", "gemma-3-270m")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr.decode(), r"^zoomr: .* is the trace of another model: llama .*, not gemma3.*\n$")

    def test_with_a_model_there_is_no_moment_to_show(self):
        self.assertEqual(zoomr("replay", self.trace, "-m", SMOL, "--at", "60").returncode, 2)

    def test_every_event_fits_the_schema(self):
        with open(os.path.join(os.environ["ZOOMR_ROOT"], "docs/trace.schema.json")) as file:
            kinds = {k["properties"]["t"]["const"]: k for k in json.load(file)["oneOf"]}
        seen = set()
        votes = self.write("votes.jsonl", "")
        self.ok("run", "-m", SMOL, "-p", "Write a story about a fox.", "-n", "150", "--budget", "+96", "--select", "paper", "--trace", votes)
        for trace in (self.trace, votes):
            with open(trace) as file:
                for line in file:
                    event = json.loads(line)
                    kind = kinds[event["t"]]
                    seen.add(event["t"])
                    self.assertLessEqual(set(kind["required"]), set(event))
                    self.assertLessEqual(set(event), set(kind["properties"]))
        self.assertLessEqual({"run", "token", "line", "segment", "decode", "edit", "vote", "final"}, seen)


class Help(Case):
    def test_version_names_both(self):
        self.assertRegex(self.ok("--version").stdout.decode(), r"^zoomr \d+\.\d+\.\d+ \(llama\.cpp .+\)\n$")

    def test_help_of_every_command(self):
        self.assertIn("replay", self.ok("--help").stdout.decode())
        commands = re.findall(r"^  ([a-z]+)  ", self.ok("--help").stdout.decode(), re.M)
        self.assertLessEqual({"run", "serve", "eval", "bench", "heads", "inspect", "models", "replay"}, set(commands))
        for command in commands:
            text = self.ok(command, "--help").stdout.decode()
            self.assertIn("--help", text)
            self.assertIn(f"zoomr {command} ", text)

    def test_the_heads_flags_are_wherever_policies_are(self):
        for command in ("run", "eval", "bench"):
            text = self.ok(command, "--help").stdout.decode()
            self.assertIn("--heads", text)
            self.assertIn("--name-heads", text)

    def test_every_policy_is_in_the_help_and_the_readme(self):
        text = self.ok("run", "--help").stdout.decode()
        with open(os.path.join(os.environ["ZOOMR_ROOT"], "README.md")) as file:
            readme = file.read()
        for policy in re.findall(r"^ +([a-z0-9-]+): ", text, re.M):
            self.assertIn(f"`{policy}`", readme)


if __name__ == "__main__":
    unittest.main()
