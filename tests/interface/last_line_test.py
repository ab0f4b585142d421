#!/usr/bin/env python3
"""How tests/support/last_lines.py reads the table of last lines, and what it takes for a match."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from last_lines import tools  # noqa: E402  # pylint: disable=wrong-import-position

README = r"""
| `not/this` | `one: x=N` |

### Last lines of tools
| Command | Last line |
|---|---|
| `a/tool --runs 20 kill\|term` | `tool: mode=kill runs=20 worst_ms=B lost=0` |
| `b/tool [FILE]`, `--full` | `other: OK caught=C/T hours=H file=build/x.json` (`other(full): ...`) |

### Next
| `nor/this` | `two: x=N` |
"""


class LastLinesTest(unittest.TestCase):
    def setUp(self):
        self.first, self.second = tools(README)

    def assert_matches(self, expected, tool, arguments, line):
        self.assertEqual(tool.pattern(arguments).fullmatch(line) is not None, expected, line)

    def test_rows_of_the_table_only(self):
        self.assertEqual([self.first.path, self.second.path], ["a/tool", "b/tool"])

    def test_what_the_command_was_told_is_in_its_line(self):
        given = ["--runs", "2", "term"]
        self.assert_matches(True, self.first, given, "tool: mode=term runs=2 worst_ms=31 lost=0")
        self.assert_matches(False, self.first, given, "tool: mode=kill runs=20 worst_ms=31 lost=0")
        self.assert_matches(False, self.first, [], "tool: mode=kill runs=20 worst_ms=31 lost=0")

    def test_letters_are_numbers_and_all_else_is_exact(self):
        given = ["--runs", "2", "term"]
        for line in ("tool: mode=term runs=2 worst_ms=B lost=0",
                     "tool: mode=term runs=2 worst_ms=31 lost=1",
                     "tool: mode=term runs=2 worst_ms=31 lost=0 more=1",
                     "tool: mode=term runs=2 lost=0"):
            self.assert_matches(False, self.first, given, line)
        self.assert_matches(True, self.second, [], "other: OK caught=3/3 hours=1.50 file=build/x.json")
        self.assert_matches(False, self.second, [], "other: FAILED caught=3/3 hours=1.50 file=build/x.json")
        self.assert_matches(False, self.second, [], "other: OK caught=3/3 hours=1.50 file=build/xyjson")


if __name__ == "__main__":
    unittest.main()
