"""What compare_zookeeper measures: the rows, which of them share an ensemble, what each takes from it,
and the numbers to reach."""

import contextlib
import dataclasses
import fnmatch
import json
import subprocess
import time

from cluster import PROGRAMS, NoResult, run
from zk_ensembles import IDS, LARGE_HEAP, OurEnsemble, descriptors_max

LATENCIES = ("p50_us", "p99_us", "p999_us")
CPU = "servers_cpu_per_100k"
HIGHER_IS_BETTER = {"per_second"}
PROOF_WRITES = 200
STRACE_SECONDS = 20  # until it has attached
LOAD_SECONDS_MAX = 900
DESCRIPTORS_KEPT = 500  # of a server, for other than clients
SERVERS = len(IDS)


def label(count):
    for unit, size in (("m", 1_000_000), ("k", 1_000)):
        if count >= size and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement. `take(bench, ensemble)` returns figures by metric. Rows of a group are taken one
    after the other on one ensemble, in the order of the list."""

    name: str
    group: str
    take: object
    load: tuple = ()       # words for zk_load, when it is a plain load
    only: str = ""         # of this system alone


def zk_load(words, addresses, pids=()):
    """What the load generator's line of JSON says."""
    command = [str(PROGRAMS / "zk_load"), *map(str, words), "--servers", ",".join(addresses)]
    if pids:
        command += ["--pids", ",".join(map(str, pids))]
    return json.loads(run(command).splitlines()[-1])


def load_row(name, *words):
    def take(bench, ensemble):
        timed = bench.timed(words)
        before = ensemble.log_syncs()
        figures = zk_load(timed, ensemble.addresses(), ensemble.pids())
        if figures["measured"] == 0:
            raise NoResult(f"{name}: nothing was answered in time")
        taken = {metric: figures[metric] for metric in
                 ("per_second", *LATENCIES, CPU, "generator_cpu_per_100k") if metric in figures}
        if before is not None:
            taken["log_syncs"] = max(after - one for after, one in
                                     zip(ensemble.log_syncs(), before))
        return taken
    return Row(name, "load", take, load=words)


def fan_out(bench, ensemble):
    figures = zk_load(bench.fan_out_words(), ensemble.addresses(), ensemble.pids())
    return {"last_ms": figures["last_ms"], "p50_ms": figures["p50_ms"], CPU: figures[CPU]}


def memory_fresh(bench, ensemble):
    time.sleep(bench.options.settle)
    return {"mib": max(ensemble.resident_mib())}


def memory_full(bench, ensemble):
    figures = zk_load(["fill", "--znodes", bench.options.znodes, "--root", "/many"],
                      ensemble.addresses())
    time.sleep(bench.options.settle)
    return {"mib": max(ensemble.resident_mib()), "fill_seconds": figures["seconds"]}


def syncs_per_write(_, ensemble):
    """Synced system calls per write, one write at a time, of the quorum's slower member: counted by
    strace, so that neither system's own word is taken for it."""
    traces = []
    try:
        for pid in ensemble.pids():
            file = ensemble.folder / f"trace-{pid}"
            traces.append((file, subprocess.Popen(
                ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", file, "-p", str(pid)],
                stderr=subprocess.DEVNULL)))
        wait_until_traced(ensemble.pids(), traces)
        zk_load(["set", "--operations", PROOF_WRITES, "--znodes", "1"], ensemble.addresses())
    finally:
        for _, process in traces:
            process.terminate()
            process.wait(timeout=30)
    counts = sorted(file.read_text().count("sync(") for file, _ in traces)
    of_quorum = counts[len(counts) // 2] / PROOF_WRITES
    if of_quorum < 1:
        raise NoResult(f"{ensemble.name} does not sync every write: {counts} for {PROOF_WRITES}")
    return {"syncs_per_write": of_quorum}


def wait_until_traced(pids, traces):
    deadline = time.monotonic() + STRACE_SECONDS
    for pid, (_, process) in zip(pids, traces):
        while b"TracerPid:\t0\n" in open(f"/proc/{pid}/status", "rb").read():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoResult("this machine does not let strace trace a process")
            time.sleep(0.05)


@contextlib.contextmanager
def idle_sessions(commands):
    """Load generators that keep their sessions; when all have said so, what they said."""
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                 for command in commands]
    try:
        lines = [process.stdout.readline() for process in processes]
        if not all(lines):
            raise NoResult("sessions could not be opened, or their watches not be set")
        yield [json.loads(line) for line in lines]
        failed = [process for process in processes if process.poll() is not None]
        if failed:
            raise NoResult("sessions were lost")
    finally:
        for process in processes:
            process.stdin.close()
        for process in processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def idle(bench, ensemble):
    """All servers' memory with idle sessions that watch. What the limit of descriptors forbids is not
    connected: those sessions live without a connection, and the others have their watches."""
    sessions, watches = bench.options.sessions, bench.options.watches
    limit = descriptors_max()
    connected = min(sessions, SERVERS * (limit - DESCRIPTORS_KEPT))
    generators = -(-connected // (limit - DESCRIPTORS_KEPT))
    fresh = sum(ensemble.resident_mib())
    commands = []
    for number in range(generators):
        own = connected // generators
        words = ["idle", "--sessions", own, "--watches", -(-watches // (own * generators)),
                 "--root", f"/idle-{number}", "--timeout-ms", 120_000]
        if number == 0:
            words += ["--dropped", sessions - own * generators]
        commands.append([str(PROGRAMS / "zk_load"), *map(str, words), "--servers",
                         ",".join(ensemble.addresses())])
    with idle_sessions(commands) as said:
        time.sleep(bench.options.settle)
        mib = ensemble.resident_mib()
        return {"mib_of_all": sum(mib), "mib": max(mib), "mib_of_all_before": fresh,
                "sessions": sum(one["sessions"] for one in said),
                "connected": sum(one["connected"] for one in said),
                "watches": sum(one["watches"] for one in said)}


def rows(options):
    """All of them, in order."""
    churn = load_row("churn_32", "churn", "--connections", 32)
    listed = label(options.znodes)
    return [
        Row("memory_fresh", "load", memory_fresh),
        Row("syncs_per_write", "load", syncs_per_write),
        load_row("set_1x1", "set"),
        load_row("set_12x32", "set", "--connections", 12, "--in-flight", 32),
        load_row("set_60x16", "set", "--connections", 60, "--in-flight", 16),
        load_row("set_1x64", "set", "--in-flight", 64),
        load_row("get_1x1", "get"),
        load_row("get_60x16", "get", "--connections", 60, "--in-flight", 16),
        load_row("get_12x64", "get", "--connections", 12, "--in-flight", 64),
        load_row("mixed_12x32", "mixed", "--connections", 12, "--in-flight", 32),
        load_row("children_100_12x16", "children", "--connections", 12, "--in-flight", 16),
        load_row("children_1000_12x4", "children", "--connections", 12, "--in-flight", 4,
                 "--children", 1000, "--root", "/zk_load_1000"),
        load_row("set_at_5000", "set", "--connections", 12, "--rate", 5000),
        load_row("get_at_20000", "get", "--connections", 60, "--rate", 20_000),
        load_row("mixed_at_5000", "mixed", "--connections", 60, "--rate", 5000),
        churn,
        Row(f"fan_out_{label(options.watchers)}", "load", fan_out),
        load_row("create_12x32", "create", "--connections", 12, "--in-flight", 32),
        Row(f"memory_{listed}_znodes", "znodes", memory_full),
        Row(f"memory_{listed}_znodes_heap_{LARGE_HEAP}", "znodes_large_heap", memory_full),
        Row(f"idle_{label(options.sessions)}_sessions", "idle", idle, only=OurEnsemble.name),
    ]


@dataclasses.dataclass(frozen=True)
class Goal:
    """Ours is to be so many times better than ZooKeeper, in the same run; or at most `most`."""

    rows: tuple  # globs
    metrics: tuple
    times: float = 0
    most: float = 0


_SATURATED = ("set_12x32", "set_60x16", "create_12x32")
_UNDER_LOAD = ("set_12x32", "get_60x16", "get_12x64", "mixed_12x32", "*_at_*")
_LOADS = ("set_*", "get_*", "mixed_*", "children_*", "create_*", "churn_*")
GOALS = (
    Goal(_SATURATED, ("per_second",), times=5),
    Goal(("set_1x1",), ("p50_us",), times=2),
    Goal(("get_60x16",), ("per_second",), times=5),
    Goal(("get_12x64",), ("per_second",), times=8),
    Goal(_UNDER_LOAD, ("p99_us", "p999_us"), times=5),
    Goal(_LOADS, (CPU,), times=5),
    Goal(("memory_fresh",), ("mib",), times=3),
    Goal(("memory_*_znodes*",), ("mib",), times=6),
    Goal(("fan_out_*",), ("last_ms",), times=4),
    Goal(("idle_*",), ("mib_of_all",), most=1024),
)


def goal_of(row, metric):
    """The first one that is about this figure, or None."""
    for goal in GOALS:
        if metric in goal.metrics and any(fnmatch.fnmatch(row, glob) for glob in goal.rows):
            return goal
    return None
