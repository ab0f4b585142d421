"""Compares what two servers answered to one sequence: errors, data, Stat, paths, events and where
they stand among the replies. Zxids and session ids are other numbers on each server, so they are
compared by what they are equal to and by their order."""

import bisect
import dataclasses
import pathlib
import re

from steps import Close, Open, Until

ALLOWED_MAX = 15
_LINE = re.compile(r"^(?P<field>[\w.]+)(?:=(?P<theirs>\S+)/(?P<ours>\S+))? (?P<operation>\w+) "
                   r"Z\d+(?:,Z\d+)* : \S")
_INDEX = re.compile(r"^\[\d+\]\.")


class BadAllowed(Exception):
    """The list of allowed differences can't be read."""


@dataclasses.dataclass
class Allowed:
    """A difference that is meant: of one field in answers to one operation (`event` and `handshake`
    are such, too), and of two values only when it names them."""
    field: str
    operation: str
    values: tuple  # theirs and ours, as text; empty: any
    text: str
    used: int = 0

    def holds(self, field, operation, theirs, ours):
        return (self.field, self.operation) == (field, operation) and \
            self.values in ((), (str(theirs), str(ours)))

    @staticmethod
    def read(path):
        found = []
        for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.match(line)
            if not match:
                raise BadAllowed(f"{path}:{number}: write 'FIELD OPERATION RULE : reason', or "
                                 "FIELD=THEIRS/OURS")
            values = (match["theirs"], match["ours"]) if match["theirs"] else ()
            found.append(Allowed(match["field"], match["operation"], values, line))
        if len(found) > ALLOWED_MAX:
            raise BadAllowed(f"{path} has {len(found)} lines, at most {ALLOWED_MAX} are allowed")
        return found


@dataclasses.dataclass(frozen=True)
class Difference:
    step: int
    connection: str
    operation: str
    field: str
    theirs: str
    ours: str


class OrderedPairs:
    """Pairs of a number here and a number there that have the same order on both sides."""

    def __init__(self):
        self._theirs = []
        self._ours = []

    def add(self, theirs, ours):
        """False, and nothing is added, when that contradicts a pair before. Numbers up to 0 mean
        what they are."""
        if theirs <= 0 or ours <= 0:
            return theirs == ours
        at = bisect.bisect_left(self._theirs, theirs)
        if at < len(self._theirs) and self._theirs[at] == theirs:
            return self._ours[at] == ours
        if (at > 0 and self._ours[at - 1] >= ours) or \
                (at < len(self._ours) and self._ours[at] <= ours):
            return False
        self._theirs.insert(at, theirs)
        self._ours.insert(at, ours)
        return True


class Comparison:
    """Of one sequence. `named` gives a session's name for its id.

    A zxid that only one server takes for something shows in the headers of all replies until both
    take another: so it counts as a difference of what took it. `attach` is such an operation, too.
    """

    def __init__(self, allowed, their_named, our_named):
        self._allowed = allowed
        self._their_named = their_named
        self._our_named = our_named
        self._zxids = OrderedPairs()
        self._newest = (0, 0)
        self._took = None  # the operation that only one server takes a zxid for
        self.differences = []
        self.allowed = 0

    def compare(self, theirs, ours):
        """Lists of Played; returns the differences that are not allowed."""
        for number, (their, our) in enumerate(zip(theirs, ours)):
            if isinstance(their.step, Open) and their.step.attaches():
                self._took = "attach"
            if their.silent or our.silent:  # also both: the rest of the sequence was not compared
                self._differ(number, "", "server", "silent", their.silent, our.silent)
            for connection in sorted({*their.frames, *our.frames}):
                self._compare_frames(number, connection,
                                     self._frames(their, connection), self._frames(our, connection))
        if len(theirs) != len(ours) and not self.differences:
            self._differ(min(len(theirs), len(ours)), "", "server", "steps", len(theirs), len(ours))
        return self.differences

    @staticmethod
    def _frames(played, connection):
        """Events of the end of a session, which deletes many znodes, come in no promised order."""
        frames = played.frames.get(connection, [])
        if not isinstance(played.step, (Close, Until)):
            return frames
        ordered, events = [], []
        for frame in frames:
            if frame.op == "event":
                events.append(frame)
                continue
            ordered += sorted(events, key=_path_and_type) + [frame]
            events = []
        return ordered + sorted(events, key=_path_and_type)

    def _compare_frames(self, step, connection, theirs, ours):
        if [frame.op for frame in theirs] != [frame.op for frame in ours]:
            operation = next((frame.op for frame in theirs + ours
                              if frame.op not in ("event", "closed")), "event")
            self._differ(step, connection, operation, "order", _shown(theirs), _shown(ours))
            return
        for their, our in zip(theirs, ours):
            self._compare_fields(step, connection, their, our)

    def _compare_fields(self, step, connection, their, our):
        names = [field.name for field in their.fields]
        if names != [field.name for field in our.fields]:
            error = their.value("err"), our.value("err")
            if error[0] != error[1]:
                self._differ(step, connection, their.op, "err", *error)
            else:
                self._differ(step, connection, their.op, "fields", their, our)
            return
        for theirs, ours in zip(their.fields, our.fields):
            if theirs.name == "zxid" and their.op != "event":
                self._compare_newest(step, connection, their.op, theirs.value, ours.value)
            elif not self._same(theirs, ours):
                self._differ(step, connection, their.op, theirs.name, theirs.value, ours.value)

    def _compare_newest(self, step, connection, operation, theirs, ours):
        """The zxid in a header: the newest that the server knew (Z8)."""
        if theirs > self._newest[0] and ours > self._newest[1]:
            self._took = None
        self._newest = max(theirs, self._newest[0]), max(ours, self._newest[1])
        if self._zxids.add(theirs, ours):
            return
        self._took = self._took or operation
        self._differ(step, connection, operation, "zxid", theirs, ours, counts_for=self._took)

    def _same(self, theirs, ours):
        if theirs.kind == "zxid":
            return self._zxids.add(theirs.value, ours.value)
        if theirs.kind == "session":
            return self._their_named(theirs.value) == self._our_named(ours.value)
        return theirs.value == ours.value

    def _differ(self, step, connection, operation, field, theirs, ours, counts_for=None):
        plain = _INDEX.sub("", field)
        for allowed in self._allowed:
            if allowed.holds(plain, counts_for or operation, theirs, ours):
                allowed.used += 1
                self.allowed += 1
                return
        self.differences.append(
            Difference(step, connection, operation, field, str(theirs), str(ours)))


def _path_and_type(event):
    return event.value("path"), event.value("type")


def _shown(frames):
    return ", ".join(frame.op if frame.op != "event" else
                     f"event(type={frame.value('type')} {frame.value('path')})" for frame in frames)
