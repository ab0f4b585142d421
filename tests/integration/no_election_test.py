"""Three servers under full load that take snapshots of many znodes meanwhile: after the first election
there is no other, as all servers' metrics say.

  python3 tests/integration/no_election_test.py --minutes 10 --znodes 1000000
"""

import argparse
import json
import subprocess

from cluster import BIN, Cluster, check, read_metric, wait_until
from flagged_servers import FlaggedServers

CONNECTIONS = 10
IN_FLIGHT = 40  # on each of them
LOOK_SECONDS = 5
STARTED = "bell_raft_elections_started_total"
WON = "bell_raft_elections_won_total"
CHANGES = "bell_raft_leader_changes_total"
HANDOVERS = "bell_raft_handovers_total"
TAKEN = "bell_snapshots_taken_total"


class Servers:
    """Those of a cluster, started anew, so that their metrics count from the first election on."""

    def __init__(self, cluster, snapshot_entries):
        self.cluster = cluster
        processes = FlaggedServers(cluster.dev)
        self.names = list(processes.servers())
        self.admins = {name: server["admin"] for name, server in processes.servers().items()}
        for name in self.names:
            processes.kill(name)
        for name in self.names:
            processes.start(name, "--snapshot-entries", str(snapshot_entries))
        wait_until(lambda: cluster.json("cluster", "status")["healthy"], "the ensemble is healthy")
        self.first = self.elections()
        check(len(set(self.first["terms"])) == 1, f"not one leader at first: {self.first}")

    def metric(self, metric):
        """Of each server, in order."""
        return [int(read_metric(self.admins[name], metric)) for name in self.names]

    def elections(self):
        return {"started": sum(self.metric(STARTED)), "won": sum(self.metric(WON)),
                "handovers": sum(self.metric(HANDOVERS)), "terms": self.metric("bell_raft_term")}

    def check_no_election(self):
        now = self.elections()
        check(now == self.first, f"there was an election: {now}; after the first one {self.first}")


def load(servers, mode, *words):
    """Runs it, looking for elections meanwhile; what it says at its end."""
    command = [BIN / "bench_coord", mode, "--coord", servers.cluster.environment["BELL_COORD"],
               "--root", "/many", "--connections", str(CONNECTIONS), "--in-flight", str(IN_FLIGHT),
               *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    servers.cluster.others.append(process)
    output = None
    while output is None:
        try:
            output, _ = process.communicate(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            servers.check_no_election()
    servers.check_no_election()
    check(output, f"bench_coord {mode} exited {process.returncode} and said nothing")
    return json.loads(output)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="under full load [10]")
    parser.add_argument("--znodes", type=int, default=1_000_000, help="[1000000]")
    parser.add_argument("--snapshot-entries", type=int, default=20_000, help="of the log [20000]")
    return parser.parse_args()


def main():
    options = parse_arguments()
    with Cluster(coords=3, brokers=0) as cluster:
        servers = Servers(cluster, options.snapshot_entries)
        load(servers, "create", "--operations", str(options.znodes))
        before = servers.metric(TAKEN)
        changes = sum(servers.metric(CHANGES))
        written = load(servers, "write", "--existing", str(options.znodes), "--seconds",
                       str(options.minutes * 60))
        taken = [after - earlier for after, earlier in zip(servers.metric(TAKEN), before)]
        check(min(taken) > 0, f"not every server took a snapshot under load: {taken}")
        check(min(servers.metric("bell_znodes")) >= options.znodes // CONNECTIONS * CONNECTIONS,
              "not all znodes are there")
        lost = sum(client["connections_lost"] for client in written["clients"])
        print(f"no_election: minutes={options.minutes:g} znodes={options.znodes} "
              f"writes={written['answered']} failed={written['failures']} "
              f"last_failure=\"{written['last_failure']}\" "
              f"connections_lost={lost} "
              f"last_connection_lost=\"{written['last_connection_lost']}\" "
              f"leader_changes={sum(servers.metric(CHANGES)) - changes} "
              f"snapshots={','.join(map(str, taken))} elections_after_the_first=0")


if __name__ == "__main__":
    main()
