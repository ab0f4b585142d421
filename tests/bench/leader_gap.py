"""How long writes are not acknowledged when the Raft leader ends: shared by report and failover."""

import dataclasses
import json
import subprocess
import time

from cluster import PROGRAMS, NoResult

SECONDS = 2  # of writing, after the half second of warm-up in which the leader is stopped
COMMAND = f"bench_coord gap --connections SERVERS --seconds {SECONDS} --coord $BELL_COORD"


HEED_SECONDS = 1  # a silence that is over before the signal, or begins so long after it, is the machine's


@dataclasses.dataclass
class Gap:
    """The longest time without an acknowledged write, in ms, around the signal."""

    undisturbed_ms: float  # of the clients of servers that lived on, the one that waited longest
    leaders_ms: float  # of the client of the server that was stopped: it had to attach elsewhere
    moved: int  # how many of the clients of servers that lived on had to attach anew
    began: float  # Unix time of the write before the undisturbed one


def measure_gap(cluster, signal):
    """Every server has one client that writes one znode after the other; the leader gets the signal
    and is started again. Returns when all servers are ready."""
    leader = cluster.leader()
    servers = cluster.servers()
    writing = subprocess.Popen(
        [str(PROGRAMS / "bench_coord"), "gap", "--connections", str(len(servers)), "--seconds",
         str(SECONDS), "--coord", cluster.environment["BELL_COORD"]],
        stdout=subprocess.PIPE, text=True)
    with writing:
        if writing.stdout.readline() != "writing\n":
            raise NoResult("bench_coord gap did not begin to write")
        time.sleep(0.4)
        signalled = time.time()
        cluster.dev("kill", leader, "--signal", str(signal))
        if writing.poll() is not None:
            raise NoResult("the leader was stopped after the writes had ended")
        output = writing.stdout.read()
    if writing.returncode != 0:
        raise NoResult(f"bench_coord gap exited {writing.returncode}")
    cluster.dev("start", leader)
    for server in servers:
        cluster.wait_ready(server)
    clients = {client["server"]: client for client in json.loads(output)["clients"]}
    leaders = clients.pop(next(server["grpc"] for server in servers if server["name"] == leader))
    began, longest = max((longest_gap(client, signalled) for client in clients.values()),
                         key=lambda gap: gap[1])
    return Gap(undisturbed_ms=longest,
               leaders_ms=longest_gap(leaders, signalled)[1],
               moved=sum(client["connections_lost"] > 0 for client in clients.values()),
               began=began)


def longest_gap(client, signalled):
    """When it began, in Unix time, and how many ms it took; those below 1 ms are not told apart."""
    around = [(began / 1000, ms) for began, ms in client["gaps"]
              if began + ms > signalled * 1000 and began < (signalled + HEED_SECONDS) * 1000]
    return max(around, key=lambda gap: gap[1], default=(signalled, 1))
