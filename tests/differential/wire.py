"""The requests and replies of ZooKeeper's protocol, as values that sequences are made of and
transcripts compared by.

A request is a `Request`; the functions below make them. What a server answers becomes a list of
`Field`s: name, kind, value. The kind says what may be compared: `plain` values are equal or not; a
`zxid` or a `session` is another number on each server and is compared by order or identity.
"""

import dataclasses
import typing

from jute import Malformed, Reader, Writer

EVENT_XID, PING_XID, AUTH_XID, SET_WATCHES_XID = -1, -2, -4, -8
OPEN_ACL = ((31, "world", "anyone"),)
PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, SEQUENTIAL_TTL = range(7)
ERRORS_MULTI = -1  # the type of a result that is an error

CODES = {"create": 1, "delete": 2, "exists": 3, "getData": 4, "setData": 5, "getACL": 6,
         "setACL": 7, "getChildren": 8, "sync": 9, "ping": 11, "getChildren2": 12, "check": 13,
         "multi": 14, "create2": 15, "reconfig": 16, "checkWatches": 17, "removeWatches": 18,
         "createContainer": 19, "createTTL": 21, "multiRead": 22, "auth": 100, "setWatches": 101,
         "getEphemerals": 103, "getAllChildrenNumber": 104, "setWatches2": 105, "addWatch": 106,
         "whoAmI": 107, "closeSession": -11}


@dataclasses.dataclass(frozen=True)
class Request:
    """`body` is bytes, or what a function of a mark's name to zxid makes of marks."""
    op: str
    body: typing.Union[bytes, typing.Callable]
    shown: str  # for people
    code: int = 0
    xid: int = 0  # a fixed one; 0: the connection's next

    def encode(self, zxid_of):
        return self.body if isinstance(self.body, bytes) else self.body(zxid_of)


def _request(op, writer, *shown, xid=0):
    words = " ".join(str(word) for word in shown)
    return Request(op, writer.bytes(), f"{op} {words}".strip(), CODES[op], xid)


def create(path, data=b"", acl=OPEN_ACL, flags=PERSISTENT, op="create"):
    writer = Writer().text(path).buffer(data).acl(acl).int(flags)
    return _request(op, writer, repr(path), data, acl_text(acl), f"flags={flags}")


def create2(path, data=b"", acl=OPEN_ACL, flags=PERSISTENT):
    return create(path, data, acl, flags, op="create2")


def create_container(path, data=b"", flags=CONTAINER):
    return create(path, data, OPEN_ACL, flags, op="createContainer")


def create_ttl(path, ttl_ms, data=b"", flags=TTL):
    writer = Writer().text(path).buffer(data).acl(OPEN_ACL).int(flags).long(ttl_ms)
    return _request("createTTL", writer, repr(path), f"flags={flags} ttl={ttl_ms}")


def delete(path, version=-1):
    return _request("delete", Writer().text(path).int(version), repr(path), f"v={version}")


def _read(op, path, watch):
    return _request(op, Writer().text(path).bool(watch), repr(path), "watch" if watch else "")


def exists(path, watch=False):
    return _read("exists", path, watch)


def get_data(path, watch=False):
    return _read("getData", path, watch)


def get_children(path, watch=False):
    return _read("getChildren", path, watch)


def get_children2(path, watch=False):
    return _read("getChildren2", path, watch)


def set_data(path, data, version=-1):
    return _request("setData", Writer().text(path).buffer(data).int(version), repr(path), data,
                    f"v={version}")


def get_acl(path):
    return _request("getACL", Writer().text(path), repr(path))


def set_acl(path, acl, version=-1):
    return _request("setACL", Writer().text(path).acl(acl).int(version), repr(path), acl_text(acl),
                    f"v={version}")


def sync(path):
    return _request("sync", Writer().text(path), repr(path))


def ping():
    return _request("ping", Writer(), xid=PING_XID)


def check(path, version):
    """Only within a multi."""
    return _request("check", Writer().text(path).int(version), repr(path), f"v={version}")


def multi(*operations, op="multi"):
    writer = Writer()
    for operation in operations:
        writer.int(operation.code).bool(False).int(-1).raw(operation.body)
    writer.int(-1).bool(True).int(-1)
    return _request(op, writer, "[" + "; ".join(one.shown for one in operations) + "]")


def multi_read(*operations):
    return multi(*operations, op="multiRead")


def auth(scheme, credentials):
    writer = Writer().int(0).text(scheme).text(credentials)
    return _request("auth", writer, scheme, credentials, xid=AUTH_XID)


def set_watches(mark, data=(), exist=(), child=(), persistent=None, recursive=None):
    """`mark` is the name of a zxid (Mark), or a number. With lists of persistent ones it is
    setWatches2."""
    second = persistent is not None
    lists = [data, exist, child] + ([persistent, recursive or ()] if second else [])

    def body(zxid_of):
        writer = Writer().long(zxid_of(mark))
        for paths in lists:
            writer.texts(paths)
        return writer.bytes()
    op = "setWatches2" if second else "setWatches"
    shown = f"{op} since {mark} " + " ".join(str(list(paths)) for paths in lists)
    return Request(op, body, shown, CODES[op], SET_WATCHES_XID)


def add_watch(path, mode):
    return _request("addWatch", Writer().text(path).int(mode), repr(path), f"mode={mode}")


def remove_watches(path, kind, only_check=False):
    op = "checkWatches" if only_check else "removeWatches"
    return _request(op, Writer().text(path).int(kind), repr(path), f"kind={kind}")


def get_ephemerals(prefix):
    return _request("getEphemerals", Writer().text(prefix), repr(prefix))


def get_all_children_number(path):
    return _request("getAllChildrenNumber", Writer().text(path), repr(path))


def who_am_i():
    return _request("whoAmI", Writer())


def reconfig(joining, leaving, members, config_id):
    writer = Writer().text(joining).text(leaving).text(members).long(config_id)
    return _request("reconfig", writer, repr(joining), repr(leaving), repr(members), config_id)


def close_session():
    return _request("closeSession", Writer())


def raw(code, body, shown, op="raw"):
    """Any operation code and bytes; its reply has no body that anybody knows."""
    return Request(op, body, f"{shown} (op {code}, {len(body)} bytes)", code)


def acl_text(acl):
    if acl is None:
        return "acl=null"
    if acl == OPEN_ACL:
        return ""
    return "acl=" + ",".join(f"{scheme}:{id_}:{permissions}" for permissions, scheme, id_ in acl)


# ---- Replies ----

@dataclasses.dataclass(frozen=True)
class Field:
    name: str
    kind: str  # plain | zxid | session
    value: object


def _plain(name, value):
    return [Field(name, "plain", value)]


def _stat(reader, prefix):
    """Times are told as what must hold between them: both the same until the data is set."""
    czxid, mzxid, ctime, mtime = (reader.long() for _ in range(4))
    version, cversion, aversion = (reader.int() for _ in range(3))
    owner = reader.long()
    length, children = reader.int(), reader.int()
    pzxid = reader.long()
    if ctime == 0 and mtime == 0:
        times = "none"
    elif mtime == ctime or (version > 0 and mtime > ctime):
        times = "as they should be"
    else:
        times = f"mtime - ctime = {mtime - ctime} at version {version}"
    fields = [("czxid", "zxid", czxid), ("mzxid", "zxid", mzxid), ("pzxid", "zxid", pzxid),
              ("times", "plain", times), ("version", "plain", version),
              ("cversion", "plain", cversion), ("aversion", "plain", aversion),
              ("ephemeralOwner", "session", owner), ("dataLength", "plain", length),
              ("numChildren", "plain", children)]
    return [Field(f"{prefix}stat.{name}", kind, value) for name, kind, value in fields]


def _path(reader, prefix):
    return _plain(f"{prefix}path", reader.text())


def _path_and_stat(reader, prefix):
    return _path(reader, prefix) + _stat(reader, prefix)


def _data(reader, prefix):
    return _plain(f"{prefix}data", reader.buffer()) + _stat(reader, prefix)


def _sorted_children(reader, prefix):
    """In no order that anybody promises (Z35)."""
    children = reader.texts()
    return _plain(f"{prefix}children", children and sorted(children))


def _children_and_stat(reader, prefix):
    return _sorted_children(reader, prefix) + _stat(reader, prefix)


def _acl(reader, prefix):
    entries = reader.list(lambda: (reader.int(), reader.text(), reader.text()))
    return _plain(f"{prefix}acl", entries and sorted(entries, key=str)) + _stat(reader, prefix)


def _nothing(_reader, _prefix):
    return []


def _multi(reader, prefix):
    """Every result, with its type and error."""
    bodies = {1: _path, 15: _path_and_stat, 2: _nothing, 5: _stat, 13: _nothing, 4: _data,
              8: _sorted_children, ERRORS_MULTI: lambda r, p: _plain(f"{p}error", r.int())}
    fields = []
    number = 0
    while True:
        type_, done, error = reader.int(), reader.bool(), reader.int()
        if done:
            return fields + _plain(f"{prefix}end", (type_, error))
        if type_ not in bodies:
            raise Malformed(f"a result of type {type_}")
        where = f"{prefix}[{number}]."
        fields += _plain(f"{where}type", type_) + _plain(f"{where}err", error)
        fields += bodies[type_](reader, where)
        number += 1


def _identities(reader, prefix):
    found = reader.list(lambda: (reader.text(), reader.text()))
    return _plain(f"{prefix}identities", found and sorted(found, key=str))


_BODIES = {
    "create": _path, "create2": _path_and_stat, "createContainer": _path_and_stat,
    "createTTL": _path_and_stat, "exists": _stat, "setData": _stat, "setACL": _stat,
    "getData": _data, "getACL": _acl, "getChildren": _sorted_children,
    "getChildren2": _children_and_stat, "sync": _path, "multi": _multi, "multiRead": _multi,
    "addWatch": lambda reader, prefix: _plain(f"{prefix}code", reader.int()),
    "getEphemerals": lambda reader, prefix: _plain(f"{prefix}paths", sorted(reader.texts() or [])),
    "getAllChildrenNumber": lambda reader, prefix: _plain(f"{prefix}count", reader.int()),
    "whoAmI": _identities, "reconfig": _data,
}


def reply_fields(request, zxid, error, body):
    """All that can be compared of a reply; `body` follows the reply's header."""
    fields = _plain("err", error) + [Field("zxid", "zxid", zxid)]
    reader = Reader(body)
    try:
        if error == 0:
            fields += _BODIES.get(request.op, _nothing)(reader, "")
    except Malformed as malformed:
        return fields + _plain("malformed", str(malformed))
    return fields + (_plain("more", reader.left().hex()) if reader.left() else [])


def event_fields(zxid, error, body):
    reader = Reader(body)
    fields = _plain("type", reader.int()) + _plain("state", reader.int())
    return fields + _plain("path", reader.text()) + _plain("err", error) + \
        [Field("zxid", "zxid", zxid)]
