"""zoomr serve as its clients see it: curl, lm-eval and plain sockets do, and how it starts and ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))
from server import COLOUR, HERE, IN_CI, PATIENCE, ROOT, SMOL, Server, ServerCase, eventually, events  # noqa: E402
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

    def test_the_page_takes_nothing_from_elsewhere(self):
        status, head, page = self.curl("/")
        self.assertEqual(status, 200)
        self.assertIn("content-type: text/html", head.lower())
        policy = re.search(r"(?im)^content-security-policy: (.+?)\r?$", head)[1]
        sources = dict(part.split(maxsplit=1) for part in policy.split(";"))
        self.assertEqual(sources.pop("default-src"), "'none'")
        self.assertLessEqual({word for words in sources.values() for word in words.split()}, {"'self'", "'unsafe-inline'", "data:"})
        self.assertEqual(re.findall(r"https?:|//\w.*|\bsrc\s*=|@import|<link\b", page), [])
        self.assertEqual(set(re.findall(r"\bfetch\(.*?,", page)), {"fetch(base + path,"})

    def test_all_that_the_page_shows_is_served(self):
        page = self.ok("/")
        figures = set(re.findall(r"\bm\.(zoomr_\w+)", page))
        self.assertGreater(len(figures), 5)
        self.assertLessEqual(figures, set(self.server.metrics()))
        of_slots = {a or b for a, b in re.findall(r'\bslot\.(\w+)|\bsum\("(\w+)"\)', page)}
        self.assertGreater(len(of_slots), 2)
        self.assertLessEqual(of_slots, set(json.loads(self.ok("/slots"))[0]))

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
            self.assertFalse(IN_CI, "lm-eval could not be fetched (out-python/pip.log)")
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


class EveryFlag(ServerCase):
    """What no other test sets: half of it by flags, half in the environment."""

    ARGS = (
        "--slots", "--metrics", "--props", "--jinja", "-a", "capybara", "--kv-total", 1536,
        "--cors-origins", "https://a.example,localhost",
    )

    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile() as keys:
            keys.write(b"first\r\n\nsecond key\n")
            keys.flush()
            cls.server = Server(*cls.ARGS, env={
                **os.environ, "LLAMA_ARG_N_PARALLEL": "3", "ZOOMR_BUDGET": "768",
                "LLAMA_ARG_API_PREFIX": "/llm/", "LLAMA_ARG_API_KEY_FILE": keys.name,
            })
        cls.server.key = "first"

    def headers(self, method, path, **headers):
        """Status and headers of a reply. The path is as it is sent."""
        connection = self.server.connect()
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        connection.close()
        return response.status, response.headers

    def test_the_memory_is_what_was_said(self):
        props = self.server.get("/props")[1]
        self.assertEqual((props["total_slots"], props["zoomr"]["budget"], props["zoomr"]["kv_total"]), (3, 768, 1536))
        self.assertEqual(len(self.server.get("/slots")[1]), 3)
        self.assertEqual(self.server.metrics()["zoomr_kv_cells"], 1536)

    def test_a_request_may_have_all_of_it_and_no_more(self):
        body = {"messages": COLOUR, "max_tokens": 2}
        for budget, status in ((1536, 200), (1537, 400)):
            answer, reply = self.server.post("/v1/chat/completions", {**body, "zoomr": {"budget": budget}})
            self.assertEqual(answer, status, reply)

    def test_the_alias_is_the_models_name(self):
        self.assertEqual([model["id"] for model in self.server.get("/v1/models")[1]["data"]], ["capybara"])
        self.assertEqual(self.server.get("/props")[1]["model_alias"], "capybara")
        self.assertEqual(self.server.chat(COLOUR, max_tokens=2)["model"], "capybara")

    def test_the_keys_are_the_lines_of_their_file(self):
        for key, status in (("first", 200), ("second key", 200), ("second", 401), ("third", 401), ("", 401)):
            self.assertEqual(self.headers("GET", "/llm/v1/models", X_Api_Key=key)[0], status, key)

    def test_the_prefix_stands_before_every_path(self):
        self.assertTrue(self.server.url.endswith("/llm"), self.server.url)
        for path, status in (("/llm/", 200), ("/llm/health", 200), ("/", 404), ("/health", 404), ("/v1/models", 404)):
            self.assertEqual(self.headers("GET", path, X_Api_Key=self.server.key)[0], status, path)

    def test_pages_of_these_origins_may_ask(self):
        for origin, allowed in (
            ("https://a.example", True), ("http://localhost:3000", True), ("http://a.example", False), ("https://b.example", False),
        ):
            for method, path in (("GET", "/llm/health"), ("OPTIONS", "/llm/v1/chat/completions")):
                _, headers = self.headers(method, path, Origin=origin)
                self.assertEqual(headers["Access-Control-Allow-Origin"], origin if allowed else None, (method, origin))


class NoFlag(ServerCase):
    """Started as packaging's unit starts it: the model in the environment, and a port that is free."""

    @classmethod
    def setUpClass(cls):
        unit = (ROOT / "packaging" / "zoomr.service").read_text()
        program, command, *args = re.search(r"^ExecStart=(.+)$", unit, re.M)[1].split()
        assert (Path(program).name, command) == ("zoomr", "serve"), unit
        others = {
            name: value for name, value in os.environ.items()
            if name == "ZOOMR_MODELS" or not name.startswith(("LLAMA_", "ZOOMR_"))
        }
        cls.server = Server(*args, model=None, env={**others, "LLAMA_ARG_MODEL": SMOL, "LLAMA_ARG_PORT": "0"})

    def test_the_memory_is_four_places_of_2048_tokens(self):
        props = self.server.get("/props")[1]
        self.assertEqual((props["total_slots"], props["zoomr"]["budget"], props["zoomr"]["kv_total"]), (4, 2048, 4 * 2048))
        self.assertEqual(props["zoomr"]["policy"], "zoomr")
        self.assertEqual(self.server.metrics()["zoomr_kv_cells"], 4 * 2048)
        self.assertEqual(self.server.chat(COLOUR, max_tokens=2)["zoomr"]["budget"], 2048)
        slots = self.server.get("/slots")[1]
        self.assertEqual([slot["id"] for slot in slots], [0, 1, 2, 3])
        self.assertEqual([slot["budget"] for slot in slots if slot["state"] != "free"], [2048])

    def test_the_model_has_its_files_name(self):
        props = self.server.get("/props")[1]
        name = Path(props["model_path"]).stem
        self.assertIn("SmolLM2", name)
        self.assertEqual((props["model_alias"], self.server.get("/v1/models")[1]["data"][0]["id"]), (name, name))

    def test_every_page_may_ask_and_no_key_is_needed(self):
        connection = self.server.connect()
        connection.request("GET", "/v1/models", headers={"Origin": "https://a.example"})
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["Access-Control-Allow-Origin"]), (200, "https://a.example"))
        connection.close()


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
        self.refused("serve", "-m", SMOL, "--port", 0, "--api-prefix", "llm", says="--api-prefix")
        self.refused("serve", "-m", SMOL, "--port", 0, "--api-key-file", "/no/such/keys", says="/no/such/keys")
        self.refused("serve", "-m", SMOL, "--port", 0, "-np", 2, "--budget", 512, "--kv-total", 511, says="--kv-total")


if __name__ == "__main__":
    unittest.main()
