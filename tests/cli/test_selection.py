"""check, tune, heads: what --select retrieval is chosen by."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from program import SMOL, Case, zoomr  # noqa: E402


class Check(Case):
    def test_says_how_small_the_memory_may_be(self):
        with tempfile.TemporaryDirectory() as cache:
            env = {"XDG_CACHE_HOME": cache}
            found = json.loads(self.ok("check", SMOL, "--budget", "256,96", "--json", env=env).stdout)
        self.assertTrue(found["exact"])
        self.assertEqual([b["budget"] for b in found["budgets"]], [256, 96])
        large, small = found["budgets"]
        self.assertGreater(found["recalled"], found["facts"] // 2)
        self.assertGreaterEqual(large["recalled"], found["recalled"] - 4)
        self.assertLess(large["kl_mean"], small["kl_mean"])
        self.assertLess(large["missed_mass"], small["missed_mass"])
        # The meter is true: full KV gives to what was hidden about what the bounded run says, to a quarter of it.
        for b in found["budgets"]:
            self.assertGreater(b["meter_correlation"], 0.9)
            self.assertLess(b["meter_difference"], b["missed_mass"] / 4)
            self.assertLess(abs(b["missed_mass"] - b["missed_mass_full"]), b["missed_mass"] / 4)
        self.assertRegex(found["verdict"], "At budget (256|96) this model recalls as with full KV")

    def test_bad_input(self):
        self.fails(2, "number of tokens", "check", SMOL, "--budget", "0")
        self.fails(2, "--summaries", "check", SMOL, "--summaries", "injected")
        self.fails(2, "too small", "check", SMOL, "--budget", "40")


class Tune(Case):
    """One recording of the probe's heads, replayed without the model; both are kept in the class's own cache."""

    @classmethod
    def setUpClass(cls):
        cls._cache = tempfile.TemporaryDirectory()
        cls.cache = cls._cache.name
        cls.env = {"XDG_CACHE_HOME": cls.cache}
        problem = os.path.join(cls.cache, "one.jsonl")
        with open(problem, "w", encoding="utf-8") as file:
            file.write(json.dumps({"prompt": "Count from 1 to 90, in words.", "answer": "90"}) + "\n")
        cls.record = os.path.join(cls.cache, "rec")
        found = json.loads(zoomr("heads", SMOL, "--json", env=cls.env).stdout)
        heads = ",".join(sorted({head for kind in ("value", "name", "order") for head in found[kind + "_heads"]}))
        done = zoomr("eval", "-m", SMOL, "--task", problem, "-n", "200", "--record", cls.record, "--record-heads", heads)
        assert done.returncode == 0, done.stderr.decode()

    @classmethod
    def tearDownClass(cls):
        cls._cache.cleanup()

    def other_recording(self, **changes):
        folder = self.path("other")
        shutil.copytree(self.record, folder)
        with open(os.path.join(folder, "meta.json")) as file:
            meta = json.load(file)
        for name, value in changes.items():
            if value is None:
                del meta[name]
            else:
                meta[name] = value
        with open(os.path.join(folder, "meta.json"), "w") as file:
            json.dump(meta, file)
        return folder

    ONE = ("--budget", "+72", "--window", "8", "--zoom-in", "0.05", "--second-look", "0.05", "--fade", "0.8")

    def test_a_table_of_settings(self):
        out = self.ok(
            "tune", self.record, "--heads", "18.6,18.7", "--name-heads", "17.4", "--budget", "+72", "--window", "8,32",
            "--zoom-in", "0.05", "--zoom-in-name", "1", "--second-look", "0.05,2", "--second-look-name", "0.2,2", "--fade", "0.9",
            "--select-config", "none",
        ).stdout.decode()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()[2:]]
        self.assertEqual(len(rows), 8)
        self.assertEqual([row[1] for row in rows], ["8"] * 4 + ["32"] * 4)
        self.assertTrue(all(float(row[14]) == 0 for row in rows if row[5:7] == ["2.000", "2.000"]))
        self.assertTrue(all(float(row[14]) > 0 for row in rows if row[5] == "0.050"))
        self.assertTrue(all(0 <= float(row[11]) <= 1 for row in rows))

    def test_the_best_misses_least_over_budgets_and_recordings(self):
        kept = self.path("mine.json")
        done = self.ok("tune", self.record, self.record, "--heads", "18.6", "--budget", "+72,+96", "--window", "8", "--zoom-in",
                       "0.05,0.9", "--second-look", "0.05", "--fade", "0.8", "--json", "--select-config", kept, env=self.env)
        rows = json.loads(done.stdout)
        self.assertTrue(all(0 <= row["missed_mass"] <= 1 for row in rows))
        of = {z: sum(row["missed_mass"] for row in rows if abs(row["zoom-in"] - z) < 1e-3) / 2 for z in (0.05, 0.9)}
        best = [row for row in rows if row["best"]]
        self.assertEqual([row["budget"] for row in best], ["+72", "+96"])
        self.assertLess(of[0.05], of[0.9] + 0.002)
        self.assertTrue(all(abs(row["zoom-in"] - 0.05) < 1e-3 for row in best))
        with open(kept) as file:
            found = json.load(file)
        self.assertAlmostEqual(found["missed_mass"], of[0.05], places=6)
        self.assertEqual(found["value_heads"], ["18.6"])
        self.assertIn(kept, done.stderr.decode())

    RUN = ("-p", "Count from one to sixty, one number a line.", "-n", "100", "--temp", "0", "--ignore-eos", "--budget", "+72")

    def test_the_best_is_kept_and_used_from_then_on(self):
        self.refused("tune", self.record, says="run zoomr heads MODEL first", env={"XDG_CACHE_HOME": self.path("empty")})
        self.ok("heads", SMOL, env=self.env)
        typed = ("--window", "4", "--zoom-in", "0.6", "--second-look", "2", "--second-look-name", "0.9", "--fade", "0.5", "--zoom-max", "1")
        before, _ = self.in_force()
        done = self.ok("tune", self.record, *self.ONE[:2], *typed, "--zoom-in-name", "0.3", env=self.env)
        self.assertIn("used from now on", done.stderr.decode())
        (kept,) = glob.glob(os.path.join(self.cache, "zoomr", "heads", "*.select.json"))
        says = "zoomr: selection as zoomr tune found it: " + kept
        tuned, told = self.in_force()
        self.assertEqual(told.count(says), 1)
        self.assertEqual((tuned["window"], tuned["zoom-max"], tuned["select-config"]), (4, 1, kept))
        # Not where the user says otherwise, in any way, nor with other heads; nor when it is damaged.
        for args, settings in (
            (("--select-config", "none"), before),
            (("--window", "31"), {**before, "window": 31}),
            (("--select-config", kept), tuned),
            (("--heads", "18.6"), before),
        ):
            found, told = self.in_force(*args)
            self.assertEqual(says in told, settings is tuned, args)
            for name in ("window", "zoom-in", "zoom-in-name", "zoom-max", "second-look", "second-look-name", "fade"):
                self.assertEqual(found[name], settings[name], (args, name))
        with open(kept, "w") as file:
            file.write("{")
        found, _ = self.in_force()
        self.assertEqual(found["window"], before["window"])

    def in_force(self, *args):
        """The settings that a run's trace says it has, and what it says on stderr."""
        trace = self.path("t.jsonl")
        done = self.ok("run", "-m", SMOL, "--json", *self.RUN, "--trace", trace, *args, env=self.env)
        with open(trace) as file:
            return json.loads(file.readline())["options"], done.stderr.decode()

    def test_an_older_recording_says_that_nothing_is_kept(self):
        old = self.other_recording(probe_key=None, model_file=None)
        done = self.ok("tune", old, "--heads", "18.6", *self.ONE, env=self.env)
        self.assertIn("nothing is kept", done.stderr.decode())
        self.refused("tune", old, says="run zoomr heads MODEL first", env=self.env)

    def test_bad_input(self):
        heads = ("--heads", "18.6")
        for args, says in (
            (("tune", "/nowhere"), "holds no record"),
            (("tune", self.record, *heads, "--budget", "many"), "--budget is a number"),
            (("tune", self.record, "--heads", "18"), "LAYER.HEAD"),
            (("tune", self.record, "--heads", "1.1"), "not recorded"),
            (("tune", self.record, *heads, "--zoom-in", "7"), "shares between 0 and 1"),
            (("tune", self.record, *heads, "--budget", "+8"), "too small"),
            (("tune", self.record, self.other_recording(probe_key="of another file"), *heads), "of another model or KV type"),
            (("run", "-m", SMOL, "-p", "Hi", "--select-config", "/nowhere"), "cannot read /nowhere"),
            (("run", "-m", SMOL, "-p", "Hi", "--select-config", self.write("bad.json", "{}")), "not a file of zoomr tune"),
        ):
            with self.subTest(args=args):
                self.refused(*args, says=says, env=self.env)
        kept = self.path("kept.json")
        self.ok("tune", self.record, *heads, *self.ONE, "--select-config", kept)
        self.refused("run", "-m", SMOL, "-p", "Hi", "--select-config", kept, "--fade", "0.8", says="have no place beside it")
        self.refused("bench", "-m", SMOL, "--policy", f"zoomr:select-config={kept}:zoom-in=0.1", says="have no place beside it")
        done = zoomr("tune", self.record, *heads, *self.ONE, "--select-config", os.path.join(kept, "x.json"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write", done.stderr.decode())


class Heads(Case):
    """The probe runs once a class; what it found is kept in the class's own cache."""

    @classmethod
    def setUpClass(cls):
        cls._cache = tempfile.TemporaryDirectory()
        cls.env = {"XDG_CACHE_HOME": cls._cache.name}
        cls.first = zoomr("heads", SMOL, "--json", env=cls.env)

    @classmethod
    def tearDownClass(cls):
        cls._cache.cleanup()

    def kept(self):
        folder = os.path.join(self._cache.name, "zoomr", "heads")
        return [os.path.join(folder, name) for name in os.listdir(folder)]

    def test_finds_the_heads_of_smollm2(self):
        self.assertEqual(self.first.returncode, 0, self.first.stderr.decode())
        self.assertIn("zoomr: looking for the heads", self.first.stderr.decode())
        found = json.loads(self.first.stdout)
        self.assertEqual(len(found["heads"]), 270)
        self.assertEqual(set(found["value_heads"][:2]), {"18.6", "18.7"})
        self.assertTrue(found["name_heads"])
        self.assertLessEqual(len(found["name_heads"]), 6)
        self.assertEqual(found["order_heads"][0], "21.2")
        self.assertLessEqual(len(found["order_heads"]), 2)
        for head in found["heads"]:
            self.assertEqual(set(head), {"layer", "head", "key_head", "value", "name", "order", "windowed"})
            self.assertEqual(head["key_head"], head["head"] // 3)
            self.assertFalse(head["windowed"])

    def test_text_has_tables_and_a_picture(self):
        out = self.ok("heads", "-m", SMOL, "--ascii", env=self.env).stdout.decode()
        self.assertIn("kept in", out)
        self.assertRegex(out, r" 1 +18\.[67] +2 +0\.\d\d +0\.\d\d +0\.\d\d +yes\n")
        rows = re.findall(r"^ +(\d+)  ([.1-8]{9}) +([.1-8]{9}) +([.1-8]{9})$", out, re.M)
        self.assertEqual([int(row[0]) for row in rows], list(range(30)))
        self.assertNotEqual(rows[18][1][6], ".")
        self.assertNotEqual(rows[21][3][2], ".")

    def test_a_kept_probe_is_read_and_a_damaged_one_made_again(self):
        again = self.ok("heads", SMOL, "--json", env=self.env)
        self.assertEqual(again.stderr, b"")
        self.assertEqual(again.stdout, self.first.stdout)
        (path,) = self.kept()
        with open(path, "wb") as file:
            file.write(self.first.stdout[:1000])
        repaired = self.ok("heads", SMOL, "--json", env=self.env)
        self.assertIn("looking for the heads", repaired.stderr.decode())
        self.assertEqual(json.loads(repaired.stdout)["heads"], json.loads(self.first.stdout)["heads"])
        with open(path, "rb") as file:
            self.assertEqual(file.read(), repaired.stdout)
        self.assertEqual(self.kept(), [path])

    def test_refresh_probes_again(self):
        self.assertIn("looking for the heads", self.ok("heads", SMOL, "--refresh", env=self.env).stderr.decode())

    def make_tiny(self, *names):
        script = os.path.join(os.environ["ZOOMR_ROOT"], "tests", "models", "make_tiny.py")
        subprocess.run([sys.executable, script, self.folder, *names], check=True)
        return [self.path(name + ".gguf") for name in names]

    def test_what_the_scores_depend_on_is_another_probe(self):
        model, lora = self.make_tiny("llama", "lora")
        env = {"XDG_CACHE_HOME": self.path("cache")}
        for more in ((), ("-ctk", "f32"), ("-ctv", "f32"), ("--lora", lora), ("--lora-scaled", lora + ":0.3"),
                     ("--rope-freq-base", "20000"), ("--override-kv", "llama.rope.freq_base=float:5000")):
            self.assertIn("looking for", self.ok("heads", model, *more, env=env).stderr.decode(), more)
            self.assertEqual(self.ok("heads", model, *more, env=env).stderr, b"", more)
        self.assertEqual(len(os.listdir(self.path("cache/zoomr/heads"))), 7)
        os.utime(model, (1, 1))
        self.assertIn("looking for", self.ok("heads", model, env=env).stderr.decode())

    def test_a_model_too_short_for_the_text(self):
        (model,) = self.make_tiny("gpt2")
        done = zoomr("heads", model, env=self.env)
        self.assertEqual(done.returncode, 2)
        self.assertIn("trained length, 256 tokens, has no room", done.stderr.decode())

    def test_a_model_without_such_heads_is_told_so(self):
        """What is kept says that the best head has 0.2, then 0.05."""
        run = ("run", "-m", SMOL, "-p", "Hi", "-n", "4", "--select", "retrieval")
        (path,) = self.kept()
        env = {"XDG_CACHE_HOME": self.path("cache")}
        kept = self.path("cache/zoomr/heads/" + os.path.basename(path))
        os.makedirs(os.path.dirname(kept))
        for best in (0.2, 0.05):
            found = json.loads(self.first.stdout)
            for head in found["heads"]:
                head["value"] *= best
            with open(kept, "w") as file:
                json.dump(found, file)
            if best == 0.2:
                stderr = self.ok(*run, env=env).stderr.decode()
                self.assertEqual(stderr.count("zoomr: no head of this model stands out"), 1, stderr)
            else:
                self.refused(*run, says="no head of this model looks facts up", env=env)
                self.assertIn("none to follow", self.ok("heads", SMOL, env=env).stdout.decode())
                # Left to itself a run goes on without.
                by_itself = self.ok("run", "-m", SMOL, "--json", *self.RUN[:7], "--budget", "+96", env=env)
                self.assertIn("nothing comes back by itself", by_itself.stderr.decode())
                self.assertEqual(json.loads(by_itself.stdout)["zoom_ins"], 0)

    def test_an_unwritable_cache_is_one_note(self):
        done = self.ok("heads", SMOL, "--json", env={"XDG_CACHE_HOME": self.write("file", "x")})
        self.assertEqual(done.stderr.decode().count("could not be kept"), 1)
        self.assertEqual(json.loads(done.stdout)["value_heads"], json.loads(self.first.stdout)["value_heads"])

    RUN = ("-p", "Count from one to sixty, one number a line.", "-n", "120", "--temp", "0", "--ignore-eos", "--select", "retrieval",
           "--budget", "+96")

    def test_a_run_follows_the_probe_a_file_or_the_heads_named(self):
        by_probe = self.run_json(*self.RUN, env=self.env)
        path = self.write("heads.json", self.first.stdout)
        by_file = self.run_json(*self.RUN, "--heads", path, env=self.env)
        found = json.loads(self.first.stdout)
        by_hand = self.run_json(*self.RUN, "--heads", ",".join(found["value_heads"]), "--name-heads",
                                ",".join(found["name_heads"]), "--order-heads", ",".join(found["order_heads"]),
                                env=self.env)
        for record in (by_file, by_hand):
            self.assertEqual(record["text_hash"], by_probe["text_hash"])
            self.assertEqual(record["zoom_ins"], by_probe["zoom_ins"])
        blind = self.run_json(*self.RUN, "--heads", "0.0", env=self.env)
        self.assertNotEqual((blind["zoom_ins"], blind["zoom_outs"]), (by_probe["zoom_ins"], by_probe["zoom_outs"]))

    def test_bad_input_is_one_clear_line(self):
        run = ("run", "-m", SMOL, "-p", "Hi", "--select", "retrieval")
        bad = self.write("bad.json", "{}")
        for args, says in (
            (("heads",), "no model"),
            (("heads", self.path("none.gguf")), "no such file"),
            (("heads", bad), "not a GGUF file"),
            ((*run, "--heads", self.path("none.json")), "cannot read"),
            ((*run, "--heads", bad), "not a file of zoomr heads --json"),
            ((*run, "--heads", "18"), "LAYER.HEAD"),
            ((*run, "--heads", "30.0"), "no head 30.0: it has 30 layers of 9 heads"),
            ((*run, "--heads", "18.9"), "no head 18.9"),
            (("run", "-m", "gemma-3-270m", "-p", "Hi", "--heads", "0.1"), "layer 0 has a sliding window"),
            ((*run, "--heads", "18.6", "--name-heads", "x"), "--name-heads"),
            ((*run, "--heads", "18.6", "--name-heads", "40.1"), "no head 40.1"),
            (("bench", "-m", SMOL, "--policy", "zoomr:select=retrieval:heads=nothing"), "cannot read nothing"),
            (("bench", "-m", SMOL, "--policy", "zoomr:select=retrieval:heads=18.6+50.7", "-n", "4"), "no head 50.7"),
            (("eval", "-m", SMOL, "--heads", "1.2.3"), "LAYER.HEAD"),
        ):
            with self.subTest(args=args):
                self.refused(*args, says=says, env=self.env)


if __name__ == "__main__":
    unittest.main()
