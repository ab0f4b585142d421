"""Random sequences: the same steps for the same seed, on every server. Three clients with their own
identities work on a few znodes, with several requests under way, lose their connections and attach
again.

What 3.8.0 and 3.9 do differently is left out, since it would show in all that follows: exists sets
watches only for the superuser (before 3.9.2 it did so without READ); one client has persistent
watches and the others one-shot ones, and a path has always the same kind (before 3.9 a connection
had one kind per path, and who removed its watches of data removed persistent ones).
"""

import random

from steps import Close, Drop, Mark, Open, Send, Sequence
from wire import (EPHEMERAL, EPHEMERAL_SEQUENTIAL, OPEN_ACL, PERSISTENT, SEQUENTIAL, SEQUENTIAL_TTL,
                  TTL, add_watch, auth, check, create, create2, create_container, create_ttl,
                  delete,
                  exists, get_acl, get_all_children_number, get_children, get_children2, get_data,
                  get_ephemerals, multi, multi_read, ping, remove_watches, set_acl, set_data,
                  set_watches, sync, who_am_i)

STEPS = 60
CLIENTS = ("a", "b", "c")
PERSISTENT_WATCHER, SUPERUSER = "b", "c"
ANY = 3  # of the kinds of watches
IN_FLIGHT_MAX = 6
LONG_TTL_MS = 3_600_000
IDENTITIES = {"a": "alice:a", "b": "bob:b", "c": "super:secret"}
ALICE_ID = "alice:AIueg8ag5ALfqeEyKdLnva1Wvi0="
ACLS = [OPEN_ACL] * 6 + [
    [(1, "world", "anyone")], [(31, "auth", "")], [(31, "digest", ALICE_ID), (1, "world",
                                                                              "anyone")],
    [(31, "digest", ALICE_ID)], [(13, "world", "anyone"), (31, "digest", ALICE_ID)],
    [(31, "ip", "127.0.0.1")], [(31, "ip", "10.1.2.3")], [(30, "world", "anyone")], []]


def _is_recursive(path):
    return path.endswith(("a", "d"))


class _Generator:
    def __init__(self, seed, root):
        self._random = random.Random(seed)
        self._root = root
        self._steps = []
        self._sessions = {}   # the connection that has each client's session now
        self._opened = 0
        self._dropped = set()
        self._made = []       # paths that may be there
        self._client = None   # whose requests are made

    def sequence(self, name):
        for client in CLIENTS:
            self._open(client)
        self._made = [f"{self._root}/{name}" for name in ("a", "b", "c", "a/a", "a/b", "b/a")]
        self._steps.append(Send(self._live(), tuple(create(path) for path in self._made)))
        for _ in range(STEPS):
            self._step()
        self._steps.append(Send(self._live(), (get_children2(self._root),
                                               get_all_children_number(self._root))))
        return Sequence(name, "random", self._root, tuple(self._steps))

    # ---- Sessions ----

    def _open(self, client):
        self._opened += 1
        connection = f"{client}{self._opened}"
        self._steps.append(Open(connection, timeout_ms=20_000))
        self._sessions[client] = connection
        self._identify(client)

    def _identify(self, client):
        if IDENTITIES[client]:
            self._steps.append(Send(self._sessions[client], (auth("digest", IDENTITIES[client]),)))

    def _attach(self, client):
        """As a client does that was away: identity first, then its watches."""
        self._opened += 1
        connection = f"{client}{self._opened}"
        mark = f"seen by {self._sessions[client]}"
        self._steps.append(Open(connection, timeout_ms=20_000, resume=self._sessions[client],
                                last_zxid=mark))
        self._sessions[client] = connection
        self._dropped.discard(client)
        self._identify(client)
        if self._random.random() < 0.7:
            self._steps.append(Send(connection, (self._watches_again(client, mark),)))

    def _watches_again(self, client, mark):
        def paths():
            return [self._path() for _ in range(self._random.randrange(4))]
        if client != PERSISTENT_WATCHER:
            return set_watches(mark, paths(), paths(), paths())
        both = paths() + paths()
        return set_watches(mark, persistent=[path for path in both if not _is_recursive(path)],
                           recursive=[path for path in both if _is_recursive(path)])

    def _live(self):
        """The connection of a client that has one."""
        live = [client for client in CLIENTS if client not in self._dropped]
        return self._sessions[self._random.choice(live)]

    def _step(self):
        dice = self._random.random()
        if self._dropped and dice < 0.3:
            return self._attach(self._random.choice(sorted(self._dropped)))
        client = self._random.choice([one for one in CLIENTS if one not in self._dropped])
        connection = self._sessions[client]
        if 0.3 <= dice < 0.34 and len(self._dropped) < 2:
            self._steps += [Mark(f"seen by {connection}", connection), Drop(connection)]
            self._dropped.add(client)
        elif 0.34 <= dice < 0.37:
            self._steps.append(Close(connection))
            self._open(client)
        else:
            self._client = client
            count = self._random.choice([1, 1, 2, 3, IN_FLIGHT_MAX])
            self._steps.append(Send(connection, tuple(self._request() for _ in range(count))))
            if self._random.random() < 0.1:
                # Alone: ZooKeeper's checks of requests behind it may not see the new list yet.
                self._steps.append(Send(self._live(), (set_acl(
                    self._path_below(), self._acl(), self._version()),)))

    # ---- Requests ----

    def _path(self):
        """Few names, so that requests meet each other's znodes, and now and then a bad one."""
        dice = self._random.random()
        if dice < 0.02:
            return self._random.choice([f"{self._root}/", f"{self._root}/./x", "x",
                                        f"{self._root}//a"])
        if dice < 0.06:
            return self._root
        if dice < 0.12:
            return f"{self._root}/s{self._random.randrange(20):010d}"
        if dice < 0.7 and self._made:
            return self._random.choice(self._made)
        depth = self._random.choice([1, 1, 1, 2, 2, 3])
        return self._root + "".join("/" + self._random.choice("abc") for _ in range(depth))

    def _path_to_create(self):
        """Mostly below something that may be there."""
        if self._random.random() < 0.2:
            return self._path()
        above = self._random.choice([self._root] * 3 + self._made)
        path = f"{above}/{self._random.choice('abcd')}"
        if path.count("/") < 6:
            self._made = self._made[-15:] + [path]
        return path

    def _data(self):
        return self._random.choice([None, b"", b"x", b"yy", bytes(range(40))])

    def _version(self):
        return self._random.choice([-1, -1, -1, 0, 0, 1, 2, 7])

    def _acl(self):
        return self._random.choice(ACLS)

    def _create(self):
        flags = self._random.choice([PERSISTENT] * 6 + [EPHEMERAL, SEQUENTIAL,
                                                        EPHEMERAL_SEQUENTIAL])
        path = self._path_to_create()
        if flags in (SEQUENTIAL, EPHEMERAL_SEQUENTIAL) and self._random.random() < 0.8:
            path = f"{self._root}/s"
        if self._random.random() < 0.08:
            flags = self._random.choice([TTL, SEQUENTIAL_TTL])
            return create_ttl(path, self._random.choice([0, LONG_TTL_MS, LONG_TTL_MS]), flags=flags)
        if self._random.random() < 0.05:
            return create_container(f"{self._root}/container")  # never with a child: it would go
        made = self._random.choice([create, create2])
        return made(path, self._data(), self._acl(), flags)

    def _delete(self):
        return delete(self._path(), self._version())

    def _set_data(self):
        return set_data(self._path(), self._data(), self._version())

    def _check(self):
        return check(self._path(), self._version())

    def _multi(self):
        parts = [self._create] * 3 + [self._delete, self._set_data, self._check]
        return multi(*(self._random.choice(parts)() for _ in range(self._random.randrange(1, 6))))

    def _multi_read(self):
        parts = [get_data, get_children]
        return multi_read(*(self._random.choice(parts)(self._path())
                            for _ in range(self._random.randrange(1, 5))))

    def _read(self):
        read = self._random.choice([exists, get_data, get_children, get_children2])
        may_watch = self._client != PERSISTENT_WATCHER and \
            (read is not exists or self._client == SUPERUSER)
        return read(self._path(), watch=may_watch and self._random.random() < 0.5)

    def _rare(self):
        kinds = [lambda: get_acl(self._path()), lambda: sync(self._path()), ping, who_am_i,
                 lambda: get_ephemerals(self._path()),
                 lambda: get_all_children_number(self._path()),
                 self._add_watch, self._add_watch,
                 lambda: remove_watches(self._path(), self._watch_kind()),
                 lambda: remove_watches(self._path(), self._watch_kind(), only_check=True),
                 lambda: auth("digest", self._random.choice(["alice:a", "bob:b"]))]
        return self._random.choice(kinds)()

    def _add_watch(self):
        if self._client != PERSISTENT_WATCHER:
            return add_watch(self._path(), 2)  # no such mode
        path = self._path()
        return add_watch(path, 1 if _is_recursive(path) else 0)

    def _watch_kind(self):
        return ANY if self._client == PERSISTENT_WATCHER else self._random.choice([1, 2, ANY])

    def _path_below(self):
        """Not the root, which must stay open to all."""
        path = self._path()
        return path if path != self._root else f"{self._root}/a"

    def _request(self):
        kinds = [(7, self._create), (2, self._delete), (4, self._set_data), (6, self._read),
                 (2, self._multi), (1, self._multi_read), (4, self._rare)]
        weights, functions = zip(*kinds)
        return self._random.choices(functions, weights)[0]()


def random_sequence(seed, root):
    return _Generator(seed, root).sequence(f"seed {seed}")
