"""Ensembles of three servers that speak ZooKeeper's protocol, ours and Debian's ZooKeeper, with one face:
addresses, process ids, memory. Each is used as a block, at the end of which it is killed and its data
deleted."""

import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import time
import urllib.request

from cluster import PROGRAMS, NoResult, run
from real_zookeeper import JAR, free_port

IDS = (1, 2, 3)
STARTS = 3  # a port may be taken by another between its choice and its use
START_SECONDS = 90
WORD_SECONDS = 5
LOG_SHOWN = 500  # characters

# What ZooKeeper's administrator guide recommends, or its defaults where it recommends nothing.
ZOOKEEPER_SETTINGS = {
    "tickTime": "2000", "initLimit": "10", "syncLimit": "5", "maxClientCnxns": "0",
    "snapCount": "100000", "preAllocSize": "65536", "globalOutstandingLimit": "1000",
    "leaderServes": "yes", "forceSync": "yes", "autopurge.purgeInterval": "0",
    "admin.enableServer": "false", "4lw.commands.whitelist": "srvr,mntr",
}
# Of these it reads only the Java properties.
_PROPERTIES = {"preAllocSize": "zookeeper.preAllocSize", "forceSync": "zookeeper.forceSync",
               "snapCount": "zookeeper.snapCount",
               "globalOutstandingLimit": "zookeeper.globalOutstandingLimit"}
ZOOKEEPER_HEAP = "1000m"  # that of its own start script
LARGE_HEAP = "3g"         # that of its guide's example, for a machine of 4 GB
OUR_FLAGS = ("--zk-connections-per-address", "0")


def descriptors_max():
    """How many descriptors a process of ours may have, after raising that as far as the system lets."""
    wanted = 1 << 20
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError):  # not allowed
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def ask(address, word):
    """What a server answers to a four-letter word, empty when it does not."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=WORD_SECONDS) as connection:
            connection.sendall(word.encode())
            return connection.makefile("r", errors="replace").read()
    except OSError:
        return ""


class Ensemble:
    """`start_one(id)` of a subclass returns a Popen; `choose_ports` comes before."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.zk = {}  # address for clients, by id
        self.processes = {}

    def __enter__(self):
        try:
            for _ in range(STARTS):
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True)
                self.choose_ports()
                self.processes = {id_: self.start_one(id_) for id_ in IDS}
                if self._is_served():
                    return self
                self._end()
        except BaseException:
            self.__exit__()
            raise
        raise NoResult(f"{self.name} does not start: {self._end_of_log()}")

    def __exit__(self, *_):
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, id_):
        return self.folder / f"log-{id_}"

    def start(self, id_, words, **settings):
        with open(self.log(id_), "ab") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    **settings)

    def pids(self):
        return [process.pid for process in self.processes.values()]

    def resident_mib(self):
        """Of each server."""
        return [int(re.search(r"^VmRSS:\s+(\d+) kB",
                              pathlib.Path(f"/proc/{pid}/status").read_text(),
                              re.MULTILINE).group(1)) / 1024 for pid in self.pids()]

    def addresses(self):
        """The leader's is the last: the first connection of a load is a follower's, as those of two
        clients in three are."""
        return sorted(self.zk.values(), key=lambda address: "leader" in self._mode(address))

    def _mode(self, address):
        found = re.search(r"^Mode: (.*)$", ask(address, "srvr"), re.MULTILINE)
        return found.group(1) if found else ""

    def _is_served(self):
        """Returns when there is a leader with two followers, or a process has ended."""
        deadline = time.monotonic() + START_SECONDS
        while all(process.poll() is None for process in self.processes.values()):
            if sorted(map(self._mode, self.zk.values())) == ["follower", "follower", "leader"]:
                return True
            if time.monotonic() > deadline:
                raise NoResult(f"{self.name} has no quorum within {START_SECONDS} s: "
                               f"{self._end_of_log()}")
            time.sleep(0.1)
        return False

    def _end(self):
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait(timeout=30)
        self.processes = {}

    def _end_of_log(self):
        return " | ".join(self.log(id_).read_text(errors="replace")[-LOG_SHOWN:] for id_ in IDS
                          if self.log(id_).exists())


class OurEnsemble(Ensemble):
    """Three bell-coord with their defaults, `flags` besides."""

    name = "ours"

    def __init__(self, folder, *flags):
        super().__init__(folder)
        self.flags = [*OUR_FLAGS, *flags]
        self.grpc, self.peer, self.admin = {}, {}, {}

    def choose_ports(self):
        for addresses in (self.zk, self.grpc, self.peer, self.admin):
            addresses.update({id_: f"127.0.0.1:{free_port()}" for id_ in IDS})

    def start_one(self, id_):
        peers = [word for peer in IDS for word in ("--peer", f"{peer}={self.peer[peer]}")]
        return self.start(id_, [
            PROGRAMS / "bell-coord", "--id", str(id_), "--data-dir", self.folder / f"data-{id_}",
            "--listen", self.grpc[id_], "--listen-zk", self.zk[id_],
            "--listen-admin", self.admin[id_], *peers, *self.flags])

    def log_syncs(self):
        """How often each server has synced its log, as it counts itself."""
        counts = []
        for address in self.admin.values():
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                found = re.search(r"^bell_raft_log_sync_seconds_count (\S+)",
                                  answer.read().decode(), re.MULTILINE)
            if not found:
                raise NoResult("no metric bell_raft_log_sync_seconds_count")
            counts.append(int(float(found.group(1))))
        return counts

    def describe(self):
        return f"ours: {PROGRAMS / 'bell-coord'} x 3, defaults and {' '.join(self.flags)}"


class ZooKeeperEnsemble(Ensemble):
    """Three servers of Debian's package, logs and snapshots in folders of their own."""

    name = "zookeeper"

    def __init__(self, folder, heap=ZOOKEEPER_HEAP):
        super().__init__(folder)
        self.heap = heap
        self.quorum, self.election = {}, {}

    def choose_ports(self):
        for ports in (self.quorum, self.election):
            ports.update({id_: free_port() for id_ in IDS})
        self.zk.update({id_: f"127.0.0.1:{free_port()}" for id_ in IDS})

    def start_one(self, id_):
        data, log = (self.folder / f"{kind}-{id_}" for kind in ("data", "datalog"))
        for folder in (data, log):
            folder.mkdir()
        (data / "myid").write_text(f"{id_}\n")
        lines = [f"{name}={value}" for name, value in ZOOKEEPER_SETTINGS.items()
                 if name not in _PROPERTIES]
        lines += [f"server.{peer}=127.0.0.1:{self.quorum[peer]}:{self.election[peer]}"
                  for peer in IDS]
        port = self.zk[id_].rpartition(":")[2]
        lines += [f"dataDir={data}", f"dataLogDir={log}", f"clientPort={port}",
                  "clientPortAddress=127.0.0.1"]
        configuration = self.folder / f"zoo-{id_}.cfg"
        configuration.write_text("\n".join(lines) + "\n")
        properties = [f"-D{name}={ZOOKEEPER_SETTINGS[setting]}"
                      for setting, name in _PROPERTIES.items()]
        return self.start(id_, ["java", f"-Xmx{self.heap}", "-Djava.net.preferIPv4Stack=true",
                                *properties, "-cp", str(JAR),
                                "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                                str(configuration)], env={**os.environ, "LC_ALL": "C"})

    def log_syncs(self):
        """It does not count them."""
        return None

    def describe(self):
        settings = " ".join(f"{name}={value}" for name, value in ZOOKEEPER_SETTINGS.items())
        version = run(["dpkg-query", "--show", "--showformat=${Version}", "zookeeper"])
        return (f"zookeeper: {version} of Debian x 3, java -Xmx{self.heap}, dataLogDir apart from "
                f"dataDir (on the same disk), no logging, {settings}")
