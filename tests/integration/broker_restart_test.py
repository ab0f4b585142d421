"""Brokers are killed and started again while records are published: afterwards every acknowledged
record is at its offset, in order, exactly once, and one of unknown outcome at most once. A partition
whose broker is away is offline (exit 5) and comes back with its data; one whose logs are gone is offline
until they are back."""

import collections
import json
import shutil
import subprocess
import threading

from cluster import Cluster, check, wait_until

BROKERS = 3
PARTITIONS = 6
KILLS = 5
TOPIC = "orders"


class Publisher:
    """One `bell produce --report` fed with 2,000 lines each second until stopped. Line N holds N
    as its value; the key chooses its partition."""

    def __init__(self, cluster):
        self.report = cluster.folder / "report"
        self.lines = 0
        self.stopping = threading.Event()
        self.process = cluster.spawn(
            "produce", TOPIC, "-", "--key-separator", ":", "--report", str(self.report),
            "--timeout", "5s", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.feeder = threading.Thread(target=self.feed)
        self.feeder.start()

    def feed(self):
        while not self.stopping.wait(0.01):
            for _ in range(20):
                self.lines += 1
                self.process.stdin.write(f"key-{self.lines % 97}:{self.lines}\n".encode())
            self.process.stdin.flush()

    def outcomes(self):
        """What the report says of each record so far."""
        rows = self.report.read_text().split("\n")[:-1] if self.report.exists() else []
        return [json.loads(row) for row in rows]

    def acked(self):
        return sum(row["status"] == "acked" for row in self.outcomes())

    def stop(self):
        self.stopping.set()
        self.feeder.join()
        _, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stderr.decode().splitlines()


def kill_and_restart(cluster, publisher):
    for number in range(KILLS):
        name = f"broker-{number % BROKERS + 1}"
        before = publisher.acked()
        wait_until(lambda: publisher.acked() > before + 1000, "1,000 more records acknowledged")
        cluster.kill(name)
        cluster.start(name)
        cluster.wait_all_online(TOPIC)


def offline_partitions(cluster):
    return [p for p in cluster.json("topic", "describe", TOPIC)["partitions"]
            if p["state"] == "offline"]


def check_offline(cluster, publisher):
    """A broker that stays away: its partitions are offline for both sides, the others serve."""
    cluster.kill("broker-2")
    offline = wait_until(lambda: offline_partitions(cluster), "partitions of broker 2 offline")
    check(all(p["leader"] == -1 and p["replicas"] == [2] and p["high_watermark"] is None
              for p in offline), f"offline partitions: {offline}")
    partition = str(offline[0]["partition"])
    for words in (("produce", TOPIC, "-", "--partition", partition),
                  ("consume", TOPIC, "--exit-at-end", "--partition", partition)):
        done = cluster.run(*words, "--timeout", "2s", stdin="late:0\n")
        check(done.returncode == 5, f"{words[0]} of an offline partition: exit {done.returncode}, "
              f"not 5: {done.stderr}")
    status = cluster.run("cluster", "status", "--check", "-o", "json")
    problems = [(p["code"], p["object"]) for p in json.loads(status.stdout)["problems"]]
    check(status.returncode == 8 and ("partition_offline", f"{TOPIC}/{partition}") in problems
          and ("broker_down", "broker-2") in problems, f"cluster status --check: {status.stdout}")
    before = publisher.acked()
    wait_until(lambda: publisher.acked() > before, "the other brokers acknowledge")
    cluster.start("broker-2")
    cluster.wait_all_online(TOPIC)


def compare(outcomes, records, lines):
    """outcomes: rows of the report; records: rows that were consumed."""
    check(sorted(row["line"] for row in outcomes) == list(range(1, lines + 1)),
          "the report does not hold each record once")
    status = {str(row["line"]): row for row in outcomes}
    copies = collections.Counter(record["value"] for record in records)
    newest = collections.defaultdict(lambda: (-1, 0))  # (offset, line) by partition
    for record in records:
        row = status[record["value"]]
        where = (record["partition"], record["offset"])
        offset, line = newest[record["partition"]]
        check(copies[record["value"]] == 1, f"line {row['line']} is there more than once")
        check(row["status"] != "rejected", f"line {row['line']} was rejected and is at {where}")
        check(row["status"] == "unknown" or (row["partition"], row["offset"]) == where,
              f"line {row['line']} is at {where}, acknowledged as {row}")
        check(record["offset"] == offset + 1, f"a gap or a repetition before {where}")
        check(row["line"] > line, f"line {row['line']} follows line {line} in {where}")
        newest[record["partition"]] = (record["offset"], row["line"])
    lost = [row["line"] for row in outcomes
            if row["status"] == "acked" and str(row["line"]) not in copies]
    check(not lost, f"{len(lost)} acknowledged records are lost, the first is line {lost[:1]}")


def check_lost_logs(cluster, records):
    """A data folder that lost its logs, though not its identity: its partitions are not led with
    empty logs in their place, and return with them."""
    cluster.kill("broker-2", 15)
    folder = cluster.data_dir("broker-2")
    identity = (folder / "identity.json").read_text()
    (folder / "log").rename(folder / "log-aside")
    cluster.start("broker-2")
    check(json.loads((folder / "identity.json").read_text())["folder_id"]
          != json.loads(identity)["folder_id"], "the folder without its logs has its old id")
    offline = wait_until(lambda: offline_partitions(cluster), "partitions without logs offline")
    check(all(p["leader"] == -1 and p["replicas"] == [2] for p in offline), f"offline: {offline}")
    cluster.kill("broker-2", 15)
    shutil.rmtree(folder / "log")
    (folder / "log-aside").rename(folder / "log")
    (folder / "identity.json").write_text(identity)
    cluster.start("broker-2")
    cluster.wait_all_online(TOPIC)
    again = cluster.rows("consume", TOPIC, "--exit-at-end", "--timeout", "20s")
    check(len(again) == len(records), f"{len(again)} records are back, not {len(records)}")


def main():
    with Cluster(coords=1, brokers=BROKERS) as cluster:
        cluster.bell("topic", "create", TOPIC, "--partitions", str(PARTITIONS))
        publisher = Publisher(cluster)
        kill_and_restart(cluster, publisher)
        check_offline(cluster, publisher)
        exit_code, stderr = publisher.stop()
        outcomes = publisher.outcomes()
        counts = collections.Counter(row["status"] for row in outcomes)
        expected = 6 if counts["unknown"] else 1 if counts["rejected"] else 0
        check(exit_code == expected, f"bell produce exited {exit_code}, not {expected}: {stderr}")
        check(counts["acked"] > 2000 * KILLS / 2, f"too few records were acknowledged: {counts}")
        records = cluster.rows("consume", TOPIC, "--exit-at-end", "--timeout", "20s")
        compare(outcomes, records, publisher.lines)
        check_lost_logs(cluster, records)
        print(f"broker_restart: kills={KILLS + 1} acked={counts['acked']} "
              f"unknown={counts['unknown']} rejected={counts['rejected']} lost=0 duplicated=0")


if __name__ == "__main__":
    main()
