"""Three coord servers that hold many znodes of 100 B, and take snapshots only when they are told to."""

import time

from cluster import NoResult
from flagged_servers import FlaggedServers

CONNECTIONS = 8  # of every load
IN_FLIGHT = 64  # on each of them
NEVER = ("--snapshot-entries", "1000000000")
ALWAYS = ("--snapshot-entries", "1")  # while something is written one snapshot follows the other
APPLIED = "bell_raft_applied_index"
TAKEN = "bell_snapshots_taken_total"
SECONDS_MAX = 600  # for a server to be where it is wanted


def expect(condition, otherwise):
    if not condition:
        raise NoResult(otherwise)


class ManyZnodes:
    """Used as a block; `report` is a rows.Report. Servers go by their names, as in coord-1."""

    def __init__(self, report, znodes):
        self.report = report
        self.znodes = znodes
        self.cluster = report.cluster(coords=3, brokers=0)

    def __enter__(self):
        self.cluster.__enter__()
        try:
            self.processes = FlaggedServers(self.cluster.dev)
            self.servers = self.processes.servers()
            for name in self.servers:
                self.processes.kill(name)
            for name in self.servers:
                self.processes.start(name, *NEVER)
            self.wait_same()
            self.load_seconds = self.bench("create", "--operations", self.znodes)[0]["seconds"]
            self.wait_same()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.cluster.__exit__()

    def bench(self, mode, *words):
        """A load on these znodes: what bench_coord says, and its command."""
        existing = [] if mode == "create" else ["--existing", self.znodes]
        return self.report.program(
            "bench_coord", mode, "--coord", "$BELL_COORD", "--root", "/many", "--connections",
            CONNECTIONS, "--in-flight", IN_FLIGHT, *existing, *words,
            environment=self.cluster.environment)

    def write(self, count):
        """Changes the data of that many znodes, chosen at random, as fast as it goes."""
        self.bench("write", "--operations", count)

    def metric(self, name, metric):
        return self.cluster.metric(self.servers[name], metric)

    def resident_mib(self, name):
        return self.cluster.resident_mib(self.processes.servers()[name])

    def leader(self):
        return self.cluster.leader()

    def others(self, name):
        return [other for other in self.servers if other != name]

    def follower(self):
        return self.others(self.leader())[0]

    def wait(self, name, condition, what):
        """Returns when `condition()` is true of a server that may not listen yet."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                if condition():
                    return
            except (OSError, NoResult):  # or not all of it is there yet
                expect(self.processes.runs(name), f"{name} ended; see {self.servers[name]['log']}")
            expect(time.monotonic() < deadline, f"not within {SECONDS_MAX} s: {name} {what}")
            time.sleep(0.02)

    def wait_applied(self, name, index):
        """Returns when the server serves a state at least that new."""
        self.wait(name, lambda: self.metric(name, APPLIED) >= index, f"has applied {index}")
        self.cluster.wait_ready(self.servers[name])

    def wait_same(self):
        """Returns when all have applied what the leader has."""
        for server in self.servers.values():
            self.cluster.wait_ready(server)
        index = self.metric(self.leader(), APPLIED)
        for name in self.servers:
            self.wait_applied(name, index)

    def kill(self, name):
        self.processes.kill(name)

    def start(self, name, *flags):
        """Of a server that was stopped while the others go on: the seconds from the start of its process
        until it serves all that they have."""
        index = max(self.metric(other, APPLIED) for other in self.others(name)
                    if self.processes.runs(other))
        began = time.monotonic()
        self.processes.start(name, *flags)
        self.wait_applied(name, index)
        return time.monotonic() - began

    def restart(self, name, *flags, signal=9):
        self.processes.kill(name, signal)
        return self.start(name, *flags)

    def restart_with_snapshot(self, name):
        """Afterwards it has one of all that was written, and takes others of all that follows."""
        self.restart(name, *ALWAYS)
        index = self.metric(name, APPLIED)
        self.wait(name, lambda: self.metric(name, "bell_snapshot_index") >= index,
                  f"has a snapshot of {index}")

    def cut_logs(self, names):
        """Those servers keep nothing in their logs of what was written so far."""
        for name in names:
            self.restart_with_snapshot(name)
        before = {name: self.metric(name, "bell_snapshot_index") for name in names}
        self.write(CONNECTIONS)
        for name in names:  # the second snapshot cuts the log to where the first one was
            self.wait(name, lambda: self.metric(name, "bell_snapshot_index") > before[name],
                      "has a second snapshot")

    def make_leader(self, name):
        """Leadership is handed on until it arrives there. Servers that had it take no snapshots."""
        for _ in range(20):
            leader = self.leader()
            if leader == name:
                return
            self.restart(leader, *NEVER, signal=15)
        raise NoResult(f"{name} was not elected in 20 hand-overs")
