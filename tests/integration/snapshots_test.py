"""Snapshots with real processes: the log is cut, a follower that was down longer than the log reaches
back gets one, everybody starts from theirs after kill -9 at any moment, and all end with one digest."""

import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time

from cluster import BIN, CommandFailed, check, read_metric, wait_until

SNAPSHOT_ENTRIES = 40


def free_ports(count):
    """Ports that nobody uses now; peers must know theirs beforehand."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Ensemble:
    """Three servers that take a snapshot every few entries."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ids = (1, 2, 3)
        ports = free_ports(9)
        self.addresses = {id_: [f"127.0.0.1:{port}" for port in ports[3 * n:3 * n + 3]]
                          for n, id_ in enumerate(self.ids)}
        self.processes = {}
        self.environment = dict(
            os.environ, BELL_COORD=",".join(grpc for grpc, _, _ in self.addresses.values()))

    def __enter__(self):
        for id_ in self.ids:
            self.start(id_)
        return self

    def __exit__(self, *_):
        for id_ in list(self.processes):
            self.kill(id_)

    def start(self, id_):
        grpc, _, admin = self.addresses[id_]
        command = [BIN / "bell-coord", "--id", str(id_), "--data-dir", self.folder / f"data-{id_}",
                   "--listen", grpc, "--listen-admin", admin,
                   "--snapshot-entries", str(SNAPSHOT_ENTRIES)]
        for peer, (_, address, _) in self.addresses.items():
            command += ["--peer", f"{peer}={address}"]
        log_path = self.folder / f"coord-{id_}.log"
        with open(log_path, "ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        check("ready" in process.stdout.readline(), log_path.read_text()[-2000:])
        self.processes[id_] = process

    def kill(self, id_, signal=9):
        process = self.processes.pop(id_)
        process.send_signal(signal)
        process.wait(timeout=30)
        process.stdout.close()

    def bell(self, *words, stdin=None):
        done = subprocess.run([BIN / "bell", *words], check=False, capture_output=True, text=True,
                              input=stdin, env=self.environment)
        if done.returncode != 0:
            raise CommandFailed(words, done.returncode, done.stderr)
        return done.stdout

    def status(self):
        return json.loads(self.bell("cluster", "status", "-o", "json"))["coord"]

    def leader(self):
        return wait_until(lambda: self.status()["leader_id"], "a leader")

    def wait_for_one_digest(self):
        def one_digest():
            servers = self.status()["servers"]
            return (all(server["state"] == "up" for server in servers) and
                    len({(server["digest"], server["zxid"]) for server in servers}) == 1)
        wait_until(one_digest, "all servers up, with one digest")

    def create(self, prefix, count):
        self.bell("shell", stdin="".join(f"create /{prefix}{n} value\n" for n in range(count)))

    def metric(self, id_, name):
        return read_metric(self.addresses[id_][2], name)


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
    log = (ensemble.folder / f"coord-{leader}.log").read_text()
    check("leadership is handed over" in log, "the leader ended without handing over")
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
