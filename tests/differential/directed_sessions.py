"""Directed sequences: handshakes, sessions, frames and words (Z9, Z36 to Z47, Z56, Z57)."""

import struct

from raw_connection import framed
from registry import at, each, sequence
from steps import TIME_SCALE, Close, Drop, Mark, Open, SendBytes, SendUntilClosed, Until, Word
from wire import (EPHEMERAL, auth, create, create2, exists, get_children, get_data, get_ephemerals,
                  multi, ping, raw, set_data, sync)

SHORT_MS = int(4_000 * TIME_SCALE)  # longer than a busy machine keeps a client from asking
LONG_MS = 10 * SHORT_MS  # of sessions that must outlive the short ones, and don't ask meanwhile


@sequence("Z9")
def client_that_saw_more(root):
    return [Open("a"), at("a", create(f"{root}/n")), Mark("seen", "a"),
            Open("b", last_zxid="seen"), Open("c", last_zxid=1 << 61), at("b", exists(f"{root}/n")),
            Drop("a"), Open("d", resume="a", last_zxid=1 << 61),
            Open("e", resume="a", last_zxid="seen"), at("e", exists(f"{root}/n"))]


@sequence("Z36 Z37 Z38")
def timeouts(_root):
    return [Open("a", timeout_ms=1), Open("b", timeout_ms=0), Open("c", timeout_ms=-5),
            Open("d", timeout_ms=7_777), Open("e", timeout_ms=2_000_000_000), Drop("d"),
            Open("f", resume="d", timeout_ms=3_333), Close("f")]


@sequence("Z39")
def sessions_that_are_not(_root):
    return [Open("a"), Drop("a"), Open("b", resume="a", password=b"x" * 16),
            Open("c", session=0x1234567890ab, password=bytes(16)), Open("d", session=-1),
            Open("e", resume="a", password=bytes(16)),
            Open("f", resume="a", password=b"short"), Open("g", resume="a", password=b""),
            Open("h", resume="a"), Close("h"), Open("i", resume="a")]


@sequence("Z40 Z41")
def sessions_that_expire(root):
    """Only the silent one; requests of any kind keep one alive."""
    return [Open("a", timeout_ms=LONG_MS), Open("b", timeout_ms=SHORT_MS),
            Open("c", timeout_ms=LONG_MS),
            at("b", create(f"{root}/e", flags=EPHEMERAL), create(f"{root}/f", flags=EPHEMERAL)),
            at("c", exists(f"{root}/e", watch=True), get_children(root, watch=True)), Drop("b"),
            Until("a", exists(f"{root}/e"), -101, 20),
            at("a", get_children(root), create(f"{root}/e", flags=EPHEMERAL)),
            Open("d", resume="b")]


@sequence("Z40")
def requests_keep_a_session_alive(root):
    """The session that asks has a timeout much shorter than the one whose end it waits for."""
    return [Open("a", timeout_ms=SHORT_MS), Open("b", timeout_ms=2 * SHORT_MS),
            at("a", create(f"{root}/mine", flags=EPHEMERAL)),
            at("b", create(f"{root}/theirs", flags=EPHEMERAL)), Drop("b"),
            Until("a", exists(f"{root}/theirs"), -101, 30), at("a", exists(f"{root}/mine"), ping())]


@sequence("Z42")
def session_that_moves(root):
    return [Open("a"), at("a", create(f"{root}/e", flags=EPHEMERAL), get_data(root, watch=True)),
            Open("b", resume="a"), at("b", exists(f"{root}/e"), set_data(root, b"1")),
            SendUntilClosed("a"), Open("c", resume="a"), at("c", create2(f"{root}/f",
                                                                         flags=EPHEMERAL)),
            Close("c"), Open("d"), at("d", get_children(root))]


@sequence("Z43")
def requests_behind_the_handshake(root):
    return [Open("a", then=(create(f"{root}/n"), get_data(f"{root}/n", watch=True),
                            set_data(f"{root}/n", b"1"), auth("digest", "alice:a"))),
            Drop("a"),
            Open("b", resume="a", then=(exists(f"{root}/n"), create(f"{root}/e", flags=EPHEMERAL))),
            Open("c", session=0x77, then=(create(f"{root}/never"),)),
            at("b", exists(f"{root}/never"))]


@sequence("Z44")
def sessions_that_close(root):
    return [Open("a"), Open("b"),
            Close("a", before=(create(f"{root}/e", flags=EPHEMERAL), create(f"{root}/p"),
                               create(f"{root}/f", flags=EPHEMERAL))),
            at("b", get_children(root)), Open("c", resume="a"),
            Open("d"), at("d", create(f"{root}/g", flags=EPHEMERAL)), Drop("d"),
            at("b", get_children(root)), Open("e", resume="d"), at("e", exists(f"{root}/g"))]


@sequence("Z45")
def ephemeral_of_an_earlier_session(root):
    return [Open("a"), at("a", create(f"{root}/e", flags=EPHEMERAL)), Drop("a"), Open("b"),
            at("b", create(f"{root}/e", flags=EPHEMERAL), exists(f"{root}/e"), get_ephemerals("/")),
            Open("c", resume="a"), Close("c"),
            at("b", create2(f"{root}/e", flags=EPHEMERAL), get_ephemerals("/"),
               get_ephemerals(root), get_ephemerals("/other"), get_ephemerals(f"{root}/e"))]


@sequence("Z46")
def replies_in_order(root):
    """A few hundred requests under way at once."""
    writes = [create(f"{root}/n{number}") for number in range(60)]
    reads = [exists(f"{root}/n{number}") for number in range(60)]
    both = [request for pair in zip(writes, reads) for request in pair]
    return [Open("a"), at("a", *both, ping(), sync(root), ping(), auth("digest", "bob:b"),
                          multi(*(set_data(f"{root}/n{number}", b"x") for number in range(60))),
                          *reads, get_children(root))]


@sequence("Z47")
def operations_that_are_not(root):
    return [Open("a"), at("a", exists(root)), SendUntilClosed("a", (raw(999, b"", "none such"),)),
            Open("c"), SendUntilClosed("c", (raw(10, b"", "none such"),)),
            Open("d"), SendUntilClosed("d", (raw(-2, b"", "none such"),))]


@sequence("Z47")
def requests_that_end_too_soon(root):
    """Each answered; the connection goes on."""
    codes = {"create": 1, "delete": 2, "exists": 3, "getData": 4, "setData": 5, "getACL": 6,
             "setACL": 7, "getChildren": 8, "getChildren2": 12, "multi": 14, "create2": 15,
             "checkWatches": 17, "removeWatches": 18, "createContainer": 19, "createTTL": 21,
             "multiRead": 22, "setWatches": 101, "getEphemerals": 103, "getAllChildrenNumber": 104,
             "setWatches2": 105, "addWatch": 106}
    short = [raw(code, b"\0\0", f"{op} cut short") for op, code in codes.items()]
    lying = [raw(code, struct.pack(">i", 1 << 30) + b"/x", f"{op} with a path too long")
             for op, code in codes.items()]
    return [Open("a"), *each("a", *short), at("a", exists(root)), *each("a", *lying),
            at("a", exists(root), raw(3, struct.pack(">i", -2), "a negative length"), exists(root))]


@sequence("Z47")
def frames_that_are_not(root):
    return [Open("a"), SendBytes("a", struct.pack(">i", -1)),
            Open("b"), SendBytes("b", struct.pack(">i", 1_048_576)),
            Open("c"), SendBytes("c", struct.pack(">i", 0x7FFFFFFF)),
            Open("d"), at("d", exists(root)), SendBytes("d", framed(b"\0\0"))]


@sequence("Z56")
def words(_root):
    def keys(text):
        return sorted(line.partition(":")[0] for line in text.splitlines())
    return [Word("ruok"), Word("isro"), Word("srvr", keys)]


@sequence("Z57")
def read_only_clients(root):
    """A server that has a quorum serves them like all others, and says that it is not read-only;
    old ones that don't send the byte get none."""
    return [Open("a", read_only=True), at("a", create(f"{root}/n"), get_data(f"{root}/n")),
            Open("b", read_only=None), at("b", set_data(f"{root}/n", b"1")), Drop("a"),
            Open("c", resume="a", read_only=True), at("c", create(f"{root}/m")), Drop("b"),
            Open("d", resume="b", read_only=None), at("d", exists(f"{root}/m"))]
