#!/usr/bin/env python3
"""What tests/tally.py counts, and when the closing line says FAILED."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TALLY = pathlib.Path(__file__).with_name("tally.py")
PASSED = '<testcase name="a: X.One" status="run"/>'
FAILED = ('<testcase name="a: X.Two" status="fail"><failure message=""/><system-out>'
          + "\n".join(f"line {number}" for number in range(40)) + "</system-out></testcase>")
SKIPPED = '<testcase name="a: X.Three" status="notrun"><skipped message="77"/></testcase>'


def tally(cases, allowed="", broken=""):
    """Runs the tally over {step: cases}; returns (exit, lines)."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "allowed").write_text(allowed)
        (root / "results").mkdir()
        for step, text in cases.items():
            (root / "results" / f"{step}.xml").write_text(f"<testsuite>{text}</testsuite>")
        done = subprocess.run(
            [sys.executable, str(TALLY), "--seconds", "5", "--skips", str(root / "allowed"),
             "--broken-steps", broken, str(root / "results")],
            capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()


class TallyTest(unittest.TestCase):
    def test_sums_all_steps(self):
        self.assertEqual(tally({"unit": PASSED * 2, "sim": PASSED}),
                         (0, ["tests: OK passed=3 skipped=0 seconds=5"]))

    def test_a_failed_test_fails(self):
        status, lines = tally({"unit": PASSED + FAILED}, broken="unit")
        self.assertEqual((status, lines),
                         (1, ["failed: a: X.Two"]
                          + [f"    line {number}" for number in range(10, 40)]
                          + ["tests: FAILED failed=1 passed=1 skipped=0 seconds=5"]))

    def test_a_skip_needs_a_reason(self):
        status, lines = tally({"unit": PASSED + SKIPPED})
        self.assertEqual(status, 1)
        self.assertIn("not in tests/skips.allowed", lines[0])
        status, lines = tally({"unit": PASSED + SKIPPED}, allowed="# c\na: X.Th* : no disk\n")
        self.assertEqual((status, lines), (0, ["skipped: a: X.Three (no disk)",
                                               "tests: OK passed=1 skipped=1 seconds=5"]))

    def test_a_skip_list_without_reasons_is_refused(self):
        self.assertEqual(tally({"unit": PASSED}, allowed="a: X.Three\n")[0], 1)

    def test_a_broken_step_fails_even_when_no_test_did(self):
        for broken in ("build", "unit"):
            status, lines = tally({"unit": PASSED}, broken=broken)
            self.assertEqual((status, lines[0]), (1, f"failed: step {broken}"))

    def test_nothing_run_fails(self):
        self.assertEqual(tally({})[0], 1)


if __name__ == "__main__":
    unittest.main()
