"""The members of an ensemble of real processes change while clients write: 3 grow to 4, the leader is
killed and removed, servers start with the flags of before, leaders are killed amid changes, and all end
with one digest."""

import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time

from cluster import BIN, CommandFailed, check, wait_until


def free_ports(count):
    """Ports that nobody uses now; peers must know theirs beforehand."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Ensemble:
    """Servers 1 to 4, of which 4 is started later."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        ports = iter(free_ports(12))
        self.grpc, self.peer, self.admin = ({id_: f"127.0.0.1:{next(ports)}" for id_ in range(1, 5)}
                                            for _ in range(3))
        self.processes = {}
        self.environment = dict(os.environ, BELL_COORD=",".join(self.grpc.values()))

    def __enter__(self):
        for id_ in (1, 2, 3):
            self.start(id_)
        return self

    def __exit__(self, *_):
        for id_ in list(self.processes):
            self.kill(id_)

    def start(self, id_):
        """With the flags that it had at first."""
        peers = (1, 2, 3) if id_ != 4 else (1, 2, 3, 4)
        command = [BIN / "bell-coord", "--id", str(id_), "--data-dir", self.folder / f"data-{id_}",
                   "--listen", self.grpc[id_], "--listen-admin", self.admin[id_]]
        for peer in peers:
            command += ["--peer", f"{peer}={self.peer[peer]}"]
        with open(self.folder / f"coord-{id_}.log", "ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        check("ready" in process.stdout.readline(), self.log(id_)[-2000:])
        self.processes[id_] = process

    def kill(self, id_, signal=9):
        process = self.processes.pop(id_)
        process.send_signal(signal)
        process.wait(timeout=30)
        process.stdout.close()

    def log(self, id_):
        return (self.folder / f"coord-{id_}.log").read_text()

    def bell(self, *words, stdin=None):
        done = subprocess.run([BIN / "bell", *words], check=False, capture_output=True, text=True,
                              input=stdin, env=self.environment, timeout=60)
        if done.returncode != 0:
            raise CommandFailed(words, done.returncode, done.stderr)
        return done.stdout

    def members(self, *words):
        return json.loads(self.bell("cluster", *(words or ("members",)), "-o", "json"))

    def voters(self):
        return [member["id"] for member in self.members()["members"] if member["voter"]]

    def wait_for_one_digest(self, ids):
        def one_digest():
            servers = json.loads(self.bell("cluster", "status", "-o", "json"))["coord"]["servers"]
            states = {server["id"]: (server["digest"], server["applied_index"])
                      for server in servers if server["state"] == "up"}
            return all(id_ in states for id_ in ids) and len({states[id_] for id_ in ids}) == 1
        wait_until(one_digest, f"servers {ids} up, with one digest")


class Writer:
    """Writes in the background; its end tells how many were acknowledged."""

    def __init__(self, ensemble, name, count=2000):
        self.name = name
        self.process = subprocess.Popen([BIN / "bell", "shell"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=ensemble.environment)
        self.process.stdin.write("".join(f"create /{name}-{n} value\n" for n in range(count)))
        self.process.stdin.close()
        self.process.stdin = None

    def check_nothing_lost(self, ensemble):
        out, _ = self.process.communicate(timeout=90)
        acknowledged = {word for word in out.split() if word.startswith(f"/{self.name}-")}
        check(acknowledged, "nothing was written meanwhile")
        there = set(ensemble.bell("znode", "ls", "/").split())
        lost = {path for path in acknowledged if path.removeprefix("/") not in there}
        check(not lost, f"acknowledged and lost: {sorted(lost)[:5]}")


def check_grows(ensemble):
    writer = Writer(ensemble, "grow")
    ensemble.start(4)
    wait_until(lambda: "not in the ensemble" in ensemble.log(4), "server 4 says that it is not in")
    ensemble.members("add", f"4={ensemble.peer[4]}")
    check(ensemble.voters() == [1, 2, 3], "an added server votes")
    wait_until(lambda: ensemble.members("promote", "4"), "server 4 has caught up")
    check(ensemble.voters() == [1, 2, 3, 4], "server 4 does not vote")
    writer.check_nothing_lost(ensemble)
    ensemble.wait_for_one_digest([1, 2, 3, 4])


def check_a_dead_leader_is_removed(ensemble):
    leader = ensemble.members()["leader_id"]
    rest = [id_ for id_ in (1, 2, 3, 4) if id_ != leader]
    writer = Writer(ensemble, "replace")
    ensemble.kill(leader)
    wait_until(lambda: ensemble.members("remove", str(leader)), "the dead leader is removed")
    check(ensemble.voters() == rest, "the removed one is still in")
    writer.check_nothing_lost(ensemble)
    ensemble.wait_for_one_digest(rest)
    return leader, rest


def check_the_removed_one_says_so(ensemble, removed):
    said = ensemble.log(removed).count("not in the ensemble")
    ensemble.start(removed)
    wait_until(lambda: ensemble.log(removed).count("not in the ensemble") > said,
               "the removed server says that it was removed")
    ensemble.kill(removed)


def check_flags_of_before_do(ensemble, rest):
    for id_ in rest:
        ensemble.kill(id_)
    for id_ in rest:
        ensemble.start(id_)
    wait_until(lambda: ensemble.voters() == rest, "the same members after a restart of all")
    ensemble.bell("znode", "create", "/after", "all")
    ensemble.wait_for_one_digest(rest)


def change_and_kill_the_leader(ensemble, *words):
    """Whoever asked first may not know what became of it; asking again says so."""
    leader = wait_until(lambda: ensemble.members()["leader_id"], "a leader")
    asker = subprocess.Popen([BIN / "bell", "cluster", *words], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=ensemble.environment)
    time.sleep(random.uniform(0, 0.08))  # the moment is what is tried, nothing is waited for
    ensemble.kill(leader)
    asker.wait(timeout=60)
    wait_until(lambda: ensemble.members(*words), f"bell cluster {' '.join(words)}, asked again")
    ensemble.start(leader)


def check_leaders_are_killed_amid_changes(ensemble, outside):
    writer = Writer(ensemble, "amid", 4000)
    ensemble.start(outside)
    change_and_kill_the_leader(ensemble, "add", f"{outside}={ensemble.peer[outside]}")
    wait_until(lambda: ensemble.members("promote", str(outside)), "the added server has caught up")
    change_and_kill_the_leader(ensemble, "promote", str(outside))
    check(ensemble.voters() == [1, 2, 3, 4], "not all have a vote")
    leaves = ensemble.members()["leader_id"]
    change_and_kill_the_leader(ensemble, "remove", str(leaves))
    rest = [id_ for id_ in (1, 2, 3, 4) if id_ != leaves]
    check(ensemble.voters() == rest, "the removed one is still in")
    writer.check_nothing_lost(ensemble)
    ensemble.wait_for_one_digest(rest)


def main():
    folder = tempfile.mkdtemp(prefix="bellwether-")
    try:
        with Ensemble(folder) as ensemble:
            wait_until(lambda: ensemble.members()["leader_id"], "a leader")
            check_grows(ensemble)
            removed, rest = check_a_dead_leader_is_removed(ensemble)
            check_the_removed_one_says_so(ensemble, removed)
            check_flags_of_before_do(ensemble, rest)
            check_leaders_are_killed_amid_changes(ensemble, removed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
