#!/usr/bin/env python3
"""How tests/readme/run reads blocks and compares output."""

import importlib.machinery
import importlib.util
import pathlib
import unittest

_PATH = pathlib.Path(__file__).with_name("run")
_LOADER = importlib.machinery.SourceFileLoader("readme_run", str(_PATH))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("readme_run", _LOADER))
_LOADER.exec_module(run)


class BlocksTest(unittest.TestCase):
    def test_commands_and_their_output(self):
        commands = run.commands_of("$ no\n```console\n$ a\n1\n2\n$ b \\\n  c\n```\n```sh\n$ no\n```\n")
        self.assertEqual([(c.line, c.text, c.expected) for c in commands],
                         [(3, "a", ["1", "2"]), (6, "b \\\n  c", [])])

    def test_only_commands_before_echo_status_may_fail(self):
        commands = run.commands_of("```console\n$ false\n$ echo $?\n1\n$ false\n```\n")
        self.assertEqual([c.may_fail for c in commands], [True, False, False])


class ToolsTest(unittest.TestCase):
    def test_tools_of_the_table_are_not_run(self):
        for text, tool in (("tests/run --full  # all", "tests/run"), ("deploy/quickstart", "deploy/quickstart"),
                           ("bell dev up", None), ("tests/runs", None), ("# nothing", None)):
            self.assertEqual(run.tool_only_checked(run.Command(1, text, [])), tool)


class MatchesTest(unittest.TestCase):
    def test_exact(self):
        self.assertTrue(run.matches(["a.b"], ["a.b"]))
        self.assertFalse(run.matches(["a.b"], ["axb"]))
        self.assertFalse(run.matches([], ["more"]))
        self.assertFalse(run.matches(["a"], []))

    def test_any_lines(self):
        for actual in (["a", "z"], ["a", "b", "c", "z"]):
            self.assertTrue(run.matches(["a", "...", "z"], actual))
        self.assertFalse(run.matches(["a", "...", "z"], ["a", "b"]))
        self.assertTrue(run.matches(["..."], []))

    def test_parts_of_lines(self):
        uuid = "01234567-89ab-cdef-fedc-ba9876543210"
        self.assertTrue(run.matches(["id=<N> at <PORT> ..., <UUID>"], [f"id=7 at h:1 x y, {uuid}"]))
        self.assertFalse(run.matches(["id=<N>"], ["id=x"]))
        self.assertFalse(run.matches(["<UUID>"], [uuid[1:]]))
        self.assertFalse(run.matches(["at <PATH>."], ["at a b."]))


class ShellTest(unittest.TestCase):
    def run_block(self, block):
        return run.run_in_scratch(run.commands_of(f"```console\n{block}```\n"))

    def test_commands_share_one_shell(self):
        self.assertEqual(self.run_block("$ x=5; touch f\n$ echo $x; ls f; printf no-line-end\n"),
                         [(0, []), (0, ["5", "f", "no-line-end"])])

    def test_status_reaches_the_next_command(self):
        self.assertEqual(self.run_block("$ (exit 3)\n$ echo $?\n"), [(3, []), (0, ["3"])])

    def test_standard_error_is_output(self):
        self.assertEqual(self.run_block("$ echo wrong >&2\n"), [(0, ["wrong"])])

    def test_an_ended_shell_is_noticed(self):
        self.assertEqual(self.run_block("$ exit 0\n$ echo after\n"), [(None, []), (None, [])])


if __name__ == "__main__":
    unittest.main()
