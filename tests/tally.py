#!/usr/bin/env python3
"""Sums CTest's JUnit files of one run of tests/run and prints the closing line.

A skipped test counts as failed unless tests/skips.allowed lists it, and so does a step that broke
without a failed test to show for it (install, build, time limit).
"""

import argparse
import fnmatch
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_allowed_skips(path):
    """Patterns (shell style) of test names, each followed by ': ' and the reason."""
    allowed = []
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, separator, reason = line.partition(" : ")
        if not separator or not reason.strip():
            sys.exit(f"{path}: '{line}' is not 'TEST NAME : REASON'")
        allowed.append((pattern.strip(), reason.strip()))
    return allowed


def reason_for(name, allowed):
    return next((reason for pattern, reason in allowed if fnmatch.fnmatchcase(name, pattern)), None)


def end_of_output(case):
    """What the test printed last, indented."""
    lines = (case.findtext("system-out") or "").splitlines()
    return "".join(f"\n    {line[:300]}" for line in lines[-30:])


def tally(results, allowed):
    """Returns (passed, [skipped], [failed]) of all JUnit files in a folder."""
    passed, skipped, failed = 0, [], []
    for file in sorted(results.glob("*.xml")):
        for case in ElementTree.parse(file).getroot().iter("testcase"):
            name, status = case.get("name"), case.get("status")
            if status == "run":
                passed += 1
            elif case.find("skipped") is not None:
                reason = reason_for(name, allowed)
                (skipped if reason else failed).append(
                    f"{name} ({reason or 'skipped, and not in tests/skips.allowed'})")
            else:
                failed.append(name + end_of_output(case))
    return passed, skipped, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", default="tests")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--skips", type=pathlib.Path, required=True)
    parser.add_argument("--broken-steps", default="", help="names of the steps that failed")
    parser.add_argument("results", type=pathlib.Path)
    options = parser.parse_args()

    passed, skipped, failed = tally(options.results, read_allowed_skips(options.skips))
    broken = options.broken_steps.split()
    failed += [f"step {name}" for name in broken if not (options.results / f"{name}.xml").exists()]
    if broken and not failed:
        failed = [f"step {name}" for name in broken]
    if not failed and passed == 0:
        failed = ["no test was run"]
    for line in skipped:
        print(f"skipped: {line}")
    for line in failed:
        print(f"failed: {line}")
    counts = f"passed={passed} skipped={len(skipped)} seconds={options.seconds}"
    if failed:
        print(f"{options.title}: FAILED failed={len(failed)} {counts}")
        return 1
    print(f"{options.title}: OK {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
