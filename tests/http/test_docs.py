"""docs/server.md: its requests are made again, its replies have the same form; every endpoint and every metric is there."""

import json
import re
import subprocess
import unittest

from server import ROOT, ServerCase

MANUAL = (ROOT / "docs" / "server.md").read_text()
ROUTES = (ROOT / "src" / "http" / "routes.cpp").read_text()
EXAMPLE = re.compile(r"```sh\n(curl .*?)\n```\n\n```(json|text|html)\n(.*?)\n```", re.S)
HOST = "http://127.0.0.1:8080"
# What is the same in every run, beside the form.
SAME = {
    "object", "role", "finish_reason", "index", "code", "type", "message", "piece", "prompt", "status", "prompt_tokens", "budget", "t",
}


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


def without_numbers(text):
    return re.sub(r"\d[\d.]*(e[+-]?\d+)?", "0", text).splitlines()


def compare_texts(case, kind, got, shown):
    if kind == "json":
        compare(case, json.loads(got), json.loads(shown))
    elif shown.startswith("data: "):
        compare(case, stream(got), stream(shown))
    else:
        case.assertEqual(without_numbers(got), without_numbers(shown))


def asked(command):
    """Method and path of a command's first curl: the one whose reply is shown."""
    first = command.split("curl ")[1]
    path = re.search(re.escape(HOST) + r"([^\s?'\"]*)", first)[1]
    return "POST" if " -d " in first else "GET", path


def endpoints(source):
    """What routes.cpp registers, each endpoint as the set of its names: (method, path). A loop's paths are aliases."""
    text = r'"(/[^"]*)"'
    found = [("POST", re.search(r"kUnsupported\[\] = \{(.*?)\};", source, re.S)[1])]
    found += re.findall(rf"\broutes\.(get|post|reply)\(\s*({text})", source)
    found += [
        (call, paths)
        for paths, call in re.findall(r"for \(const char\* path : \{([^}]*)\}\) \{\s*routes\.(get|post|reply)\(\s*path\b", source)
    ]
    return [{("GET" if how == "get" else "POST", path) for path in re.findall(text, paths)} for how, paths, *_ in found]


def documented_metrics(manual):
    """The names in the table of metrics."""
    section = manual.split("### GET /metrics\n")[1].split("\n### ")[0]
    return re.findall(r"`((?:zoomr_|llamacpp:)\w+)", "\n".join(line for line in section.splitlines() if line.startswith("|")))


class Examples(unittest.TestCase):
    def test_every_request_has_its_reply(self):
        examples = EXAMPLE.findall(MANUAL)
        requests = re.findall(r"^curl .*", MANUAL, re.M)
        self.assertEqual([command.splitlines()[0] for command, _, _ in examples], requests)

    def test_every_endpoint_has_an_example(self):
        names = endpoints(ROUTES)
        # Nothing is registered in a way that is not read here.
        registered = re.findall(r"\broutes\.(?:get|post|reply)\(|\bserver\.(?:Get|Post)\(", ROUTES)
        self.assertEqual(len(names), len(registered))
        examples = {asked(command) for command, _, _ in EXAMPLE.findall(MANUAL)}
        for name in names:
            with self.subTest(endpoint=sorted(name)):
                self.assertTrue(name & examples)
        self.assertEqual(examples - set.union(*names), set(), "no such endpoint")


class Manual(ServerCase):
    ARGS = ("-np", 2, "--budget", 512)

    def test_its_replies_are_what_the_server_says(self):
        for command, kind, shown in EXAMPLE.findall(MANUAL):
            command = re.sub(r"\bcurl ", "curl -s --max-time 60 ", command.replace(HOST, self.server.url))
            with self.subTest(command=command):
                got = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
                compare_texts(self, kind, got, shown)

    def test_every_metric_is_in_the_table_and_no_other(self):
        served = re.findall(r"(?m)^# TYPE (\S+) ", self.server.get("/metrics")[1])
        self.assertEqual(set(documented_metrics(MANUAL)), set(served))


if __name__ == "__main__":
    unittest.main()
