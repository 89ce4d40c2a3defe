"""`zoomr serve` in a process of its own, and plain HTTP to ask it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
os.environ.setdefault("ZOOMR_ROOT", str(ROOT))
os.environ.setdefault("ZOOMR", str(ROOT / "build" / "bin" / "zoomr"))
sys.path[:0] = [str(HERE.parent / "cli"), str(ROOT / "out-python")]
from program import SMOL, ZOOMR  # noqa: E402

PATIENCE = 60  # seconds until a test that waits gives up
IN_CI = os.environ.get("CI") == "true"  # nothing that a test needs may be missing
COLOUR = [{"role": "user", "content": "Name a colour."}]


class Server:
    """Listens when the constructor is through. The proof that zooming is exact has tests of its own.

    model: None: `args` are all there are. env: the whole environment; None: ours."""

    def __init__(self, *args, model=SMOL, proof=False, env=None):
        if model is not None:
            args = ("-m", model, "--port", 0, "-t", 1, *(() if proof else ("--no-self-test",)), *args)
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [ZOOMR, "serve", *map(str, args)], stdout=subprocess.PIPE, stderr=self.stderr, text=True, env=env
        )
        self.url = self.process.stdout.readline().rpartition(" ")[2].strip()
        port, slash, rest = self.url.rpartition(":")[2].partition("/")
        self.port = int(port or 0)
        self.prefix = slash + rest  # --api-prefix
        if not self.port:
            said = self.said()
            self.end()
            raise AssertionError(said)
        self.key = None

    def said(self):
        """All of stderr until now."""
        self.stderr.seek(0)
        return self.stderr.read()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """The exit code."""
        return self.process.wait(timeout)

    def stop(self):
        """The exit code after SIGTERM; the process is gone in any case."""
        try:
            self.signal()
            return self.wait()
        finally:
            self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.stderr.close()

    def connect(self, timeout=PATIENCE, receive=None):
        """receive: bytes of the socket's buffer, before it connects; None: the system's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if receive is not None:
            connection.sock = socket.socket()
            connection.sock.settimeout(timeout)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            connection.sock.connect(("127.0.0.1", self.port))
        return connection

    def ask(self, method, path, body=None):
        """Status and body, which is parsed if it is JSON."""
        connection = self.connect()
        headers = {"Authorization": "Bearer " + self.key} if self.key else {}
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, self.prefix + path, data, headers)
            response = connection.getresponse()
            text = response.read().decode()
            is_json = (response.getheader("Content-Type") or "").startswith("application/json")
            return response.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body):
        return self.ask("POST", path, body)

    def chat(self, messages, **fields):
        """The reply's object. messages: a text is a conversation of one question."""
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        status, reply = self.post("/v1/chat/completions", {"temperature": 0, "messages": messages, **fields})
        assert status == 200, reply
        return reply

    def metrics(self):
        _, text = self.get("/metrics")
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def busy(self):
        return sum(slot["is_processing"] for slot in self.get("/slots")[1])


def eventually(condition, what):
    """Asks until it is so."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
    raise AssertionError(f"never so: {what}")


def events(response):
    """The data of server-sent events, until [DONE] or the end."""
    for line in response:
        line = line.decode().strip()
        if line == "data: [DONE]":
            return
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


class ServerCase(unittest.TestCase):
    """One server for all tests of a class; it ends as it should."""

    ARGS = ("-np", 4, "--budget", 512)

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.ARGS)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        assert code == 0, f"the server ended with {code}"
