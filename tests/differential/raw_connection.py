"""One connection to a server that speaks ZooKeeper's protocol: bytes as they are, no session kept
alive, nothing tried again."""

import collections
import dataclasses
import socket
import struct
import time

from jute import Reader, Writer
from wire import AUTH_XID, EVENT_XID, PING_XID, Field, event_fields, reply_fields

REPLY_SECONDS = 10
CLOSE_SECONDS = 5
CONNECT_SECONDS = 5
FRAME_BYTES_MAX = 64 << 20
NO_PASSWORD = bytes(16)


class Silent(Exception):
    """No answer in time."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """What came: a reply, an event, a handshake, or `closed`; `op` is what a reply answers."""
    op: str
    fields: tuple = ()

    def __str__(self):
        return " ".join([self.op] + [f"{field.name}={field.value!r}" for field in self.fields])

    def value(self, name):
        return next((field.value for field in self.fields if field.name == name), None)


CLOSED = Frame("closed")


@dataclasses.dataclass(frozen=True)
class Handshake:
    """What a client says first. `read_only` None: the byte is left out, as old clients do."""
    timeout_ms: int = 10_000
    session: int = 0
    password: bytes = NO_PASSWORD
    last_zxid: int = 0
    read_only: bool = False
    protocol: int = 0

    def encode(self):
        writer = Writer().int(self.protocol).long(self.last_zxid).int(self.timeout_ms)
        writer.long(self.session).buffer(self.password)
        if self.read_only is not None:
            writer.bool(self.read_only)
        return writer.bytes()


def framed(body):
    return struct.pack(">i", len(body)) + body


class RawConnection:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self._next_xid = 1
        self._unanswered = collections.deque()  # (xid, request)
        self._out_of_turn = collections.defaultdict(collections.deque)  # likewise, by a fixed xid
        self.is_closed = False
        self.is_shaken = False
        self.last_zxid = 0
        self.session = 0
        self.password = NO_PASSWORD

    def close(self):
        self.is_closed = True
        self._socket.close()

    # ---- Sending ----

    def send_bytes(self, data):
        """What a server that has closed never reads is no error: reading tells."""
        if self.is_closed:
            return
        try:
            self._socket.settimeout(REPLY_SECONDS)
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except socket.timeout as error:
            raise Silent("the server reads no further") from error

    def encode(self, requests, zxid_of):
        """Frames of requests, whose replies are awaited from now on."""
        data = b""
        for request in requests:
            xid = request.xid
            if xid == 0:
                xid = self._next_xid
                self._next_xid += 1
            waiting = self._out_of_turn[xid] if xid in (PING_XID, AUTH_XID) else self._unanswered
            waiting.append((xid, request))
            data += framed(struct.pack(">ii", xid, request.code) + request.encode(zxid_of))
        return data

    def send(self, requests, zxid_of):
        self.send_bytes(self.encode(requests, zxid_of))

    # ---- Receiving ----

    def _read(self, deadline):
        """One frame's bytes, or None when the server has closed."""
        while True:
            if len(self._received) >= 4:
                length = struct.unpack(">i", self._received[:4])[0]
                if not 0 <= length <= FRAME_BYTES_MAX:
                    raise Silent(f"a frame of {length} bytes is announced")
                if len(self._received) >= 4 + length:
                    frame = bytes(self._received[4:4 + length])
                    del self._received[:4 + length]
                    return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise Silent("no answer in time")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(1 << 16)
            except socket.timeout as error:
                raise Silent("no answer in time") from error
            except ConnectionResetError:
                data = b""
            if not data:
                self.close()
                return None
            self._received += data

    def receive(self, seconds=REPLY_SECONDS):
        """The next frame, decoded, or CLOSED. Raises Silent."""
        if self.is_closed:
            return CLOSED
        data = self._read(time.monotonic() + seconds)
        if data is None:
            return CLOSED
        if not self.is_shaken:
            return self._shaken(data)
        reader = Reader(data)
        xid, zxid, error = reader.int(), reader.long(), reader.int()
        if zxid > 0:
            self.last_zxid = max(self.last_zxid, zxid)
        if xid == EVENT_XID:
            return Frame("event", tuple(event_fields(zxid, error, reader.left())))
        waiting = self._out_of_turn.get(xid) or self._unanswered
        if not waiting:
            return Frame("unexpected", (Field("xid", "plain", xid),))
        expected, request = waiting.popleft()
        fields = reply_fields(request, zxid, error, reader.left())
        if expected != xid:
            fields.append(Field("xid", "plain", f"{xid} in place of {expected}"))
        return Frame(request.op, tuple(fields))

    def unanswered(self):
        return len(self._unanswered) + sum(map(len, self._out_of_turn.values()))

    def receive_all(self):
        """Frames until everything sent is answered, or the server closes."""
        frames = []
        while self.unanswered() > 0:
            frames.append(self.receive())
            if frames[-1] is CLOSED:
                break
        return frames

    def receive_until_closed(self, seconds=CLOSE_SECONDS):
        """Frames up to CLOSED; without it the server has left the connection open."""
        frames = []
        deadline = time.monotonic() + seconds
        while not frames or frames[-1] is not CLOSED:
            try:
                frames.append(self.receive(max(0.01, deadline - time.monotonic())))
            except Silent:
                break
        return frames

    # ---- The handshake ----

    def shake(self, handshake):
        self.send_bytes(framed(handshake.encode()))

    def _shaken(self, data):
        self.is_shaken = True
        reader = Reader(data)
        protocol, timeout, session = reader.int(), reader.int(), reader.long()
        password = reader.buffer()
        self.session, self.password = session, password
        kind = "none" if password is None else "zeros" if not any(password) else "secret"
        fields = [Field("protocol", "plain", protocol), Field("timeout", "plain", timeout),
                  Field("session", "session", session),
                  Field("password", "plain", f"{len(password or b'')} bytes, {kind}"),
                  Field("read_only", "plain", reader.left().hex())]
        return Frame("handshake", tuple(fields))
