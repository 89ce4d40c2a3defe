"""Runs the program as a user would."""

import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.environ["ZOOMR_ROOT"]
ZOOMR = os.environ["ZOOMR"]
SMOL = "smollm2-135m"


def zoomr(*args, stdin=None, timeout=300, env=None):
    """The finished process; stdout and stderr as text. stdin: text, None for an empty one."""
    return subprocess.run(
        [ZOOMR, *map(str, args)],
        input=(stdin if stdin is not None else "").encode() if not isinstance(stdin, bytes) else stdin,
        capture_output=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


class Case(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = self._folder.name

    def tearDown(self):
        self._folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def ok(self, *args, **kwargs):
        done = zoomr(*args, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done

    def fails(self, code, words, *args, **kwargs):
        """One line of error that says these words."""
        done = zoomr(*args, **kwargs)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        self.assertIn(words, done.stderr.decode())

    def run_json(self, *args, **kwargs):
        """`zoomr run --json` on SmolLM2: the object, which is all that stdout holds."""
        done = self.ok("run", "-m", SMOL, "--json", *args, **kwargs)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        return json.loads(lines[0])

    def refused(self, *args, code=2, says=(), **kwargs):
        """Fails with this exit code and exactly one line of ours on stderr, and nothing on stdout."""
        done = zoomr(*args, **kwargs)
        stderr = done.stderr.decode()
        self.assertEqual(done.returncode, code, stderr)
        self.assertEqual(done.stdout, b"")
        ours = [line for line in stderr.splitlines() if line.startswith("zoomr: ")]
        self.assertEqual(len(ours), 1, stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, ours[0])
        return ours[0]
