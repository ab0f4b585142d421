"""What sequences are made of. A step is played on one server and gives the frames that came of it,
in their order; `Player` (player.py) is what it is played with.

One connection is busy at a time, with as many requests in flight as the step has, and all others
are asked for their events before the next step: so what comes does not depend on who is faster.
"""

import dataclasses
import os
import typing

from raw_connection import CLOSE_SECONDS, NO_PASSWORD, Handshake
from wire import Request

# As for the servers: multiplies what a slow machine or a sanitizer makes too short.
TIME_SCALE = max(1.0, float(os.environ.get("BELL_TIME_SCALE") or 1))


@dataclasses.dataclass(frozen=True)
class Open:
    """Connects. `resume` names an earlier connection whose session is attached again. `then` is
    sent right behind the handshake, before its answer. `last_zxid`: a mark's name, or a number."""
    connection: str
    timeout_ms: int = 10_000
    resume: typing.Optional[str] = None
    session: typing.Optional[int] = None  # another one than `resume` says
    password: typing.Optional[bytes] = None  # likewise
    last_zxid: typing.Union[int, str] = 0
    read_only: typing.Optional[bool] = False
    then: typing.Tuple[Request, ...] = ()

    def attaches(self):
        """Rather than opening a session."""
        return self.resume is not None or self.session is not None

    def __str__(self):
        words = [f"open {self.connection}", f"timeout={self.timeout_ms}"]
        words += [f"resume={self.resume}"] if self.resume else []
        words += [f"last_zxid={self.last_zxid}"] if self.last_zxid else []
        return " ".join(words + [f"read_only={self.read_only}"] + [r.shown for r in self.then])

    def play(self, player):
        resumed = player.session_of(self.resume) if self.resume else (0, NO_PASSWORD)
        session = resumed[0] if self.session is None else self.session
        password = resumed[1] if self.password is None else self.password
        handshake = Handshake(self.timeout_ms, session, password, player.zxid_of(self.last_zxid),
                              self.read_only)
        return player.open(self.connection, handshake, self.then)


@dataclasses.dataclass(frozen=True)
class Send:
    """Requests in one piece, and all their answers."""
    connection: str
    requests: typing.Tuple[Request, ...]

    def __str__(self):
        return f"{self.connection}: " + " | ".join(request.shown for request in self.requests)

    def play(self, player):
        return player.send(self.connection, self.requests)


@dataclasses.dataclass(frozen=True)
class SendUntilClosed:
    """Requests after which the server should close; what came before."""
    connection: str
    requests: typing.Tuple[Request, ...] = ()
    seconds: float = CLOSE_SECONDS

    def __str__(self):
        return f"{self.connection}, until closed: " + " | ".join(r.shown for r in self.requests)

    def play(self, player):
        return player.send_until_closed(self.connection, self.requests, self.seconds)


@dataclasses.dataclass(frozen=True)
class SendBytes:
    """Bytes that may be no frame; what came until the server closed."""
    connection: str
    data: bytes

    def __str__(self):
        return f"{self.connection}: bytes {self.data[:40].hex()}, {len(self.data)} in all"

    def play(self, player):
        return player.send_bytes(self.connection, self.data)


@dataclasses.dataclass(frozen=True)
class Close:
    """closeSession behind other requests; what came until the server closed."""
    connection: str
    before: typing.Tuple[Request, ...] = ()

    def __str__(self):
        return f"close {self.connection}" + "".join(f" after {r.shown}" for r in self.before)

    def play(self, player):
        return player.close(self.connection, self.before)


@dataclasses.dataclass(frozen=True)
class Drop:
    """The client's end of the connection goes away; its session stays."""
    connection: str

    def __str__(self):
        return f"drop {self.connection}"

    def play(self, player):
        return player.drop(self.connection)


@dataclasses.dataclass(frozen=True)
class Mark:
    """A name for the newest zxid that a connection was told."""
    name: str
    connection: str

    def __str__(self):
        return f"mark {self.name} = newest zxid of {self.connection}"

    def play(self, player):
        return player.mark(self.name, self.connection)


@dataclasses.dataclass(frozen=True)
class Until:
    """Asks again until the answer has this error; the last answer's error is all that is kept.
    `seconds`, times TIME_SCALE, is how long at most."""
    connection: str
    request: Request
    error: int
    seconds: float

    def __str__(self):
        return f"{self.connection}: {self.request.shown} until error {self.error}"

    def play(self, player):
        return player.until(self.connection, self.request, self.error, self.seconds * TIME_SCALE)


@dataclasses.dataclass(frozen=True)
class Word:
    """A four-letter word on a connection of its own; `keep` makes of the answer what counts."""
    word: str
    keep: typing.Callable = lambda text: text

    def __str__(self):
        return f"word {self.word}"

    def play(self, player):
        return player.word(self.word, self.keep)


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Steps that show rules (Z numbers, for people), begun with an empty znode `root` of its
    own."""
    name: str
    rules: str
    root: str
    steps: tuple

    def depends_on_time(self):
        """Whether sessions are silent in it, or it waits: on a machine that stands still for long
        enough they end."""
        return any(isinstance(step, (Drop, Until)) for step in self.steps)
