#!/usr/bin/env python3
""".ci/run with a tests/run played by the test: sums, the deadline, and what is left behind."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

CI_RUN = pathlib.Path(__file__).resolve().parents[1] / ".ci/run"
LIMITS = ("seconds_max=5100", "grace=45")
PASSES = 'echo "tests: OK passed=3 skipped=0 seconds=1"'
# Starts a process in a session of its own, as `bell dev` starts servers, and never ends.
SLEEPS = 'setsid sleep 300 & echo $! >pid; echo begun; sleep 300'
# Told to end, prints its last line as tests/run does.
HANGS = "trap 'echo told; exit 1' TERM; " + SLEEPS
DEAF = "trap '' TERM; " + SLEEPS


class Tree:
    """A repository of .ci/run and a tests/run that does what `parts` says for each flag."""

    def __init__(self, folder, parts, seconds_max=5100, grace=45):
        self.folder = pathlib.Path(folder)
        script = CI_RUN.read_text()
        for limit, value in zip(LIMITS, (seconds_max, grace)):
            assert script.count(limit) == 1, limit
            script = script.replace(limit, f"{limit.partition('=')[0]}={value}")
        self.write(".ci/run", script)
        cases = "".join(f'"{flag}") {code} ;;\n' for flag, code in parts.items())
        self.write("tests/run", f'#!/usr/bin/env bash\ncase "$*" in\n{cases}*) {PASSES} ;;\nesac\n')

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
        file.chmod(0o755)

    def start(self):
        return subprocess.Popen([self.folder / ".ci/run"], stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def is_left(self):
        """Whether the process lives that HANGS started."""
        pid = int((self.folder / "pid").read_text())
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":  # killed, and not yet reaped by whoever it was left to
            return False
        os.kill(pid, signal.SIGKILL)
        return True


class CiRunTest(unittest.TestCase):
    def run_tree(self, parts, **limits):
        """(exit, lines printed); fails when a process is left."""
        with tempfile.TemporaryDirectory() as folder:
            tree = Tree(folder, parts, **limits)
            with tree.start() as process:
                lines = process.communicate(timeout=60)[0].splitlines()
            if (tree.folder / "pid").exists():
                self.assertFalse(tree.is_left(), lines)
            return process.returncode, lines

    def test_sums_all_parts(self):
        status, lines = self.run_tree({})
        self.assertEqual((status, lines), (0, ["tests: OK passed=3 skipped=0 seconds=1"] * 3 +
                                           ["tests: 9 passed, 0 failed"]))

    def test_a_part_that_fails_fails_it(self):
        for code, failed in (('echo "tests(asan): FAILED failed=2 passed=1"; exit 1', 2), ("exit 1", 1)):
            status, lines = self.run_tree({"--asan": code})
            self.assertEqual(status, 1)
            self.assertRegex(lines[-1], rf"^tests: \d+ passed, {failed} failed$")

    def test_ends_with_what_failed(self):
        lines = ["failed: a: X.Two", "    why", "tests: FAILED failed=1 passed=1"]
        code = "echo begun; " + "".join(f"echo '{line}'; " for line in lines) + "exit 1"
        self.assertEqual(self.run_tree({"": code})[1][-4:], lines + ["tests: 7 passed, 1 failed"])

    def test_stops_in_time_and_says_what(self):
        for hangs in (HANGS, DEAF):
            begin = time.monotonic()
            status, lines = self.run_tree({"--asan": hangs}, seconds_max=6, grace=1)
            self.assertLess(time.monotonic() - begin, 20)
            self.assertEqual(status, 1)
            self.assertIn("begun", lines)
            self.assertEqual(lines[-2:], ["stopped after 0 min: tests/run --asan, tests/run --tsan",
                                          "tests: 3 passed, 2 failed"])

    def test_what_something_else_killed_was_not_stopped(self):
        status, lines = self.run_tree({"--asan": "kill -KILL $$"})
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "tests: 6 passed, 1 failed")
        self.assertFalse([line for line in lines if line.startswith("stopped")])

    def test_leaves_nothing_behind_of_another_within(self):
        with tempfile.TemporaryDirectory() as folder:
            inner = Tree(f"{folder}/inner", {"": DEAF})
            outer = Tree(f"{folder}/outer", {"": "../inner/.ci/run"}, seconds_max=4, grace=1)
            with outer.start() as process:
                lines = process.communicate(timeout=60)[0].splitlines()
            self.assertEqual(process.returncode, 1, lines)
            self.assertFalse(inner.is_left(), lines)

    def test_leaves_nothing_behind_when_it_is_stopped_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Tree(folder, {"": HANGS})
            with tree.start() as process:
                while process.stdout.readline() != "begun\n":
                    self.assertIsNone(process.poll())
                process.terminate()
                rest = process.communicate(timeout=60)[0].splitlines()
            self.assertEqual((process.returncode, rest[-2:]),
                             (130, ["told", "tests: 0 passed, 1 failed"]))
            self.assertFalse(tree.is_left())


if __name__ == "__main__":
    unittest.main()
