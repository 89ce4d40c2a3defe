"""zoomr run: its output in every form."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from program import SMOL, ZOOMR, Case, zoomr  # noqa: E402

STORY = ("-p", "Write a story about a fox and a lamp.", "--temp", "0", "--budget", "+96", "--window", "32")

RECORD = {
    "text": str, "n_prompt": int, "n_generated": int, "n_summary": int, "finish_reason": str, "budget": int,
    "n_ctx": int, "peak_resident_tokens": int, "mean_resident_tokens": float, "peak_kv_bytes": int,
    "stored_tokens": int, "stored_bytes": int, "index_bytes": int, "zoom_ins": int, "zoom_outs": int, "second_looks": int,
    "missed_mass": float, "missed_mass_p95": float, "missed_lines": list, "bytes_moved": int, "tokens_per_second": float, "tokens_per_second_last_quarter": float,
    "prompt_tokens_per_second": float, "agreeability": float, "votes": int, "move_ms": float, "seed": int,
    "text_hash": str,
}


def on_terminal(args, interrupt_at=None):
    """Runs on a pseudo terminal of 80 x 24; all that it wrote, and its exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(ZOOMR, [ZOOMR, *args])
    written = b""
    began = time.time()
    while time.time() - began < 120:
        ready, _, _ = select.select([fd], [], [], 0.2)
        if not ready:
            continue
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
        if interrupt_at and interrupt_at in written:
            os.write(fd, b"\x03")
            interrupt_at = None
    _, status = os.waitpid(pid, 0)
    return written.decode(errors="replace"), os.waitstatus_to_exitcode(status)


class Json(Case):
    def test_has_every_key_with_its_type(self):
        record = self.run_json(*STORY, "-n", "200")
        for key, kind in RECORD.items():
            self.assertIsInstance(record[key], (int, float) if kind is float else kind, key)
        self.assertEqual(set(record), set(RECORD))

    def test_says_what_it_missed(self):
        record = self.run_json(*STORY, "-n", "200")
        self.assertGreater(record["missed_mass"], 0)
        self.assertLess(record["missed_mass"], record["missed_mass_p95"])
        self.assertLessEqual(record["missed_mass_p95"], 1)
        self.assertTrue(1 <= len(record["missed_lines"]) <= 5)
        masses = [line["mass"] for line in record["missed_lines"]]
        self.assertEqual(masses, sorted(masses, reverse=True))
        self.assertGreater(record["index_bytes"], 0)
        self.assertEqual(self.run_json("-p", "Hi", "-n", "4", "--policy", "full")["missed_mass"], -1)

    def test_keeps_the_budget_and_moves_lines(self):
        record = self.run_json(*STORY, "-n", "200")
        self.assertEqual(record["budget"], record["n_prompt"] + 96)
        self.assertLessEqual(record["peak_resident_tokens"], record["budget"])
        self.assertEqual(record["n_ctx"], 256)
        self.assertGreater(record["zoom_outs"], 0)
        self.assertGreater(record["stored_bytes"], 0)
        self.assertEqual(record["n_generated"], 200)
        self.assertEqual(record["finish_reason"], "length")

    def test_same_seed_same_text(self):
        args = ("-p", "Name a colour.", "-n", "40", "--temp", "1", "-s", "7")
        self.assertEqual(self.run_json(*args)["text_hash"], self.run_json(*args)["text_hash"])

    def test_a_random_seed_is_told_and_repeats(self):
        first = self.run_json("-p", "Name a colour.", "-n", "30", "--temp", "1")
        again = self.run_json("-p", "Name a colour.", "-n", "30", "--temp", "1", "-s", first["seed"])
        self.assertEqual(first["text"], again["text"])

    def test_full_ignores_the_budget(self):
        record = self.run_json("-p", "Say hello.", "-n", "300", "--policy", "full", "--budget", "70", "--ignore-eos")
        self.assertEqual(record["budget"], 0)
        self.assertEqual(record["n_ctx"], 512)

    def test_injected_summaries_are_hidden_and_counted(self):
        record = self.run_json(*STORY, "-n", "200", "--summaries", "injected", "--no-loop-guard")
        self.assertNotIn("<|begin_of_summary|>", record["text"])
        self.assertGreater(record["n_summary"], 0)

    def test_a_lora_changes_the_text(self):
        sys.path.insert(0, os.path.join(os.environ["ZOOMR_ROOT"], "tests", "models"))
        import tiny
        lora = tiny.adapter(self.path("lora.gguf"), scale=0.5)
        plain = self.run_json(*STORY, "-n", "120")
        changed = self.run_json(*STORY, "-n", "120", "--lora", lora)
        off = self.run_json(*STORY, "-n", "120", "--lora-scaled", lora + ":0")
        self.assertNotEqual(plain["text_hash"], changed["text_hash"])
        self.assertEqual(plain["text_hash"], off["text_hash"])
        self.assertGreater(changed["zoom_outs"], 0)

    def test_retrieval_keeps_its_budget_and_loses_nothing(self):
        record = self.run_json("-p", "Count from one to sixty, one number a line.", "-n", "220", "--temp", "0", "--ignore-eos",
                               "--select", "retrieval", "--budget", "+96")
        self.assertLessEqual(record["peak_resident_tokens"], record["budget"])
        self.assertGreater(record["zoom_outs"], 0)
        self.assertGreater(record["stored_tokens"], 0)
        self.assertEqual(record["n_generated"], 220)

    def test_a_schema_is_followed(self):
        schema = '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"],"additionalProperties":false}'
        record = self.run_json("-p", "Give an age.", "-n", "60", "--temp", "0", "--json-schema", schema)
        self.assertIsInstance(json.loads(record["text"])["age"], int)

    def test_llama_cpps_short_flags_work(self):
        record = self.run_json("-p", "Hi", "-n", "5", "-ctk", "q8_0", "-ctv", "q8_0", "-ngl", "0", "-fa", "on", "-tb", "1", "-ub", "64")
        self.assertEqual(record["n_generated"], 5)

    def test_environment_names_work(self):
        record = self.run_json("-p", "Hi", "--ignore-eos", env={"LLAMA_ARG_N_PREDICT": "7", "ZOOMR_BUDGET": "+70"})
        self.assertEqual(record["n_generated"], 7)
        self.assertEqual(record["budget"], record["n_prompt"] + 70)

    def test_the_environment_is_of_the_command_in_use(self):
        env = {"ZOOMR_BUDGET": "lots", "LLAMA_ARG_CTX_SIZE": "many"}
        self.ok("models", env=env)
        self.ok("--help", "inspect")
        self.refused("run", "-m", SMOL, "-p", "Hi", says="not 'lots'", env={"ZOOMR_BUDGET": "lots"})


class Output(Case):
    def test_piped_is_plain_text(self):
        done = self.ok("run", "-m", SMOL, *STORY, "-n", "60")
        self.assertNotIn(b"\x1b", done.stdout)
        self.assertGreater(len(done.stdout), 100)
        self.assertRegex(done.stderr.decode(), r"\[ prompt \d+ tokens, [\d.]+ t/s \| generation 60 tokens")

    def test_prompts_come_from_anywhere(self):
        args = ("-n", "12", "--temp", "0")
        text = "What is the sea?"
        by_flag = self.run_json("-p", text, *args)
        self.assertEqual(by_flag["text"], self.run_json(*args, stdin=text)["text"])
        self.assertEqual(by_flag["text"], self.run_json("-f", self.write("p.txt", text), *args)["text"])

    def test_a_system_message_is_used(self):
        plain = self.run_json("-p", "Hi", "-n", "1")
        told = self.run_json("-p", "Hi", "-n", "1", "-sys", "You are a lighthouse keeper who answers in one word.")
        self.assertNotEqual(plain["n_prompt"], told["n_prompt"])

    def test_raw_uses_no_template(self):
        self.assertLess(self.run_json("-p", "Hi", "-n", "1", "--raw")["n_prompt"], 4)

    def test_a_terminal_sees_thoughts_fold(self):
        written, code = on_terminal(["run", "-m", SMOL, *STORY, "-n", "150"])
        self.assertEqual(code, 0, written[-300:])
        self.assertIn("\x1b[2m", written)  # thoughts are dim
        self.assertRegex(written, r"resident \d+/\d+ \u00b7 zooms \d+ in, \d+ out")
        self.assertRegex(written, r"\u25b8 \d+ lines? folded")

    def test_the_terminals_last_word_is_the_whole_text(self):
        args = ["run", "-m", SMOL, *STORY, "-n", "120"]
        text = self.run_json(*STORY, "-n", "120")["text"]
        written, _ = on_terminal(args)
        last = written[written.rindex("\x1b[J") + 3:].replace("\r\n", "\n")
        self.assertTrue(last.startswith(text), last[:200])

    def test_control_c_ends_with_the_final_record(self):
        trace = self.path("t.jsonl")
        process = subprocess.Popen([ZOOMR, "run", "-m", SMOL, "-p", "Count.", "--ignore-eos", "--json", "--trace", trace], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not os.path.exists(trace) or '"t":"edit"' not in open(trace).read():
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads(stdout)["finish_reason"], "interrupted")
        self.assertEqual(json.loads(open(trace).read().splitlines()[-1])["t"], "final")
        self.ok("replay", trace)

    def test_control_c_on_a_terminal(self):
        written, code = on_terminal(["run", "-m", SMOL, "-p", "Count.", "--ignore-eos"], interrupt_at=b"resident")
        self.assertEqual(code, 0)
        self.assertIn("interrupted", written)

    def test_threads_beyond_the_cores_are_clamped(self):
        done = self.ok("run", "-m", SMOL, "-p", "Hi", "-n", "2", "-t", "999")
        self.assertEqual(len(re.findall(r"^zoomr: -t 999 is more than", done.stderr.decode(), re.M)), 1)

    def test_the_position_limit_is_one_warning(self):
        done = self.ok("run", "-m", SMOL, "-p", "Hi", "-c", "60", "--ignore-eos")
        self.assertEqual(done.stderr.decode().count("the run ended at 60 positions"), 1)


if __name__ == "__main__":
    unittest.main()
