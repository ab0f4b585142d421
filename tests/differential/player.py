"""Plays a sequence on one server and keeps what it answered."""

import contextlib
import dataclasses
import socket
import time

from jute import Malformed
from raw_connection import (CLOSED, CONNECT_SECONDS, NO_PASSWORD, REPLY_SECONDS, Frame, Handshake,
                            RawConnection, Silent)
from wire import (Field, auth, close_session, create, delete, exists, get_children, ping)

SUPER = "super:secret"  # the servers are started with its hash
_OUT_OF_TURN = ("ping", "auth")
_NO_NODE = -101


@dataclasses.dataclass
class Played:
    """What one step gave: per connection the frames, and the reason when the server was silent."""
    step: object
    frames: dict
    silent: str = ""


class Player:
    """One sequence on one server. Used once."""

    def __init__(self, address, root):
        self._address = address
        self._root = root
        self._connections = {}
        self._sessions = {}  # (id, password) by the name of the connection that opened it
        self._names = {}     # the session's name by its id
        self._marks = {}
        self._last_op = None

    def play(self, steps):
        """A list of Played, which ends early when the server is silent."""
        played = []
        try:
            self._prepare()
            for step in steps:
                played.append(Played(step, {}))
                mine = getattr(step, "connection", "")
                frames = step.play(self)
                played[-1].frames = {mine: self._in_turn(frames)}
                played[-1].frames.update(self._events_of_others(mine))
            self._clean_up()
        except (Silent, Malformed, OSError) as error:
            if not played:
                played.append(Played("prepare", {}))
            played[-1].silent = str(error) or type(error).__name__
            with contextlib.suppress(Silent, Malformed, OSError):
                self._clean_up()  # sessions that are left would end during a later sequence
        finally:
            self._abandon()
        return played

    def named(self, session):
        """How a transcript names a session's id."""
        return self._names.get(session, session)

    # ---- What steps are made of ----

    def session_of(self, connection):
        """Id and password; of none when the server gave none."""
        return self._sessions.get(connection, (0, NO_PASSWORD))

    def zxid_of(self, mark):
        return mark if isinstance(mark, int) else self._marks[mark]

    def open(self, name, handshake, then):
        connection = RawConnection(self._address)
        self._connections[name] = connection
        connection.shake(handshake)
        if then:
            connection.send(then, self.zxid_of)
        frames = [connection.receive()]
        if frames[0] is CLOSED:
            return frames
        if connection.session != 0:
            self._sessions[name] = (connection.session, connection.password)
            self._names.setdefault(connection.session, f"session of {name}")
            return frames + connection.receive_all()
        return frames + connection.receive_until_closed()

    def send(self, name, requests):
        connection = self._connections[name]
        connection.send(requests, self.zxid_of)
        return connection.receive_all()

    def send_until_closed(self, name, requests, seconds):
        connection = self._connections[name]
        connection.send(requests, self.zxid_of)
        return connection.receive_until_closed(seconds)

    def send_bytes(self, name, data):
        connection = self._connections[name]
        connection.send_bytes(data)
        return connection.receive_until_closed()

    def close(self, name, before):
        frames = self.send_until_closed(name, (*before, close_session()), REPLY_SECONDS)
        self._sessions.pop(name, None)
        return frames

    def drop(self, name):
        self._connections[name].close()
        return []

    def mark(self, name, connection):
        self._marks[name] = self._connections[connection].last_zxid
        return []

    def until(self, name, request, error, seconds):
        deadline = time.monotonic() + seconds
        seen = None
        while seen != error and time.monotonic() < deadline:
            frame = next(frame for frame in reversed(self.send(name, [request]))
                         if frame.op != "event")
            seen = frame.value("err")
            if seen != error:
                time.sleep(0.05)  # between two questions, not for a condition
        return [Frame("until", (Field("err", "plain", seen),))]

    def word(self, word, keep):
        host, _, port = self._address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS) as stream:
            stream.settimeout(REPLY_SECONDS)
            stream.sendall(word.encode())
            answer = b""
            while data := stream.recv(1 << 16):
                answer += data
        return [Frame("word", (Field("text", "plain", keep(answer.decode())),))]

    # ---- Around the steps ----

    def _events_of_others(self, mine):
        """Events that a step's changes sent to others are before the answer to what they ask next
        (Z25); a read is what reveals a change, a ping is not."""
        found = {}
        for name, connection in self._connections.items():
            if name == mine or connection.is_closed:
                continue
            connection.send([exists("/")], self.zxid_of)
            frames = connection.receive_all()
            kept = [frame for frame in frames if frame.op != "exists"]
            if kept:
                found[name] = kept
        return found

    @staticmethod
    def _in_turn(frames):
        """Pings and auths are answered when they come, which is before or after what is under way:
        they go behind all that has an order (Z46), without the zxid that depends on when."""
        if len(frames) < 2:
            return frames
        ordered = [frame for frame in frames if frame.op not in _OUT_OF_TURN]
        others = [Frame(frame.op, tuple(f for f in frame.fields if f.kind != "zxid"))
                  for frame in frames if frame.op in _OUT_OF_TURN]
        return ordered + sorted(others, key=str)

    def _open_own(self):
        connection = RawConnection(self._address)
        connection.shake(Handshake(timeout_ms=30_000))
        connection.receive()
        connection.send([auth("digest", SUPER)], self.zxid_of)
        connection.receive_all()
        return connection

    def _close_own(self, connection):
        connection.send([close_session()], self.zxid_of)
        connection.receive_until_closed()

    def _prepare(self):
        connection = self._open_own()
        self._ask(connection, create(self._root))
        self._close_own(connection)

    def _ask(self, connection, request):
        connection.send([request], self.zxid_of)
        return connection.receive_all()[-1]

    def _clean_up(self):
        """Ends all sessions and deletes what is left, so that the next sequence finds what this one
        found."""
        for name, connection in self._connections.items():
            if not connection.is_closed and connection.session != 0:
                connection.send([close_session()], self.zxid_of)
                connection.receive_until_closed()
                self._sessions.pop(name, None)
        for session, password in list(self._sessions.values()):
            connection = RawConnection(self._address)
            connection.shake(Handshake(session=session, password=password))
            if connection.receive() is not CLOSED and connection.session != 0:
                self._close_own(connection)
        connection = self._open_own()
        self._delete_below(connection, self._root)
        self._close_own(connection)

    def _delete_below(self, connection, path):
        listed = self._ask(connection, get_children(path))
        if listed.value("err") == 0:
            for child in listed.value("children") or ():
                self._delete_below(connection, f"{path}/{child}")
        deleted = self._ask(connection, delete(path))
        if deleted.value("err") not in (0, _NO_NODE):
            raise Silent(f"{path} can't be deleted: {deleted}")

    def _abandon(self):
        for connection in self._connections.values():
            connection.close()


def wait_until_served(address, seconds=60, has_ended=lambda: False):
    """Returns when a session can be opened there. `has_ended` tells whether the server is gone, for
    which nobody needs to wait."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = RawConnection(address)
            connection.shake(Handshake(timeout_ms=4_000))
            frame = connection.receive()
            if frame is not CLOSED and connection.session != 0:
                connection.send([ping(), close_session()], int)
                connection.receive_until_closed()
                return
            connection.close()
        except (OSError, Silent) as error:
            last = error
        else:
            last = "it closes connections"
        if has_ended():
            raise Silent(f"the server at {address} has ended")
        if time.monotonic() > deadline:
            raise Silent(f"{address} opens no session within {seconds} s: {last}")
        time.sleep(0.1)
