"""Snapshots with real processes: the log is cut, a follower that was down longer than the log reaches
back gets one, everybody starts from theirs after kill -9 at any moment, and all end with one digest."""

import random
import shutil
import subprocess
import tempfile
import time

from cluster import BIN, check
from flagged_ensemble import FlaggedEnsemble

SNAPSHOT_ENTRIES = 40


class Ensemble(FlaggedEnsemble):
    """Three servers that take a snapshot every few entries."""

    def __init__(self, folder):
        super().__init__(folder, "--snapshot-entries", str(SNAPSHOT_ENTRIES))

    def create(self, prefix, count):
        self.bell("shell", stdin="".join(f"create /{prefix}{n} value\n" for n in range(count)))


def check_a_follower_that_was_away_gets_one(ensemble):
    leader = ensemble.leader()
    follower = next(id_ for id_ in ensemble.ids if id_ != leader)
    ensemble.kill(follower)
    ensemble.create("missed-", 10 * SNAPSHOT_ENTRIES)
    check(ensemble.metric(ensemble.leader(), "bell_snapshots_taken_total") >= 2, "no snapshots")
    ensemble.start(follower)
    ensemble.wait_for_one_digest()
    check(ensemble.metric(follower, "bell_snapshots_installed_total") >= 1, "none was installed")


def check_kills_at_any_moment(ensemble, rounds):
    for number in range(rounds):
        load = subprocess.Popen([BIN / "bell", "shell"], stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=ensemble.environment)
        load.stdin.write("".join(f"create /round-{number}-{n} value\n" for n in range(300)))
        load.stdin.close()
        time.sleep(random.uniform(0, 0.4))  # the moment is what is tried, nothing is waited for
        victim = random.choice(ensemble.ids)
        ensemble.kill(victim)
        ensemble.start(victim)
        load.wait(timeout=60)
        ensemble.wait_for_one_digest()


def check_all_start_from_theirs(ensemble):
    before = ensemble.bell("znode", "ls", "/")
    for id_ in ensemble.ids:
        ensemble.kill(id_)
    for id_ in ensemble.ids:
        ensemble.start(id_)
    ensemble.wait_for_one_digest()
    check(ensemble.bell("znode", "ls", "/") == before, "other znodes than before")


def check_a_leader_that_ends_hands_over(ensemble):
    leader = ensemble.leader()
    ensemble.kill(leader, signal=15)
    check("leadership is handed over" in ensemble.log(leader),
          "the leader ended without handing over")
    ensemble.start(leader)
    ensemble.wait_for_one_digest()


def main():
    folder = tempfile.mkdtemp(prefix="bellwether-")
    try:
        with Ensemble(folder) as ensemble:
            ensemble.leader()
            ensemble.create("first-", 3 * SNAPSHOT_ENTRIES)
            check_a_follower_that_was_away_gets_one(ensemble)
            check_kills_at_any_moment(ensemble, rounds=4)
            check_all_start_from_theirs(ensemble)
            check_a_leader_that_ends_hands_over(ensemble)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
