#!/usr/bin/env python3
"""Many clients at once, of every kind, for as long as wanted: `python3 tests/http/soak.py --seconds 1800`.

What the conversations did is recorded from their events. Afterwards every record must be true (`zoomr replay`), and as many
as fit into a third of the time, or all with --replay-all, are decoded again on the model, each alone (`zoomr replay -m`).

One line of JSON on stdout says what was done; what was wrong goes to stderr, and the exit code is 1.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

from server import SMOL, ZOOMR, Server, eventually, events

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
    (400, "/completion", b'{"prompt": "a", "grammar": "root ::= ' + b"(" * 1000000 + b'"}'),
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


class Listener(threading.Thread):
    """Writes what each conversation does to a file of its own, a trace. It ends with the server."""

    RECORD = re.compile(rb'data: \{"session":(\d+),"n":(\d+),(.*)\n')

    def __init__(self, server, folder):
        super().__init__(daemon=True)
        self.folder = Path(folder)
        self.next = Counter()  # session -> the number of its next record
        self.lost = set()  # sessions of which records are missing
        self.fault = ""
        self.lines = defaultdict(list)  # session -> what is not written yet
        self.connection = server.connect(LONG)
        self.connection.request("GET", "/v1/zoomr/events")
        self.response = self.connection.getresponse()

    def run(self):
        try:
            for line in self.response:
                record = self.RECORD.fullmatch(line)
                if record:
                    self.take(int(record[1]), int(record[2]), record[3])
        except (OSError, HTTPException) as e:
            self.fault = f"{type(e).__name__} {e}"
        for session in list(self.lines):
            self.write(session)
        self.connection.close()

    def take(self, session, n, members):
        if n != self.next[session]:
            self.lost.add(session)
        self.next[session] = n + 1
        self.lines[session].append(b"{" + members + b"\n")
        if members.startswith(b'"t":"final"'):
            self.write(session)

    def write(self, session):
        with open(self.path(session), "ab") as file:
            file.writelines(self.lines.pop(session))

    def path(self, session):
        return self.folder / f"{session}.jsonl"

    def traces(self):
        """The files of all conversations of which nothing is missing."""
        return [self.path(session) for session in sorted(self.next) if session not in self.lost]


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

    def opened(self, receive=None, **fields):
        """A stream that has begun: connection, body, its response or None. receive: bytes of the socket's buffer."""
        body = self.request(stream=True, **fields)
        connection = self.server.connect(LONG, receive)
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
        """A reply of some 400 KB at 60 KB a second, through a small window: the server cannot write on."""
        connection, _, response = self.opened(receive=4096, logprobs=True, top_logprobs=20, max_tokens=200, ignore_eos=True)
        if connection is None:
            return False
        text = b""
        while piece := response.read1(2048):
            text += piece
            time.sleep(0.03)
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


def is_greedy(trace):
    """Has it a turn at temperature 0?"""
    with open(trace) as file:
        heads = [json.loads(line) for line in file if line.startswith(('{"t":"run"', '{"t":"turn"'))]
    return any(head["options"]["temp"] == 0 for head in heads)


def replay(trace, *args):
    """What `zoomr replay` says, as an object, and what is wrong or nothing."""
    done = subprocess.run([ZOOMR, "replay", trace, "--json", *args], capture_output=True, text=True)
    return json.loads(done.stdout or "null"), done.stderr.strip() if done.returncode else ""


def replay_all(traces, seconds):
    """Every trace without the model, then as many as the time allows, chosen at random, with it: figures, and what is wrong."""
    figures = Counter(traces=len(traces), replayed=0, turns=0, judged=0, not_largest=0, largest_gap=0.0, largest_noise=0.0)
    wrong = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong += [why for _, why in pool.map(replay, traces) if why]
        end = time.monotonic() + seconds
        picked = [trace for trace in traces if is_greedy(trace)]
        random.Random(0).shuffle(picked)

        def again(trace):
            return replay(trace, "-m", SMOL, "-t", "1") if time.monotonic() < end else None

        for done in filter(None, pool.map(again, picked)):
            said, why = done
            if why:
                wrong.append(why)
            if said:
                figures["replayed"] += 1
                for name in ("turns", "judged", "not_largest"):
                    figures[name] += said[name]
                figures["largest_gap"] = max(figures["largest_gap"], said["largest_gap"])
                figures["largest_noise"] = max(figures["largest_noise"], said["noise"])
    return {name: round(value, 4) for name, value in figures.items()}, wrong


def soak(seconds, n_clients, every_trace, folder):
    server = Server("-np", PLACES, "--budget", BUDGET, "--queue", QUEUE)
    record = Record()
    try:
        listener = Listener(server, folder)
        listener.start()
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
        listener.join()
        if listener.fault:
            wrong.append(f"the events ended: {listener.fault}")
        if listener.lost:
            wrong.append(f"records of {len(listener.lost)} conversations were lost")
        figures, untrue = replay_all(listener.traces(), float("inf") if every_trace else seconds / 3)
        wrong += untrue
        if not figures["judged"]:
            wrong.append("no token of any record was held to the model")
        summary = {
            "ok": not wrong, "seconds": seconds, "clients": n_clients, "done": dict(record.counts), "wrong": len(wrong),
            "rss_warm_mib": round(warm / MIB, 1), "rss_late_mib": round(late / MIB, 1),
            "resident_tokens": int(metrics["zoomr_resident_tokens"]), "cells": CELLS,
            "requests": int(metrics["zoomr_requests_total"]), "cancelled": int(metrics["zoomr_requests_cancelled_total"]),
            "refused": int(metrics["zoomr_requests_refused_total"]), "tokens": int(metrics["zoomr_generated_tokens_total"]),
            "zoom_outs": int(metrics["zoomr_zoom_outs_total"]), "asked_alone": asked,
            "identical": round(same / asked, 3) if asked else None, "lost": len(listener.lost), **figures,
        }
        return summary, wrong
    finally:
        server.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("ZOOMR_SOAK_SECONDS", 30)))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--replay-all", action="store_true", help="decode every conversation again that has a turn at temperature 0")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="zoomr-soak-")
    summary, wrong = soak(args.seconds, args.clients, args.replay_all, folder)
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    if wrong:
        print(f"the traces are in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    print(json.dumps(summary))
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
