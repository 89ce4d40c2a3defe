"""zoomr serve as its clients see it: curl, lm-eval and plain sockets do, and how it starts and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))
from server import COLOUR, HERE, PATIENCE, ROOT, SMOL, Server, ServerCase, eventually, events  # noqa: E402
from program import Case  # noqa: E402


class Curl(ServerCase):
    CHAT = json.dumps({"messages": COLOUR, "max_tokens": 6, "temperature": 0})

    def curl(self, path, *args, data=None):
        """Status, headers as text, body."""
        body = ("--data-binary", "@-") if data is not None else ()
        done = subprocess.run(
            ["curl", "-sS", "-i", "--max-time", str(PATIENCE), *args, *body, self.server.url + path],
            input=data and data.encode(), capture_output=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, text = done.stdout.decode().partition("\r\n\r\n")
        while " 100 " in head.split("\r\n")[0]:
            head, _, text = text.partition("\r\n\r\n")
        return int(head.split()[1]), head, text

    def ok(self, path, *args, data=None):
        status, _, text = self.curl(path, *args, data=data)
        self.assertEqual(status, 200, text)
        return text

    def test_chat(self):
        reply = json.loads(self.ok("/v1/chat/completions", data=self.CHAT))
        self.assertEqual(reply["usage"]["completion_tokens"], 6)

    def test_stream(self):
        body = json.dumps({**json.loads(self.CHAT), "stream": True})
        status, head, text = self.curl("/v1/chat/completions", "-N", data=body)
        self.assertEqual(status, 200)
        self.assertIn("content-type: text/event-stream", head.lower())
        blocks = text.split("\n\n")
        self.assertTrue(all(block.startswith("data: ") for block in blocks[:-1]), blocks)
        self.assertEqual(blocks[-2:], ["data: [DONE]", ""])

    def test_native_completion(self):
        body = {"prompt": "The sea is", "n_predict": 5, "temperature": 0, "n_probs": 2, "return_tokens": True}
        reply = json.loads(self.ok("/completion", data=json.dumps(body)))
        self.assertEqual((reply["stop"], reply["stop_type"], len(reply["tokens"])), (True, "limit", 5))
        self.assertEqual(len(reply["completion_probabilities"][0]["top_logprobs"]), 2)
        streamed = self.ok("/completion", "-N", data=json.dumps({**body, "stream": True}))
        parts = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: ")]
        self.assertEqual("".join(part["content"] for part in parts), reply["content"])
        self.assertEqual([part["stop"] for part in parts[-2:]], [False, True])

    def test_state(self):
        self.assertEqual(json.loads(self.ok("/health")), {"status": "ok"})
        self.assertEqual(json.loads(self.ok("/props"))["total_slots"], 4)
        self.assertEqual([slot["id"] for slot in json.loads(self.ok("/slots"))], [0, 1, 2, 3])
        self.assertEqual(len(json.loads(self.ok("/v1/models"))["data"]), 1)
        metrics = self.ok("/metrics")
        self.assertRegex(metrics, r"(?m)^zoomr_kv_cells 2048(\.0)?$")
        self.assertRegex(metrics, r"(?m)^# TYPE zoomr_requests_total counter$")
        self.assertIn("<html", self.ok("/"))

    def test_texts(self):
        tokens = json.loads(self.ok("/tokenize", data='{"content": "The sea is wide."}'))["tokens"]
        back = json.loads(self.ok("/detokenize", data=json.dumps({"tokens": tokens})))
        self.assertEqual(back["content"], "The sea is wide.")
        prompt = json.loads(self.ok("/apply-template", data=self.CHAT))["prompt"]
        self.assertIn("<|im_start|>user\nName a colour.<|im_end|>\n<|im_start|>assistant\n", prompt)

    def test_events_of_a_reply(self):
        listener = self.server.connect()
        listener.request("GET", "/v1/zoomr/events")
        records = events(listener.getresponse())
        self.server.chat("Say a word.", max_tokens=4)
        seen = []
        for record in records:
            seen.append(record["t"])
            self.assertIsInstance(record["session"], int)
            self.assertIsInstance(record["n"], int)
            if record["t"] == "final":
                break
        self.assertIn("decode", seen)
        listener.close()

    def test_errors(self):
        for status, path, data in (
            (404, "/v1/nothing", None),
            (404, "/v1/chat/completions", None),  # GET
            (501, "/v1/embeddings", '{"input": "a text"}'),
            (400, "/v1/chat/completions", "no JSON"),
            (400, "/v1/chat/completions", '{"messages": 1}'),
            (400, "/v1/chat/completions", ""),
            (413, "/v1/chat/completions", " " * (9 << 20)),
        ):
            with self.subTest(status=status, path=path):
                answer, _, text = self.curl(path, data=data)
                self.assertEqual(answer, status)
                self.assertEqual(json.loads(text)["error"]["code"], status)

    def test_bodies_in_every_form(self):
        for header in ("Expect: 100-continue", "Transfer-Encoding: chunked"):
            reply = json.loads(self.ok("/v1/chat/completions", "-H", header, data=self.CHAT))
            self.assertEqual(reply["usage"]["completion_tokens"], 6, header)

    def test_a_connection_is_kept(self):
        urls = [self.server.url + "/health"] * 3
        done = subprocess.run(
            ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{num_connects} ", *urls],
            capture_output=True, text=True,
        )
        self.assertEqual(done.stdout.split(), ["1", "0", "0"])

    def test_a_connection_is_kept_behind_replies_and_streams(self):
        connection = self.server.connect()
        stream = json.dumps({**json.loads(self.CHAT), "stream": True})
        for body in (self.CHAT, stream, self.CHAT):
            connection.request("POST", "/v1/chat/completions", body)
            response = connection.getresponse()
            response.read()
            self.assertEqual(response.status, 200)
            self.assertIsNotNone(connection.sock, body)
        connection.close()


class LmEval(ServerCase):
    def test_a_task_of_ours(self):
        if not (ROOT / "out-python" / "lm_eval").is_dir():
            self.skipTest("lm-eval is not here (script/bootstrap --test)")
        task = HERE / "lm_eval_task"
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                **os.environ, "PYTHONPATH": str(ROOT / "out-python"), "HF_HOME": folder,
                "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": "none",
            }
            model = f"model=any,base_url={self.server.url}/v1/chat/completions,num_concurrent=4,max_retries=1"
            done = subprocess.run(
                [sys.executable, "-m", "lm_eval", "run", "--model", "local-chat-completions", "--model_args", model,
                 "--tasks", "zoomr_capitals", "--include_path", task, "--apply_chat_template",
                 "--output_path", folder, "--log_samples"],
                env=environment, cwd=task, capture_output=True, text=True,
            )
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            result = json.loads(next(Path(folder).rglob("results_*.json")).read_text())
            samples = next(Path(folder).rglob("samples_*.jsonl")).read_text().splitlines()
        n_documents = len((task / "capitals.jsonl").read_text().splitlines())
        self.assertEqual(len(samples), n_documents)
        self.assertEqual(result["n-samples"]["zoomr_capitals"], {"original": n_documents, "effective": n_documents})
        self.assertGreaterEqual(result["results"]["zoomr_capitals"]["exact_match,named"], 0.5)
        self.assertEqual(self.server.metrics()["zoomr_requests_total"], n_documents)


class Ending(unittest.TestCase):
    """What SIGTERM does. Each test ends a server of its own."""

    def serve(self, *args, **options):
        self.server = Server("-np", 2, "--budget", 512, *args, **options)
        self.addCleanup(self.server.end)

    def stream(self, n, **fields):
        """A reply of so many tokens, which has begun."""
        connection = self.server.connect()
        body = {"messages": COLOUR, "stream": True, "max_tokens": n, "ignore_eos": True, **fields}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        parts = events(response)
        next(parts)
        return connection, parts

    def draining(self):
        """503 for who asks now."""
        eventually(lambda: self.server.get("/health")[0] == 503, "draining")
        status, body = self.server.post("/v1/chat/completions", {"messages": COLOUR})
        self.assertEqual((status, body["error"]["type"]), (503, "unavailable_error"))

    def test_a_running_reply_is_finished(self):
        self.serve()
        idle = self.server.connect()  # is kept open: holds up nothing
        idle.request("GET", "/health")
        idle.getresponse().read()
        connection, parts = self.stream(80)
        self.server.signal()
        self.draining()
        last = list(parts)[-1]
        self.assertEqual(last["choices"][0]["finish_reason"], "length")
        self.assertEqual(last["zoomr"]["finish_reason"], "length")
        self.assertEqual(last["timings"]["predicted_n"], 80)
        self.assertEqual(self.server.wait(4), 0)
        connection.close()
        idle.close()

    def test_what_takes_longer_than_the_drain_timeout_ends_as_interrupted(self):
        self.serve("--drain-timeout", 1)
        connection, parts = self.stream(8000)
        self.server.signal()
        last = list(parts)[-1]
        self.assertEqual(last["choices"][0]["finish_reason"], "length")
        self.assertEqual(last["zoomr"]["finish_reason"], "interrupted")
        self.assertLess(last["timings"]["predicted_n"], 1000)
        self.assertEqual(self.server.wait(4), 0)
        connection.close()

    def test_a_second_signal_ends_at_once(self):
        self.serve()
        connection, _ = self.stream(8000)
        self.server.signal()
        self.draining()
        self.server.signal()
        self.assertEqual(self.server.wait(4), -signal.SIGTERM)
        connection.close()

    def test_a_client_that_never_reads_holds_up_nothing(self):
        self.serve("--drain-timeout", 0)
        # A reply tells its grammar: more than the sockets hold.
        grammar = 'root ::= "yes" #' + "x" * (6 << 20) + "\n"
        body = json.dumps({"prompt": "Is it?", "n_predict": 4, "grammar": grammar})
        deaf = self.server.connect()
        deaf.request("POST", "/completion", body)
        eventually(lambda: self.server.metrics()["zoomr_requests_total"] and not self.server.busy(), "answered")
        self.server.signal()
        self.assertEqual(self.server.wait(10), 0)
        deaf.close()

    def test_who_listens_to_events_holds_up_nothing(self):
        self.serve(proof=True)
        listener = self.server.connect()
        listener.request("GET", "/v1/zoomr/events")
        response = listener.getresponse()
        self.server.signal()
        self.assertEqual(list(events(response)), [])
        self.assertEqual(self.server.wait(4), 0)
        listener.close()


class Start(Case):
    def test_a_model_that_is_not_there(self):
        self.refused("serve", "-m", "/no/such/model.gguf", "--port", 0, says="/no/such/model.gguf")

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refused("serve", "-m", SMOL, "--port", port, code=1, says=f"cannot listen on 127.0.0.1:{port}")

    def test_flags_that_cannot_be(self):
        self.refused("serve", "-m", SMOL, "--port", 0, "--budget", "+64", says="--budget")


if __name__ == "__main__":
    unittest.main()
