"""README's commands do what it says; script/demo and script/test are run by themselves."""

import os
import re
import shlex
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from program import ROOT, SMOL, ZOOMR, Case  # noqa: E402


def commands():
    with open(os.path.join(ROOT, "README.md")) as file:
        text = file.read()
    return re.findall(r"^build/bin/zoomr (.*?)(?: +#.*)?$", text, re.M)


class Readme(Case):
    def run_in_folder(self, line):
        self.write("prompt.txt", "Write a story about a fox and a lamp.")
        args = shlex.split(line.replace("model.gguf", SMOL))
        if args[0] == "run":
            args += ["-n", "60", "--seed", "1"]
        if args[0] == "bench":  # the same command, at a depth that takes seconds
            args[args.index("-d") + 1] = "64,128"
            args += ["-r", "1", "-n", "8"]
        if args[0] == "serve":
            return self.serve(args)
        done = subprocess.run([ZOOMR, *args], cwd=self.folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=300)
        self.assertEqual(done.returncode, 0, f"{line}: {done.stderr.decode()}")
        self.assertGreater(len(done.stdout), 40, line)

    def serve(self, args):
        args[args.index("-m") + 1] = SMOL  # the one that is here for tests
        server = subprocess.Popen([ZOOMR, *args, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("listening on http://127.0.0.1:", server.stdout.readline())
        server.terminate()
        _, said = server.communicate(timeout=60)
        self.assertEqual(server.returncode, 0, said)

    def test_every_command(self):
        lines = commands()
        self.assertGreaterEqual(len(lines), 6)
        for line in lines:
            self.run_in_folder(line)

    def test_the_librarys_snippet_is_the_example(self):
        with open(os.path.join(ROOT, "README.md")) as file:
            snippet = re.search(r"```cpp\n(.*?)```", file.read(), re.S)[1]
        with open(os.path.join(ROOT, "examples/think/main.cpp")) as file:
            example = [line.strip() for line in file]
        for line in snippet.splitlines():
            self.assertIn(line.strip(), example)

    def test_links_lead_somewhere(self):
        for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "docs/trace.md", "docs/performance.md", "docs/server.md"):
            with open(os.path.join(ROOT, name)) as file:
                for target in re.findall(r"\]\(([^)#]+)\)", file.read()):
                    if not target.startswith("http"):
                        self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)), f"{name}: {target}")


if __name__ == "__main__":
    unittest.main()
