#!/usr/bin/python3
"""kazoo_client.py HOSTS ROOT: kazoo, with its recipes, against the servers at HOST:PORT[,...]. ROOT
exists and is empty.

Prints a line per check, "check NAME" or "failed NAME: why", and asks, with "crash HOST:PORT", for
the end of the server that it is connected to; the answer is a line on stdin, "crashed" or "none".
Runs under Debian's python3, which has Debian's kazoo. Exit 1 when a check failed.
"""

import contextlib
import logging
import pathlib
import queue
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import (BadVersionError, KazooException, NoAuthError, NodeExistsError,
                              NoNodeError, NotEmptyError, RolledBackError, RuntimeInconsistency)
from kazoo.protocol.connection import _CONNECTION_DROP
from kazoo.protocol.states import EventType, KazooState
from kazoo.recipe.cache import TreeCache
from kazoo.retry import KazooRetry
from kazoo.security import ACL, CREATOR_ALL_ACL, make_digest_acl_credential, make_digest_acl

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "differential"))
from raw_connection import Handshake, RawConnection  # noqa: E402
from wire import close_session  # noqa: E402

SECONDS = 30  # of every wait
TIMEOUT = 10.0  # of a session
CHECKS = []


class Failed(Exception):
    """A check's claim does not hold."""


def check(condition, why):
    if not condition:
        raise Failed(why)


def raises(error, function, *arguments, **named):
    try:
        result = function(*arguments, **named)
    except error:
        return
    raise Failed(f"{function.__name__}{arguments} gave {result!r}, not {error.__name__}")


def wait_until(condition, what):
    deadline = time.monotonic() + SECONDS
    while not condition():
        check(time.monotonic() < deadline, f"not within {SECONDS} s: {what}")
        time.sleep(0.02)


def this_is_a_check(function):
    CHECKS.append(function)
    return function


class World:
    """Two sessions for all checks, and more for those that need them. They may be at different
    servers: before one reads what another wrote it asks for a sync (Z52)."""

    def __init__(self, hosts, root):
        self.hosts = hosts
        self.root = root
        self.clients = []
        self.one = self.client()
        self.other = self.client()

    def client(self, **options):
        patient = {kind: KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5, ignore_expire=False)
                   for kind in ("connection_retry", "command_retry")}
        client = KazooClient(self.hosts, timeout=TIMEOUT, **patient, **options)
        client.start(timeout=SECONDS)
        self.clients.append(client)
        return client

    def sync(self, client):
        check(client.sync(self.root) == self.root, "another path")

    def path(self, name):
        return f"{self.root}/{name}"

    def close(self):
        for client in self.clients:
            with contextlib.suppress(KazooException):
                client.stop()
            client.close()


def in_background(function, *arguments):
    """A thread, and the queue of what the function returned or raised."""
    results = queue.Queue()

    def run():
        try:
            results.put(function(*arguments))
        except Exception as error:  # pylint: disable=broad-except
            results.put(error)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return results


@this_is_a_check
def data(world):
    zk, path = world.one, world.path("data")
    check(zk.create(path, b"one") == path, "another path")
    raises(NodeExistsError, zk.create, path)
    value, stat = zk.get(path)
    check((value, stat.version, stat.data_length) == (b"one", 0, 3), (value, stat))
    check(zk.set(path, b"two", version=0).version == 1, "another version")
    raises(BadVersionError, zk.set, path, b"three", version=0)
    zk.ensure_path(f"{path}/a/b/c")
    raises(NotEmptyError, zk.delete, path)
    check(zk.get_children(path) == ["a"] and zk.get_children(f"{path}/a/b") == ["c"], "children")
    zk.delete(path, recursive=True)
    check(zk.exists(path) is None, "still there")
    raises(NoNodeError, zk.get, path)
    zk.create(path, b"")
    check(zk.get(path)[0] == b"" and zk.sync(path) == path, "no data, and sync")
    made, stat = zk.create(f"{path}/s", b"x", include_data=True)
    check(made == f"{path}/s" and stat.czxid == stat.mzxid, "create2")


@this_is_a_check
def ephemerals_and_sequences(world):
    zk, path = world.one, world.path("modes")
    zk.create(path)
    names = [zk.create(f"{path}/s-", ephemeral=True, sequence=True) for _ in range(3)]
    check(names == [f"{path}/s-{n:010d}" for n in range(3)], names)
    check(zk.get(names[0])[1].ephemeralOwner == zk.client_id[0], "another owner")
    third = world.client()
    third.create(f"{path}/third", ephemeral=True)
    gone = threading.Event()
    world.sync(zk)
    check(zk.exists(f"{path}/third", watch=lambda event: gone.set()), "not there")
    third.stop()
    check(gone.wait(SECONDS) and zk.exists(f"{path}/third") is None, "it stayed")


@this_is_a_check
def access(world):
    path = world.path("access")
    owner = world.client(auth_data=[("digest", "alice:a")])
    owner.create(path, b"secret", acl=CREATOR_ALL_ACL)
    world.sync(world.one)
    raises(NoAuthError, world.one.get, path)
    raises(NoAuthError, world.one.set, path, b"")
    check(owner.get(path)[0] == b"secret", "not for its owner")
    acls, stat = owner.get_acls(path)
    wanted = make_digest_acl_credential("alice", "a")
    check([(acl.perms, acl.id.id) for acl in acls] == [(31, wanted)] and stat.aversion == 0, acls)
    owner.set_acls(path, [make_digest_acl("alice", "a", all=True), make_digest_acl("bob", "b",
                                                                                   read=True)])
    world.other.add_auth("digest", "bob:b")
    world.sync(world.other)
    check(world.other.get(path)[0] == b"secret", "not for bob")
    raises(NoAuthError, world.other.set, path, b"")
    check(isinstance(acls[0], ACL), "no ACL")
    owner.delete(path)


@this_is_a_check
def transactions(world):
    zk, path = world.one, world.path("transactions")
    with zk.transaction() as whole:
        whole.create(path, b"1")
        whole.create(f"{path}/s", sequence=True)
        whole.set_data(path, b"2")
        whole.check(path, 1)
    check(zk.get(path)[0] == b"2" and zk.get_children(path) == ["s0000000000"], "not all of it")
    failing = zk.transaction()
    failing.create(f"{path}/never")
    failing.check(path, 9)
    failing.delete(path)
    kinds = [type(result) for result in failing.commit()]
    check(kinds == [RolledBackError, BadVersionError, RuntimeInconsistency], kinds)
    check(zk.exists(f"{path}/never") is None, "a part of it")


@this_is_a_check
def watchers(world):
    path = world.path("watchers")
    seen, children = queue.Queue(), queue.Queue()
    world.one.ensure_path(path)

    @world.one.DataWatch(path)
    def on_data(value, _stat):  # pylint: disable=unused-variable
        seen.put(value)

    @world.one.ChildrenWatch(path)
    def on_children(names):  # pylint: disable=unused-variable
        children.put(sorted(names))
    check(seen.get(timeout=SECONDS) == b"" and children.get(timeout=SECONDS) == [], "at first")
    world.other.set(path, b"1")
    check(seen.get(timeout=SECONDS) == b"1", "data")
    world.other.create(f"{path}/x")
    check(children.get(timeout=SECONDS) == ["x"], "child")
    world.other.delete(f"{path}/x")
    check(children.get(timeout=SECONDS) == [], "no child")
    events = queue.Queue()
    check(world.one.exists(f"{path}/y", watch=events.put) is None, "there")
    world.other.create(f"{path}/y")
    event = events.get(timeout=SECONDS)
    check((event.type, event.path) == (EventType.CREATED, f"{path}/y"), event)


@this_is_a_check
def caches(world):
    path = world.path("cache")
    world.one.ensure_path(path)
    cache = TreeCache(world.one, path)
    cache.start()
    world.other.create(f"{path}/a", b"1")
    world.other.create(f"{path}/a/b", b"2")
    wait_until(lambda: cache.get_data(f"{path}/a/b", default=None) is not None, "a/b in the cache")
    world.other.set(f"{path}/a/b", b"3")
    wait_until(lambda: cache.get_data(f"{path}/a/b").data == b"3", "its change in the cache")
    cache.close()


@this_is_a_check
def locks(world):
    first, second = (zk.Lock(world.path("lock"), name) for zk, name in
                     ((world.one, "first"), (world.other, "second")))
    check(first.acquire(timeout=SECONDS), "not free")
    check(not second.acquire(blocking=False), "two have it")
    waiting = in_background(second.acquire)
    wait_until(lambda: len(first.contenders()) == 2, "both contend")
    first.release()
    check(waiting.get(timeout=SECONDS) is True, "the second does not get it")
    second.release()
    path = world.path("read-write")
    readers = [zk.ReadLock(path) for zk in (world.one, world.other)]
    check(all(reader.acquire(timeout=SECONDS) for reader in readers), "readers")
    writer = world.one.WriteLock(path)
    check(not writer.acquire(blocking=False), "a writer beside readers")
    for reader in readers:
        reader.release()
    check(writer.acquire(timeout=SECONDS), "no writer")
    writer.release()
    path = world.path("semaphore")
    leases = [zk.Semaphore(path, max_leases=2) for zk in (world.one, world.other, world.one)]
    check([lease.acquire(blocking=False) for lease in leases] == [True, True, False], "leases")


@this_is_a_check
def elections(world):
    path = world.path("election")
    led, end = queue.Queue(), threading.Event()
    third = world.client()

    def lead(name):
        led.put(name)
        end.wait(SECONDS)
    runs = [in_background(zk.Election(path, name).run, lead, name)
            for zk, name in ((third, "third"), (world.other, "other"))]
    winner = led.get(timeout=SECONDS)
    check(led.empty(), "two lead")
    election = world.one.Election(path, "one")
    wait_until(lambda: len(election.contenders()) == 2, "both contend")
    end.set()
    check({winner, led.get(timeout=SECONDS)} == {"third", "other"}, "one led twice")
    for run in runs:
        check(run.get(timeout=SECONDS) is None, "an election failed")


@this_is_a_check
def queues(world):
    plain = [zk.Queue(world.path("queue")) for zk in (world.one, world.other)]
    for number in range(5):
        plain[0].put(b"%d" % number)
    plain[0].put(b"first", priority=1)
    world.sync(world.other)
    check([plain[1].get() for _ in range(6)] == [b"first", b"0", b"1", b"2", b"3", b"4"], "order")
    check(plain[1].get() is None, "not empty")
    locking = [zk.LockingQueue(world.path("locking")) for zk in (world.one, world.other)]
    locking[0].put_all([b"a", b"b"])
    check(locking[0].get(SECONDS) == b"a" and locking[1].get(SECONDS) == b"b", "a and b")
    check(locking[0].consume() and locking[1].release(), "consume and release")
    check(locking[0].get(SECONDS) == b"b" and locking[0].consume(), "b again")


@this_is_a_check
def barriers(world):
    barrier = world.one.Barrier(world.path("barrier"))
    barrier.create()
    world.sync(world.other)
    waiting = in_background(world.other.Barrier(world.path("barrier")).wait, SECONDS)
    check(barrier.remove() and waiting.get(timeout=SECONDS), "still closed")
    path = world.path("double")
    doubles = [zk.DoubleBarrier(path, 2, name) for zk, name in
               ((world.one, "one"), (world.other, "other"))]
    for step in ("enter", "leave"):
        results = [in_background(getattr(double, step)) for double in doubles]
        for result in results:
            check(result.get(timeout=SECONDS) is None, step)


@this_is_a_check
def counters_and_parties(world):
    path = world.path("counter")
    counters = [zk.Counter(path) for zk in (world.one, world.other)]

    def count(counter):
        for _ in range(10):
            counter += 1
    for result in [in_background(count, counter) for counter in counters]:
        check(result.get(timeout=SECONDS) is None, "counting failed")
    world.sync(world.one)
    check(counters[0].value == 20, counters[0].value)
    party = world.one.Party(world.path("party"), "one")
    party.join()
    world.other.Party(world.path("party"), "other").join()
    world.sync(world.one)
    check(sorted(party) == ["one", "other"], "another party")
    party.leave()
    wait_until(lambda: sorted(world.other.Party(world.path("party"))) == ["other"], "one has left")


def states_of(client):
    states = queue.Queue()
    client.add_listener(states.put)
    return states


def wait_for_state(states, wanted):
    while states.get(timeout=SECONDS) != wanted:
        pass


@this_is_a_check
def connection_lost(world):
    """The session stays, with its ephemerals and watches."""
    zk, path = world.client(), world.path("lost")
    zk.create(path, b"", ephemeral=True)
    states, events = states_of(zk), queue.Queue()
    session = zk.client_id
    zk._call(_CONNECTION_DROP, zk.handler.async_result())  # pylint: disable=protected-access
    wait_for_state(states, KazooState.SUSPENDED)
    wait_for_state(states, KazooState.CONNECTED)
    check(zk.client_id == session, "another session")
    check(zk.retry(zk.get, path, events.put)[1].ephemeralOwner == session[0], "another owner")
    world.other.set(path, b"1")
    check(events.get(timeout=SECONDS).type == EventType.CHANGED, "no event")


@this_is_a_check
def session_lost(world):
    """Somebody else closes it; the client learns it, and gets another."""
    zk, path = world.client(), world.path("expired")
    zk.create(path, b"", ephemeral=True)
    states = states_of(zk)
    session, password = zk.client_id

    def closed():
        """Not when the client attaches again in between, and so takes its session back."""
        thief = RawConnection(world.hosts.split(",", maxsplit=1)[0])
        thief.shake(Handshake(session=session, password=password))
        thief.send([close_session()], int)
        frames = thief.receive_until_closed(SECONDS)
        return any(frame.value("session") == 0 or
                   (frame.op == "closeSession" and frame.value("err") == 0) for frame in frames)
    wait_until(closed, "the session is closed")
    wait_for_state(states, KazooState.LOST)
    wait_for_state(states, KazooState.CONNECTED)
    check(zk.client_id[0] != session, "the same session")
    zk.retry(world.sync, zk)
    check(zk.retry(zk.exists, path) is None, "its ephemeral stayed")


def work(client, path, acknowledged, end):
    """Creates znodes one after the other; one that is there was created by the try before."""
    number = 0
    while not end.is_set():
        with contextlib.suppress(NodeExistsError):
            client.retry(client.create, f"{path}/{number}", b"x")
        acknowledged.append(str(number))
        number += 1
        time.sleep(0.005)  # what it does is not to be much, but to go on


def crash(world):
    """A server dies while two clients write, hold a lock and watch. False: there is no other."""
    path = world.path("crash")
    clients = [world.client(), world.client()]
    acknowledged, end = [[], []], threading.Event()
    works = []
    for number, client in enumerate(clients):
        client.ensure_path(f"{path}/{number}")
        works.append(in_background(work, client, f"{path}/{number}", acknowledged[number], end))
    lock = clients[0].Lock(f"{path}/lock")
    check(lock.acquire(timeout=SECONDS), "no lock")
    seen = queue.Queue()
    clients[0].DataWatch(path, lambda value, stat: seen.put(value))
    states, session = states_of(clients[0]), clients[0].client_id
    connection = clients[0]._connection  # pylint: disable=protected-access
    host, port = connection._socket.getpeername()[:2]  # pylint: disable=protected-access
    print(f"crash {host}:{port}", flush=True)
    crashed = sys.stdin.readline().strip() == "crashed"
    if crashed:
        wait_for_state(states, KazooState.CONNECTED)
        before = [len(done) for done in acknowledged]
        wait_until(lambda: all(len(done) > was + 20 for done, was in zip(acknowledged, before)),
                   "both go on writing")
        check(clients[0].client_id == session, "another session")
        check(not clients[1].Lock(f"{path}/lock").acquire(blocking=False), "the lock is lost")
        clients[1].retry(clients[1].set, path, b"after")
        wait_until(lambda: not seen.empty() and seen.get() == b"after", "the watch sees the change")
    end.set()
    for number, result in enumerate(works):
        check(result.get(timeout=SECONDS) is None, "a writer failed")
        there = set(clients[number].retry(clients[number].get_children, f"{path}/{number}"))
        missing = set(acknowledged[number]) - there
        check(not missing, f"acknowledged and lost: {sorted(missing)[:5]}")
    lock.release()
    return crashed


def main():
    logging.disable(logging.CRITICAL)
    world = World(*sys.argv[1:])
    name = "connect"
    print(f"check {name}", flush=True)
    try:
        for function in CHECKS:
            name = function.__name__.replace("_", " ")
            function(world)
            print(f"check {name}", flush=True)
        name = "crash of the server"
        print(f"check {name}" if crash(world) else f"skipped {name}: there is one", flush=True)
    except Exception as error:  # pylint: disable=broad-except
        print(f"failed {name}: {type(error).__name__} {error}", flush=True)
        return 1
    finally:
        world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
