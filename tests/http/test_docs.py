"""docs/server.md: its requests are made again, its replies have the same form."""

import json
import re
import subprocess
import unittest

from server import ROOT, ServerCase

EXAMPLE = re.compile(r"```sh\n(curl .*?)\n```\n\n```(json|text)\n(.*?)\n```", re.S)
# What is the same in every run, beside the form.
SAME = {"object", "role", "finish_reason", "index", "code", "type", "message", "piece", "prompt", "status", "prompt_tokens", "budget"}


def compare(case, got, shown, path=""):
    if isinstance(shown, dict):
        case.assertEqual(sorted(got), sorted(shown), path)
        for key, value in shown.items():
            compare(case, got[key], value, f"{path}.{key}")
            if key in SAME and not isinstance(value, dict):
                case.assertEqual(got[key], value, f"{path}.{key}")
    elif isinstance(shown, list):
        case.assertEqual(len(got), len(shown), path)
        for i, value in enumerate(shown):
            compare(case, got[i], value, f"{path}[{i}]")
    elif isinstance(shown, (int, float)) and not isinstance(shown, bool):
        case.assertIsInstance(got, (int, float), path)
    else:
        case.assertIs(type(got), type(shown), path)


def stream(text):
    data = [line.removeprefix("data: ") for line in text.splitlines() if line]
    return [part if part == "[DONE]" else json.loads(part) for part in data]


class Manual(ServerCase):
    ARGS = ("-np", 2, "--budget", 512)

    def test_its_replies_are_what_the_server_says(self):
        examples = EXAMPLE.findall((ROOT / "docs" / "server.md").read_text())
        self.assertGreater(len(examples), 10)
        for command, kind, shown in examples:
            command = command.replace("http://127.0.0.1:8080", self.server.url).replace("curl", "curl -s --max-time 60", 1)
            with self.subTest(command=command):
                got = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
                read = json.loads if kind == "json" else stream
                compare(self, read(got), read(shown))


if __name__ == "__main__":
    unittest.main()
