#!/usr/bin/env python3
"""comparison.py sees every kind of difference, and only those."""

import dataclasses
import pathlib
import tempfile
import unittest

from comparison import Allowed, BadAllowed, Comparison, OrderedPairs
from jute import Writer
from player import Played
from random_sequences import random_sequence
from raw_connection import CLOSED, Frame
from registry import directed, names
from steps import Close, Open, Send
from wire import create, event_fields, exists, get_children, multi, reply_fields
import directed_access  # pylint: disable=unused-import
import directed_sessions  # pylint: disable=unused-import
import directed_watches  # pylint: disable=unused-import
import directed_znodes  # pylint: disable=unused-import

SEND = Send("a", ())


def stat(zxid, **changes):
    values = {"czxid": zxid, "mzxid": zxid, "ctime": 5, "mtime": 5, "version": 0, "cversion": 0,
              "aversion": 0, "owner": 0, "length": 0, "children": 0, "pzxid": zxid, **changes}
    writer = Writer()
    for name, value in values.items():
        wide = name in ("czxid", "mzxid", "ctime", "mtime", "owner", "pzxid")
        writer = writer.long(value) if wide else writer.int(value)
    return writer.bytes()


def reply(request, zxid, body=b"", error=0):
    return Frame(request.op, tuple(reply_fields(request, zxid, error, body)))


def event(path, type_=3, zxid=-1):
    body = Writer().int(type_).int(3).text(path).bytes()
    return Frame("event", tuple(event_fields(zxid, 0, body)))


def compare(theirs, ours, allowed=(), step=SEND):
    """The fields that differ; each side is the frames of one step on one connection."""
    comparison = Comparison(allowed, lambda session: {7: "a"}.get(session, session),
                            lambda session: {9: "a"}.get(session, session))
    found = comparison.compare([Played(step, {"a": theirs})], [Played(step, {"a": ours})])
    return [difference.field for difference in found]


class ComparisonTest(unittest.TestCase):
    def test_same_but_for_numbers(self):
        theirs = [reply(exists("/n"), 10, stat(8)), reply(exists("/n"), 12, stat(12, owner=7))]
        ours = [reply(exists("/n"), 110, stat(80)), reply(exists("/n"), 190, stat(190, owner=9))]
        self.assertEqual(compare(theirs, ours), [])

    def test_each_field_of_stat(self):
        for name, field in [("version", "version"), ("cversion", "cversion"), ("owner",
                            "ephemeralOwner"), ("aversion", "aversion"), ("length", "dataLength"),
                            ("children", "numChildren"), ("ctime", "times")]:
            theirs = [reply(exists("/n"), 10, stat(8))]
            ours = [reply(exists("/n"), 10, stat(8, **{name: 1}))]
            self.assertEqual(compare(theirs, ours), [f"stat.{field}"])

    def test_zxids_by_identity_and_order(self):
        first = reply(exists("/n"), 10, stat(8))
        for zxid, pzxid, differs in [(10, 8, []), (10, 9, ["stat.pzxid"]), (8, 8, ["zxid"]),
                                     (9, 8, ["zxid"]), (10, 10, ["stat.pzxid"])]:
            ours = [first, reply(exists("/n"), zxid, stat(8, pzxid=pzxid))]
            theirs = [first, reply(exists("/n"), 10, stat(8))]
            self.assertEqual(compare(theirs, ours), differs)

    def test_pairs_of_numbers(self):
        pairs = OrderedPairs()
        for theirs, ours in ((5, 50), (9, 90), (5, 50), (-1, -1), (0, 0)):
            self.assertTrue(pairs.add(theirs, ours), (theirs, ours))
        for theirs, ours in ((5, 51), (4, 50), (6, 90), (10, 60), (7, 95), (0, 3), (3, -1)):
            self.assertFalse(pairs.add(theirs, ours), (theirs, ours))
        self.assertTrue(pairs.add(7, 70))

    def test_errors_and_bodies(self):
        made = create("/n")
        self.assertEqual(compare([reply(made, 3, error=-110)], [reply(made, 3, error=-101)]),
                         ["err"])
        self.assertEqual(compare([reply(made, 3, Writer().text("/n").bytes())],
                                 [reply(made, 3, error=-101)]), ["err"])
        self.assertEqual(compare([reply(made, 3, Writer().text("/n").bytes())],
                                 [reply(made, 3, Writer().text("/m").bytes())]), ["path"])
        self.assertEqual(compare([reply(made, 3, Writer().text("/n").bytes())],
                                 [reply(made, 3, Writer().text("/n").int(0).bytes())]), ["fields"])
        self.assertEqual(compare([reply(made, 3, Writer().text("/n").bytes())],
                                 [reply(made, 3, b"\0\0")]), ["fields"])

    def test_children_are_a_set(self):
        asked = get_children("/")
        theirs = [reply(asked, 3, Writer().texts(["a", "b"]).bytes())]
        self.assertEqual(compare(theirs, [reply(asked, 3, Writer().texts(["b", "a"]).bytes())]), [])
        self.assertEqual(compare(theirs, [reply(asked, 3, Writer().texts(["a"]).bytes())]),
                         ["children"])

    def test_results_of_transactions(self):
        asked = multi(create("/n"))
        end = Writer().int(-1).bool(True).int(-1).bytes()
        failed = Writer().int(-1).bool(False).int(-101).int(-101).bytes() + end
        other = Writer().int(-1).bool(False).int(-101).int(-110).bytes() + end
        self.assertEqual(compare([reply(asked, 3, failed)], [reply(asked, 3, failed)]), [])
        self.assertEqual(compare([reply(asked, 3, failed)], [reply(asked, 3, other)]),
                         ["[0].error"])

    def test_where_events_stand(self):
        answer = reply(exists("/n"), 3, stat(3))
        for ours in ([answer, event("/n")], [answer], [event("/n"), event("/n"), answer]):
            self.assertEqual(compare([event("/n"), answer], ours), ["order"])
        self.assertEqual(compare([event("/n"), answer], [event("/m"), answer]), ["path"])
        self.assertEqual(compare([event("/n"), answer], [event("/n", 1), answer]), ["type"])
        self.assertEqual(compare([answer, CLOSED], [answer]), ["order"])

    def test_events_of_the_end_of_a_session_are_a_set(self):
        theirs, ours = [event("/n"), event("/m")], [event("/m"), event("/n")]
        self.assertEqual(compare(theirs, ours), ["path", "path"])
        self.assertEqual(compare(theirs, ours, step=Close("a")), [])
        self.assertEqual(compare(theirs, ours[:1], step=Close("a")), ["order"])

    def test_silence(self):
        found = Comparison([], str, str).compare(
            [Played(SEND, {})], [Played(SEND, {}, silent="no answer in time")])
        self.assertEqual([difference.field for difference in found], ["silent"])
        for theirs, ours in (("late", ""), ("late", "late"), ("late", "no answer in time")):
            found = Comparison([], str, str).compare(
                [Played(SEND, {}), Played(SEND, {}, silent=theirs)],
                [Played(SEND, {}), Played(SEND, {}, silent=ours)])
            self.assertEqual([(difference.step, difference.field) for difference in found],
                             [(1, "silent")])
        found = Comparison([], str, str).compare([Played(SEND, {})] * 2, [Played(SEND, {})])
        self.assertEqual([difference.field for difference in found], ["steps"])


class AllowedTest(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "allowed.txt")
            path.write_text(text)
            return Allowed.read(path)

    def test_one_field_of_one_operation(self):
        allowed = self.read("# why\n\nzxid event Z34 : another one\n")
        theirs, ours = [event("/n")], [event("/n", zxid=5)]
        self.assertEqual(compare(theirs, ours), ["zxid"])
        self.assertEqual(compare(theirs, ours, allowed), [])
        self.assertEqual(allowed[0].used, 1)
        self.assertEqual(compare([event("/n")], [event("/m")], allowed), ["path"])
        self.assertEqual(compare([reply(exists("/n"), 0)], [reply(exists("/n"), 5)], allowed),
                         ["zxid"])

    def test_two_values_only(self):
        allowed = self.read("err=0/-102 exists Z50 : since 3.9.2\n")
        for ours, differs in ((-102, []), (-101, ["err"])):
            self.assertEqual(compare([reply(exists("/n"), 3, stat(3))],
                                     [reply(exists("/n"), 3, error=ours)], allowed), differs)

    def test_zxids_that_only_one_server_takes(self):
        """Seen in all headers until both take another."""
        allowed = self.read("zxid attach Z7 : a command\n")
        asked = exists("/n")
        before, again = (Played(SEND, {"a": [reply(asked, 5, stat(3))]}) for _ in range(2))
        later = Played(SEND, {"a": [reply(asked, 9, stat(3)), reply(asked, 5, stat(3))]})
        ours_again = Played(SEND, {"a": [reply(asked, 6, stat(3))]})
        ours_later = Played(SEND, {"a": [reply(asked, 9, stat(3)), reply(asked, 6, stat(3))]})
        for step, differs in ((Open("b", resume="a"), ["zxid"]), (Open("b"), ["zxid", "zxid"])):
            attach = Played(step, {})
            comparison = Comparison(allowed, str, str)
            found = comparison.compare([before, attach, again, later],
                                       [before, attach, ours_again, ours_later])
            self.assertEqual([difference.field for difference in found], differs)

    def test_lines_that_are_not(self):
        for text in ("zxid event Z34 another one", "zxid Z34 : why", "zxid event : why",
                     "zxid event K3 : why", "zxid event Z34 : "):
            with self.assertRaises(BadAllowed):
                self.read(text)
        with self.assertRaises(BadAllowed):
            self.read("zxid event Z34 : why\n" * 16)


class SequencesTest(unittest.TestCase):
    def test_directed_ones_can_be_made(self):
        self.assertEqual(len(names()), len(set(names())))
        for name in names():
            self.assertTrue(directed(name, "/root").steps, name)

    def test_a_seed_always_gives_the_same(self):
        def shown(seed):
            return [str(step) for step in random_sequence(seed, "/root").steps]
        self.assertEqual(shown(3), shown(3))
        self.assertNotEqual(shown(3), shown(4))

    def test_those_in_which_time_passes(self):
        for name, expected in (("timeouts", True), ("ttls_that_pass", True),
                               ("session_that_moves", False)):
            self.assertEqual(directed(name, "/root").depends_on_time(), expected, name)

    def test_transcripts_can_be_printed(self):
        frame = reply(exists("/n"), 3, stat(3))
        self.assertIn("stat.czxid=3", str(frame))
        self.assertTrue(dataclasses.is_dataclass(frame))


if __name__ == "__main__":
    unittest.main()
