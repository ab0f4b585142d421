"""The ways in which tests/crash/run crashes servers. Each is a function of the ensemble and a
`Turns`, called while the load runs; it returns whether the crash happened, with the servers concerned
ended, or left to be killed."""

import collections
import os
import pathlib
import re
import time

from ensemble import RENAMES, SYNCS, check

REACHED_WITHIN = 4  # seconds in which a running server comes to a call that is to fail
PER_START = 3  # seconds for all the calls of a start


class Turns:
    """Which call is next: each in its turn, from the first again once one is not reached."""

    def __init__(self, random):
        self.random = random
        self.next = collections.Counter()
        self.reached = {}  # how many calls there were, by what was counted

    def injection(self, what, calls, action):
        self.next[what] += 1
        return f"{calls}:{action}:when={self.next[what]}"

    def missed(self, what):
        self.reached[what] = max(self.reached.get(what, 0), self.next[what] - 1)
        self.next[what] = 0


def kill(ensemble, turns):
    """SIGKILL of one server, the leader, two or all, at a random moment."""
    time.sleep(turns.random.uniform(0.05, 0.6))
    size = len(ensemble.names)
    count = turns.random.choice([1, 1, size, max(1, size - 1)])
    victims = turns.random.sample(ensemble.names, count)
    if count == 1 and turns.random.random() < 0.5:
        victims = [ensemble.leader()]
    for name in victims:
        os.killpg(ensemble.children[name].pid, 9)
    return all(ensemble.wait_ended(name, 10) is not None for name in victims)


def kill_at_sync(ensemble, turns):
    """The n-th sync of any thread of a running server never happens."""
    return at_call(ensemble, turns, "sync", SYNCS)


def kill_at_rename(ensemble, turns):
    """The n-th rename of any thread of a running server never happens: of a snapshot, mostly."""
    return at_call(ensemble, turns, "rename", RENAMES)


def at_call(ensemble, turns, what, calls):
    name = turns.random.choice(ensemble.names)
    time.sleep(turns.random.uniform(0.05, 0.3))
    key = f"{what} while it runs, {len(ensemble.names)} servers"
    tracer = ensemble.inject(name, turns.injection(key, calls, "signal=KILL"))
    ended = ensemble.wait_ended(name, REACHED_WITHIN)
    tracer.terminate()
    tracer.wait(timeout=10)
    if ended is None:
        turns.missed(key)
    return ended is not None


def kill_at_start_sync(ensemble, turns):
    """A server that was killed starts and dies again at its n-th sync."""
    return at_start(ensemble, turns, "sync", SYNCS)


def kill_at_start_rename(ensemble, turns):
    """A server that was killed starts and dies again at its n-th rename."""
    return at_start(ensemble, turns, "rename", RENAMES)


def at_start(ensemble, turns, what, calls):
    name = turns.random.choice(ensemble.names)
    time.sleep(turns.random.uniform(0.05, 0.3))
    ensemble.crash(name)
    key = f"{what} of a start, {len(ensemble.names)} servers"
    return dies_at_start(ensemble, turns, name, key, calls)


def dies_at_start(ensemble, turns, name, key, calls):
    ensemble.launch(name, turns.injection(key, calls, "signal=KILL"))
    ended = ensemble.wait_ended(name, PER_START)
    if ended is None:
        turns.missed(key)
        ensemble.crash(name)
    return ended is not None


def form(ensemble, turns):
    """A new ensemble forms while one of its servers dies at its n-th sync or rename."""
    ensemble.kill_all()
    ensemble.wipe()
    victim = turns.random.choice(ensemble.names)
    for name in ensemble.names:
        if name != victim:
            ensemble.launch(name)
    what, calls = turns.random.choice([("sync", SYNCS), ("rename", RENAMES)])
    key = f"{what} of a first start, {len(ensemble.names)} servers"
    return dies_at_start(ensemble, turns, victim, key, calls)


def disk_error(ensemble, turns):
    """The n-th sync of a thread fails with EIO: the server ends with 1, says why, and does not try
    to sync that file again."""
    name = turns.random.choice(ensemble.names)
    log = ensemble.log(name)
    before = log.stat().st_size
    time.sleep(turns.random.uniform(0.05, 0.3))
    key = f"failed sync while it runs, {len(ensemble.names)} servers"
    tracer = ensemble.inject(name, turns.injection(key, SYNCS, "error=EIO"))
    ended = ensemble.wait_ended(name, REACHED_WITHIN)
    tracer.terminate()
    tracer.wait(timeout=10)
    if ended is None:
        turns.missed(key)
        ensemble.crash(name)  # it may have met the error a moment later
        return False
    said = log.read_bytes()[before:].decode(errors="replace")
    check(ended == 1, f"{name} ended with {ended} after a failed sync, not with 1: {said[-500:]}")
    check(re.search(r"Input/output error", said), f"{name} does not name the failure: {said[-500:]}")
    check_not_retried(name, (pathlib.Path(ensemble.dir) / name / "trace").read_text())
    return True


def check_not_retried(name, trace):
    """A file whose sync failed may have lost what it was to keep: syncing it again proves nothing."""
    failed = set()
    for line in trace.splitlines():
        call = re.search(r"(?:fsync|fdatasync)\((\d+)\)", line)
        if not call:
            continue
        check(call.group(1) not in failed, f"{name} syncs again what failed: {line}")
        if "INJECTED" in line:
            failed.add(call.group(1))


def power_loss(ensemble, turns):
    """The disk of all servers keeps what was synced, and nothing else. No sync is under way meanwhile: Linux's
    ext4 may call one that it abandons so a success (seen with 6.18), which a machine without power can't."""
    time.sleep(turns.random.uniform(0.2, 0.8))
    with ensemble.standing_still():
        ensemble.disk.cut_power()
    time.sleep(turns.random.uniform(0, 0.2))  # in which they notice, or not
    ensemble.kill_all()
    ensemble.disk.unmount()
    ensemble.disk.mount()
    return True
