"""zoomr serve as Python's openai client sees it."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from server import COLOUR, HERE, IN_CI, PATIENCE, ServerCase, eventually  # noqa: E402

try:
    import openai
except ImportError:
    if IN_CI:
        raise
    openai = None

KEY = "a-key"
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


if __name__ == "__main__":
    unittest.main()
