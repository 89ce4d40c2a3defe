"""Conversations of several turns, and replies that are those of zoomr run."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from server import COLOUR, SMOL, ServerCase  # noqa: E402
from program import zoomr  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
