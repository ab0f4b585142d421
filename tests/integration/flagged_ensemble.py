"""Servers of one ensemble with flags of their own, for tests that start, kill and restart them one by
one: what `bell dev` doesn't do."""

import json
import os
import pathlib
import socket
import subprocess

from cluster import BIN, CommandFailed, check, read_metric, wait_until


def free_ports(count):
    """Ports that nobody uses now; peers must know theirs beforehand."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class FlaggedEnsemble:
    """Three servers, each with `flags`; used as a block, at the end of which they are killed. Servers
    with the ids of `later` are known to clients, and started by the test when it wants. Their files are
    in `folder`: data-ID and coord-ID.log."""

    def __init__(self, folder, *flags, later=()):
        self.folder = pathlib.Path(folder)
        self.flags = flags
        self.ids = (1, 2, 3)
        ids = (*self.ids, *later)
        ports = iter(free_ports(3 * len(ids)))
        self.grpc, self.peer, self.admin = ({id_: f"127.0.0.1:{next(ports)}" for id_ in ids}
                                            for _ in range(3))
        self.processes = {}
        self.environment = dict(os.environ, BELL_COORD=",".join(self.grpc.values()))

    def __enter__(self):
        for id_ in self.ids:
            self.start(id_)
        return self

    def __exit__(self, *_):
        for id_ in list(self.processes):
            self.kill(id_)

    def data_dir(self, id_):
        return self.folder / f"data-{id_}"

    def log(self, id_):
        return (self.folder / f"coord-{id_}.log").read_text()

    def peer_flags(self, id_):
        """The first three servers, and itself: always the same."""
        return [word for peer in sorted({*self.ids, id_})
                for word in ("--peer", f"{peer}={self.peer[peer]}")]

    def own_flags(self, _id):
        """What else a server is started with."""
        return ["--listen-zk", "off"]

    def start(self, id_):
        """Returns when it is ready."""
        command = [BIN / "bell-coord", "--id", str(id_), "--data-dir", self.data_dir(id_),
                   "--listen", self.grpc[id_], "--listen-admin", self.admin[id_],
                   *self.own_flags(id_), *self.peer_flags(id_), *self.flags]
        with open(self.folder / f"coord-{id_}.log", "ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        check("ready" in process.stdout.readline(), self.log(id_)[-2000:])
        self.processes[id_] = process

    def kill(self, id_, signal=9):
        """Returns when the process is gone."""
        process = self.processes.pop(id_)
        process.send_signal(signal)
        process.wait(timeout=30)
        process.stdout.close()

    def bell(self, *words, stdin=None):
        """stdout of a command that must succeed."""
        done = subprocess.run([BIN / "bell", *words], check=False, capture_output=True, text=True,
                              input=stdin, env=self.environment, timeout=60)
        if done.returncode != 0:
            raise CommandFailed(words, done.returncode, done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self.bell(*words, "-o", "json"))

    def status(self):
        return self.json("cluster", "status")["coord"]

    def leader(self):
        return wait_until(lambda: self.status()["leader_id"], "a leader")

    def metric(self, id_, name):
        return read_metric(self.admin[id_], name)

    def wait_for_one_digest(self, ids=None):
        """Returns when these servers, or else the first three, are up and hold the same state."""
        ids = ids or self.ids

        def one_digest():
            states = {server["id"]: (server["digest"], server["applied_index"])
                      for server in self.status()["servers"] if server["state"] == "up"}
            return all(id_ in states for id_ in ids) and len({states[id_] for id_ in ids}) == 1
        wait_until(one_digest, f"servers {ids} up, with one digest")
