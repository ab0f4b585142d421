#!/usr/bin/env python3
"""tests/support/programs.py in a tree of its own, where installing and building only take notes."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs.py"
NOTE = '#!/bin/sh\necho "${0##*/} $*" >>"$NOTES"\n[ "${0##*/}" != "$BROKEN" ] || { echo no luck; exit 1; }\n'


class ProgramsTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.root)
        for tool in ("bin/cmake", "deploy/install-deps"):
            path = self.root / tool
            path.parent.mkdir()
            path.write_text(NOTE)
            path.chmod(0o755)
        (self.root / "tests/support").mkdir(parents=True)
        self.script = shutil.copy(PROGRAMS, self.root / "tests/support")
        self.notes = self.root / "notes"
        self.notes.touch()

    def build(self, *targets, broken="", **environment):
        """(exit, stdout, stderr, notes) of a run that is to build the targets."""
        others = {name: value for name, value in os.environ.items() if name != "BELL_BIN"}
        done = subprocess.run(
            [sys.executable, self.script, *targets], capture_output=True, text=True, check=False,
            env={**others, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "BROKEN": broken,
                 "NOTES": str(self.notes), **environment})
        return done.returncode, done.stdout, done.stderr, self.notes.read_text().splitlines()

    def test_configures_with_the_tests_also_where_it_was_configured_without(self):
        build = self.root / "build/release"
        build.mkdir(parents=True)
        (build / "build.ninja").touch()
        status, out, _, notes = self.build("a", "b")
        self.assertEqual((status, out), (0, f"{build}/bin\n"))
        self.assertEqual(notes, ["install-deps bench",
                                 "cmake --preset release -DBUILD_TESTING=ON",
                                 f"cmake --build {build} --target a b"])

    def test_runs_nothing_when_the_programs_are_named(self):
        status, out, _, notes = self.build("a", BELL_BIN="/usr/bin")
        self.assertEqual((status, out, notes), (0, "/usr/bin\n", []))

    def test_ends_with_the_reason_when_a_step_fails(self):
        status, out, error, notes = self.build("a", broken="cmake")
        self.assertEqual((status, out, len(notes)), (1, "", 2))
        self.assertIn("no luck", error)
        self.assertIn("--preset release", error)


if __name__ == "__main__":
    unittest.main()
