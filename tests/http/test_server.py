"""zoomr serve as its clients see it: Python's openai, curl, lm-eval, and plain sockets."""

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
from server import HERE, PATIENCE, ROOT, SMOL, Server, ServerCase, eventually, events  # noqa: E402
from program import Case, zoomr  # noqa: E402

try:
    import openai
except ImportError:
    openai = None

KEY = "a-key"
COLOUR = [{"role": "user", "content": "Name a colour."}]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city now",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
        },
    },
}


def client(server, key=KEY):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0, timeout=PATIENCE)


def without_chance(reply):
    """What of a reply does not differ from run to run."""
    return [choice.message.content for choice in reply.choices]


@unittest.skipIf(openai is None, "openai is not here (script/bootstrap --test)")
class OpenAi(ServerCase):
    ARGS = ("-np", 4, "--budget", 512, "--api-key", KEY)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.key = KEY
        cls.client = client(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        super().tearDownClass()

    def chat(self, messages=COLOUR, **fields):
        return self.client.chat.completions.create(
            model="any", messages=messages, **{"temperature": 0, "max_tokens": 12, **fields}
        )

    def test_chat(self):
        reply = self.chat()
        self.assertEqual(reply.object, "chat.completion")
        self.assertEqual(reply.model, self.client.models.list().data[0].id)
        self.assertEqual(reply.choices[0].message.role, "assistant")
        self.assertGreater(len(reply.choices[0].message.content), 10)
        self.assertEqual(reply.choices[0].finish_reason, "length")
        self.assertEqual(reply.usage.completion_tokens, 12)
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens + 12)
        self.assertEqual(reply.zoomr["budget"], 512)

    def test_stream(self):
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        self.assertEqual({chunk.id for chunk in chunks}, {chunks[0].id})
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        text = "".join(c.choices[0].delta.content or "" for c in chunks[:-1])
        self.assertEqual(text, self.chat().choices[0].message.content)
        self.assertEqual([c.choices[0].finish_reason for c in chunks[-3:-1]], [None, "length"])
        self.assertEqual((chunks[-1].choices, chunks[-1].usage.completion_tokens), ([], 12))
        self.assertTrue(all(c.usage is None for c in chunks[:-1]))

    def test_both_names_of_the_limit(self):
        self.assertEqual(self.chat(max_tokens=3).usage.completion_tokens, 3)
        newer = self.chat(max_tokens=openai.NOT_GIVEN, max_completion_tokens=4)
        self.assertEqual(newer.usage.completion_tokens, 4)

    def test_stop_texts(self):
        whole = self.chat().choices[0].message.content
        stop = whole[8:14]
        for stops in (stop, ["not in it", stop]):
            choice = self.chat(stop=stops).choices[0]
            self.assertEqual((choice.message.content, choice.finish_reason), (whole[: whole.index(stop)], "stop"))
        streamed = self.chat(stop=stop, stream=True)
        text = "".join(c.choices[0].delta.content or "" for c in streamed)
        self.assertEqual(text, whole[: whole.index(stop)])

    def test_logprobs(self):
        choice = self.chat(logprobs=True, top_logprobs=3).choices[0]
        tokens = choice.logprobs.content
        self.assertEqual("".join(t.token for t in tokens), choice.message.content)
        self.assertEqual(len(tokens), 12)
        for token in tokens:
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(token.top_logprobs[0].token, token.token)  # greedy
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(bytes(token.bytes).decode(), token.token)
        streamed = [
            token.token
            for chunk in self.chat(logprobs=True, top_logprobs=1, stream=True)
            if chunk.choices[0].logprobs
            for token in chunk.choices[0].logprobs.content
        ]
        self.assertEqual(streamed, [t.token for t in tokens])

    def test_a_json_schema(self):
        reply = self.chat(
            [{"role": "user", "content": "A person, as JSON."}],
            max_tokens=80,
            response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}},
        )
        person = json.loads(reply.choices[0].message.content)
        self.assertEqual(set(person), {"name", "age"})
        self.assertIsInstance(person["name"], str)
        self.assertIsInstance(person["age"], int)

    def test_several_choices(self):
        reply = self.chat(n=2, temperature=1.5, seed=3)
        self.assertEqual([choice.index for choice in reply.choices], [0, 1])
        self.assertNotEqual(*without_chance(reply))
        self.assertEqual(reply.usage.completion_tokens, 24)
        streams = {0: "", 1: ""}
        for chunk in self.chat(n=2, stream=True):
            streams[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
        self.assertTrue(streams[0])
        self.assertEqual(streams[0], streams[1])

    def test_a_seed_repeats(self):
        one, again, other = (self.chat(temperature=1.5, seed=seed, max_tokens=16) for seed in (5, 5, 6))
        self.assertEqual(without_chance(one), without_chance(again))
        self.assertNotEqual(without_chance(one), without_chance(other))

    def test_content_as_parts(self):
        parts = [{"role": "user", "content": [{"type": "text", "text": COLOUR[0]["content"]}]}]
        self.assertEqual(without_chance(self.chat(parts)), without_chance(self.chat()))
        image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        with self.assertRaises(openai.InternalServerError) as refused:
            self.chat([{"role": "user", "content": image}])
        self.assertEqual(refused.exception.status_code, 501)

    def test_legacy_completions(self):
        reply = self.client.completions.create(model="any", prompt="The sea is", max_tokens=6, temperature=0, logprobs=2)
        choice = reply.choices[0]
        self.assertEqual("".join(choice.logprobs.tokens), choice.text)
        self.assertEqual(len(choice.logprobs.top_logprobs[0]), 2)
        chunks = self.client.completions.create(model="any", prompt="The sea is", max_tokens=6, temperature=0, stream=True)
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), choice.text)
        both = self.client.completions.create(model="any", prompt=["The sea is", "The sky is"], max_tokens=2, temperature=0)
        self.assertEqual([choice.index for choice in both.choices], [0, 1])

    def test_errors(self):
        for fields, words in (
            ({"temperature": -1}, "temperature"),
            ({"n": 0}, '"n"'),
            ({"messages": []}, "messages"),
            ({"tool_choice": "required", "tools": [WEATHER]}, "tool_choice"),
            ({"extra_body": {"zoomr": {"budget": 100000}}}, "budget"),
        ):
            with self.assertRaises(openai.BadRequestError) as refused:
                self.chat(**fields)
            self.assertIn(words, refused.exception.body["message"])
            self.assertEqual(refused.exception.type, "invalid_request_error")
        with client(self.server, "not-the-key") as stranger, self.assertRaises(openai.AuthenticationError):
            stranger.models.list()
        with self.assertRaises(openai.InternalServerError) as refused:
            self.client.embeddings.create(model="any", input="a text")
        self.assertEqual(refused.exception.status_code, 501)

    def test_closing_a_stream_cancels_it(self):
        before = self.server.metrics()
        stream = self.chat(stream=True, max_tokens=4000, extra_body={"ignore_eos": True})
        for _ in range(3):
            next(stream)
        stream.close()
        after = self.left(before)
        self.assertLess(after["zoomr_generated_tokens_total"] - before["zoomr_generated_tokens_total"], 100)

    def test_a_client_that_gives_up_cancels_what_it_asked(self):
        before = self.server.metrics()
        with self.assertRaises(openai.APITimeoutError):
            self.client.with_options(timeout=0.5).chat.completions.create(
                model="any", messages=COLOUR, max_tokens=4000, extra_body={"ignore_eos": True}
            )
        after = self.left(before)
        self.assertLess(after["zoomr_generated_tokens_total"] - before["zoomr_generated_tokens_total"], 200)

    def left(self, before):
        """The metrics once one more is cancelled; no place is busy then."""
        name = "zoomr_requests_cancelled_total"
        after = eventually(lambda: (now := self.server.metrics())[name] > before[name] and now, "cancelled")
        self.assertEqual(self.server.busy(), 0)
        return after


@unittest.skipIf(openai is None, "openai is not here (script/bootstrap --test)")
class Tools(ServerCase):
    """SmolLM2's own template knows no tools; it calls only when it must, and then again and again."""

    ARGS = ("-np", 1, "--budget", 512, "--chat-template-file", HERE / "tools.jinja")
    MESSAGES = [{"role": "user", "content": "How is the weather in Oslo?"}]

    def ask(self, **fields):
        with client(self.server) as ours:
            reply = ours.chat.completions.create(
                model="any", messages=self.MESSAGES, tools=[WEATHER], temperature=0, max_tokens=60,
                stop="\n<tool_call>", **fields
            )
            return list(reply) if fields.get("stream") else reply

    def expect_call(self, name, arguments):
        self.assertEqual(name, "get_weather")
        self.assertEqual(json.loads(arguments), {"city": "Oslo"})

    def test_a_required_call(self):
        choice = self.ask(tool_choice="required").choices[0]
        self.assertEqual((choice.finish_reason, choice.message.content), ("tool_calls", None))
        call = choice.message.tool_calls[0]
        self.assertTrue(call.id)
        self.expect_call(call.function.name, call.function.arguments)

    def test_a_streamed_call_of_one_function(self):
        one = {"type": "function", "function": {"name": "get_weather"}}
        chunks = self.ask(tool_choice=one, stream=True)
        deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        name = "".join(call.function.name or "" for call in deltas)
        self.expect_call(name, "".join(call.function.arguments or "" for call in deltas))
        self.assertEqual(chunks[-1].choices[0].finish_reason, "tool_calls")


def cached(reply):
    return reply["usage"]["prompt_tokens_details"]["cached_tokens"]


def follow(messages, reply, text):
    """The conversation a question later."""
    return [*messages, reply["choices"][0]["message"], {"role": "user", "content": text}]


class Turns(ServerCase):
    ARGS = ("-np", 2, "--budget", 512)

    def test_the_next_turn_reads_only_what_is_new(self):
        first = self.server.chat(COLOUR, max_tokens=16)
        second = self.server.chat(follow(COLOUR, first, "Another one."), max_tokens=8)
        usage = first["usage"]
        self.assertGreaterEqual(cached(second), usage["total_tokens"] - 1)
        self.assertEqual(second["timings"]["prompt_n"], second["usage"]["prompt_tokens"] - cached(second))
        self.assertLess(second["timings"]["prompt_n"], 20)

    def test_an_edited_message_cuts(self):
        first = [{"role": "user", "content": "Tell me of a fox, a lamp and the sea that lies behind the hills."}]
        told = self.server.chat(first, max_tokens=24)
        self.server.chat(follow(first, told, "Where was the lamp?"), max_tokens=8)
        edited = self.server.chat(follow(first, told, "And who lit it?"), max_tokens=8)
        # The first question is kept, the second and its answer are not.
        self.assertGreater(cached(edited), told["usage"]["prompt_tokens"] // 2)
        self.assertLessEqual(cached(edited), told["usage"]["total_tokens"] + 4)

    def test_a_conversation_grows_beyond_its_budget(self):
        messages = [{"role": "user", "content": "Write a story of a fox."}]
        limits = {"max_tokens": 80, "ignore_eos": True, "zoomr": {"budget": 256}}
        for _ in range(3):
            reply = self.server.chat(messages, **limits)
            self.assertLessEqual(reply["zoomr"]["peak_resident_tokens"], 256)
            messages = follow(messages, reply, "Go on.")
        self.assertGreater(reply["usage"]["total_tokens"], 256)
        self.assertGreater(cached(reply), 160)
        self.assertGreater(reply["zoomr"]["zoom_outs"], 0)


class StrictTurns(ServerCase):
    ARGS = ("-np", 2, "--budget", 512, "--strict-turns")

    def test_a_turn_with_the_very_tokens_goes_on(self):
        first = self.server.chat(COLOUR, max_tokens=16)
        second = self.server.chat(follow(COLOUR, first, "Another one."), max_tokens=4)
        self.assertGreater(cached(second), first["usage"]["prompt_tokens"] // 2)

    def test_a_reply_that_was_trimmed_is_cut_there(self):
        first = self.server.chat(COLOUR, max_tokens=16)
        said = first["choices"][0]["message"]
        said["content"] = "Blue."
        second = self.server.chat(follow(COLOUR, first, "Another one."), max_tokens=4)
        self.assertLessEqual(cached(second), first["usage"]["prompt_tokens"] + 1)


class SameAsRun(ServerCase):
    ARGS = ("-np", 1, "--budget", 160)

    def expect_same(self, text, n, *more, **fields):
        done = zoomr("run", "-m", SMOL, "--json", "-t", 1, "--no-self-test", "--temp", 0, "--budget", 160, "-n", n, "-p", text, *more)
        alone = json.loads(done.stdout)
        reply = self.server.chat(text, max_tokens=n, **fields)
        self.assertEqual(reply["choices"][0]["message"]["content"], alone["text"])
        for key in ("zoom_ins", "zoom_outs", "second_looks", "peak_resident_tokens"):
            self.assertEqual(reply["zoomr"][key], alone[key], key)
        return alone

    def test_a_short_answer(self):
        self.expect_same("What is the capital of France?", 40)

    def test_an_answer_beyond_the_budget(self):
        alone = self.expect_same("Write a story about a fox and a lamp.", 260, "--ignore-eos", ignore_eos=True)
        self.assertGreater(alone["zoom_outs"], 0)


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
