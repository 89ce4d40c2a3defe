#!/usr/bin/env python3
"""Many clients at once, of every kind, for as long as wanted: `python3 tests/http/soak.py --seconds 1800`.

One line of JSON on stdout says what was done; what was wrong goes to stderr, and the exit code is 1.
"""

import argparse
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from http.client import HTTPException

from server import Server, eventually, events

BUDGET = 256
PLACES = 4
CELLS = BUDGET * PLACES
QUEUE = 12
LONG = 300  # seconds until a client gives up: a fault
MIB = 1 << 20
CHAT = "/v1/chat/completions"
THINGS = ("a fox", "the sea", "rain", "a lamp", "the moon", "bread", "a river", "winter", "a clock", "music")
ASKS = ("Say a word about {}.", "What is {}?", "Describe {} to a child.", "Write a line about {}.", "Why do we like {}?")

# What must be refused, and how.
BAD = (
    (400, CHAT, b"no JSON"),
    (400, CHAT, b'{"messages": 7}'),
    (400, CHAT, b'{"messages": []}'),
    (400, CHAT, b'{"messages": [{"role": "user", "content": "Hi"}], "temperature": "hot"}'),
    (400, CHAT, b'{"messages": [{"role": "user", "content": "Hi"}], "zoomr": {"budget": 99999}}'),
    (400, CHAT, b'{"messages": [{"role": "user", "content": "\xff"}]}'),
    (400, CHAT, b"[" * 100000),
    (400, "/completion", b'{"prompt": ""}'),
    (404, "/nothing", b"{}"),
    (501, "/v1/embeddings", b'{"input": "a"}'),
)


class Wrong(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Wrong(what)


class Record:
    """What all clients saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = Counter()
        self.wrong = []
        self.alone = {}  # body of a request of one turn at temperature 0 -> its answer

    def count(self, name):
        with self.lock:
            self.counts[name] += 1


class Client(threading.Thread):
    """Does one thing after the other until the time is over."""

    def __init__(self, number, server, record, end):
        super().__init__()
        self.dice = random.Random(number)
        self.server = server
        self.record = record
        self.end = end

    def run(self):
        kinds = (self.talk, self.talk, self.stream, self.stream, self.leave, self.read_slowly, self.send_rubbish, self.ask_twice)
        while time.monotonic() < self.end:
            kind = self.dice.choice(kinds)
            try:
                self.record.count(kind.__name__ if kind() else "refused")
            except (Wrong, OSError, ValueError, LookupError, HTTPException) as e:
                with self.record.lock:
                    self.record.wrong.append(f"{kind.__name__}: {type(e).__name__} {e}")

    def question(self):
        return self.dice.choice(ASKS).format(self.dice.choice(THINGS))

    def request(self, **fields):
        """A body of one question; some have stop texts, a budget of their own, a reply beyond it."""
        body = {
            "messages": [{"role": "user", "content": self.question()}],
            "temperature": self.dice.choice((0, 0, 1)),
            "max_tokens": self.dice.randint(4, 40),
            **fields,
        }
        if self.dice.random() < 0.2:
            body["stop"] = self.dice.choice((["."], ["\n", " the"], [" is"]))
        if self.dice.random() < 0.2:
            body["zoomr"] = {"budget": self.dice.choice((128, 192, 400))}
        if self.dice.random() < 0.1:
            body |= {"ignore_eos": True, "max_tokens": 200, "zoomr": {"budget": 128}}
        return body

    def post(self, connection, body, path=CHAT):
        connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body))
        return connection.getresponse()

    def ask(self, body):
        """The reply's object; None: the queue is full."""
        connection = self.server.connect(LONG)
        try:
            response = self.post(connection, body)
            reply = json.loads(response.read())
        finally:
            connection.close()
        if response.status == 503:
            self.rest()
            return None
        need(response.status == 200, f"{response.status} {reply} for {body}")
        for choice in reply["choices"]:
            self.check(body, choice, choice.get("zoomr") or reply["zoomr"])
        return reply

    def check(self, body, choice, memory):
        need(choice["finish_reason"] in ("stop", "length"), choice)
        need(memory["finish_reason"] in ("stop", "length", "loop"), memory)
        need(memory["peak_resident_tokens"] <= body.get("zoomr", {}).get("budget", BUDGET), memory)
        for stop in body.get("stop", []):
            need(stop not in choice.get("message", {}).get("content", ""), f"{stop!r} is in {choice}")

    def rest(self):
        time.sleep(self.dice.uniform(0, 0.5))

    def keep(self, body, text):
        if body["temperature"] == 0:
            plain = {key: value for key, value in body.items() if key != "stream"}
            with self.record.lock:
                self.record.alone[json.dumps(plain)] = text

    def talk(self):
        """One to three turns."""
        body = self.request()
        if len(body.get("zoomr", {})) == 0:
            turns = self.dice.randint(1, 3)
        else:
            turns = 1  # a small budget holds no second question beside the first
        for turn in range(turns):
            reply = self.ask(body)
            if reply is None:
                return False
            message = reply["choices"][0]["message"]
            if turn == 0:
                self.keep(body, message["content"])
            body = {**body, "messages": [*body["messages"], message, {"role": "user", "content": self.question()}]}
        return True

    def ask_twice(self):
        reply = self.ask(self.request(n=2))
        need(reply is None or len(reply["choices"]) == 2, reply)
        return reply is not None

    def opened(self, **fields):
        """A stream that has begun: connection, body, its response or None."""
        body = self.request(stream=True, **fields)
        connection = self.server.connect(LONG)
        response = self.post(connection, body)
        if response.status == 503:
            connection.close()
            self.rest()
            return None, body, None
        need(response.status == 200, f"{response.status} for {body}")
        return connection, body, response

    def stream(self):
        connection, body, response = self.opened()
        if connection is None:
            return False
        chunks = list(events(response))
        connection.close()
        need(not any("error" in chunk for chunk in chunks), chunks[-1])
        self.check(body, chunks[-1]["choices"][0], chunks[-1]["zoomr"])
        self.keep(body, "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks))
        return True

    def leave(self):
        """Goes before the reply, or in the middle of it."""
        if self.dice.random() < 0.5:
            connection = self.server.connect(LONG)
            connection.request("POST", CHAT, json.dumps(self.request(max_tokens=400)))
            self.rest()
        else:
            connection, _, response = self.opened(max_tokens=400, ignore_eos=True)
            if connection is None:
                return False
            response.read(self.dice.randint(1, 2000))
        connection.close()
        return True

    def read_slowly(self):
        connection, _, response = self.opened(logprobs=True, top_logprobs=20)
        if connection is None:
            return False
        text = b""
        while piece := response.read1(4096):
            text += piece
            time.sleep(0.02)
        connection.close()
        need(text.endswith(b"data: [DONE]\n\n"), text[-200:])
        return True

    def send_rubbish(self):
        status, path, body = self.dice.choice(BAD)
        connection = self.server.connect(LONG)
        response = self.post(connection, body, path)
        reply = json.loads(response.read())
        connection.close()
        need(response.status == status == reply["error"]["code"], f"{response.status} {reply}, not {status}")
        return True


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def watch_memory(server, clients, seconds):
    """The most resident bytes while it warms up, and after that."""
    begin = time.monotonic()
    peaks = [0, 0]
    while any(client.is_alive() for client in clients) and server.process.poll() is None:
        late = time.monotonic() - begin > min(60, seconds / 3)
        peaks[late] = max(peaks[late], resident_bytes(server))
        time.sleep(0.5)
    return peaks


def ask_alone(server, record, most):
    """How many were asked again on the idle server, and how many said the same."""
    picked = list(record.alone.items())
    random.Random(0).shuffle(picked)
    picked = picked[:most]
    same = sum(server.chat(**json.loads(body))["choices"][0]["message"]["content"] == text for body, text in picked)
    return len(picked), same


def soak(seconds, n_clients):
    server = Server("-np", PLACES, "--budget", BUDGET, "--queue", QUEUE)
    record = Record()
    try:
        end = time.monotonic() + seconds
        clients = [Client(number, server, record, end) for number in range(n_clients)]
        for client in clients:
            client.start()
        warm, late = watch_memory(server, clients, seconds)
        for client in clients:
            client.join()
        if server.process.poll() is not None:
            return {"ok": False}, [f"the server ended with {server.process.returncode}", server.said(), *record.wrong[:10]]
        eventually(lambda: server.busy() == 0 and server.metrics()["zoomr_requests_waiting"] == 0, "idle")
        metrics = server.metrics()
        asked, same = ask_alone(server, record, 5 + int(seconds / 10))
        wrong = list(record.wrong)
        if metrics["zoomr_resident_tokens"] > CELLS or metrics["zoomr_kv_cells"] != CELLS:
            wrong.append("more is resident than there are cells")
        if metrics["zoomr_requests_failed_total"]:
            wrong.append("requests failed")
        if late > warm * 1.1 + 20 * MIB:
            wrong.append("memory grows")
        code = server.stop()
        if code != 0:
            wrong.append(f"the server ended with {code}")
        summary = {
            "ok": not wrong, "seconds": seconds, "clients": n_clients, "done": dict(record.counts), "wrong": len(wrong),
            "rss_warm_mib": round(warm / MIB, 1), "rss_late_mib": round(late / MIB, 1),
            "resident_tokens": int(metrics["zoomr_resident_tokens"]), "cells": CELLS,
            "requests": int(metrics["zoomr_requests_total"]), "cancelled": int(metrics["zoomr_requests_cancelled_total"]),
            "refused": int(metrics["zoomr_requests_refused_total"]), "tokens": int(metrics["zoomr_generated_tokens_total"]),
            "zoom_outs": int(metrics["zoomr_zoom_outs_total"]), "asked_alone": asked,
            "identical": round(same / asked, 3) if asked else None,
        }
        return summary, wrong
    finally:
        server.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("ZOOMR_SOAK_SECONDS", 30)))
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    summary, wrong = soak(args.seconds, args.clients)
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    print(json.dumps(summary))
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
