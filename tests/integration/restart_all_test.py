"""All servers are killed at once and started again: everything is there. And what was deleted while
a broker was away is deleted when it returns, while data that coord doesn't know is kept."""

import subprocess

from cluster import BIN, Cluster, check, wait_until

SERVERS = [f"coord-{n}" for n in (1, 2, 3)] + [f"broker-{n}" for n in (1, 2, 3)]


def consumed(cluster, topic):
    return cluster.rows("consume", topic, "--exit-at-end", "--timeout", "20s")


def check_everything_is_there(cluster):
    cluster.bell("znode", "create", "/kept", "value of a znode")
    cluster.bell("topic", "create", "kept", "--partitions", "6")
    cluster.bell("produce", "kept", "--key-separator", ":",
                 stdin="".join(f"{n % 50}:{n}\n" for n in range(5000)))
    topic = cluster.json("topic", "describe", "kept")
    records = consumed(cluster, "kept")
    check(sorted(int(r["value"]) for r in records) == list(range(5000)), "not what was published")
    ensemble = cluster.json("cluster", "status")["coord"]["ensemble_id"]
    for name in SERVERS:
        cluster.kill(name)
    check(cluster.run("znode", "get", "/kept", "--timeout", "500ms").returncode == 5,
          "a cluster of killed servers is not exit 5")
    cluster.up()
    check(cluster.bell("znode", "get", "/kept") == "value of a znode", "the znode is another one")
    cluster.wait_all_online("kept")
    after = cluster.json("topic", "describe", "kept")
    check(after["topic_id"] == topic["topic_id"], "the topic is another one")
    key = lambda record: (record["partition"], record["offset"])
    check(sorted(consumed(cluster, "kept"), key=key) == sorted(records, key=key),
          "the records are other ones")
    check(cluster.json("cluster", "status")["coord"]["ensemble_id"] == ensemble,
          "the ensemble is another one")
    wait_until(lambda: cluster.run("cluster", "status", "--check").returncode == 0, "healthy again")


def check_deletion_while_away(cluster):
    cluster.bell("topic", "create", "doomed", "--partitions", "3")
    cluster.bell("produce", "doomed", "--key-separator", ":",
                 stdin="".join(f"{n}:{n}\n" for n in range(100)))
    before = cluster.metric("broker-2", "bell_log_partitions")
    cluster.kill("broker-2")
    cluster.bell("topic", "delete", "doomed")
    check(cluster.run("topic", "describe", "doomed").returncode == 3, "the topic is still there")
    cluster.start("broker-2")
    wait_until(lambda: cluster.metric("broker-2", "bell_log_partitions") == before - 1,
               "broker 2 deletes its partition of the topic")
    cluster.bell("topic", "create", "doomed", "--partitions", "3")
    cluster.wait_all_online("doomed")
    check(consumed(cluster, "doomed") == [], "a new topic of the same name has old records")


def check_stray_is_kept(cluster):
    """Znodes of a topic removed by hand are no deletion: the data stays, and is reported."""
    cluster.bell("topic", "create", "stray", "--partitions", "3")
    cluster.bell("produce", "stray", "--partition", "1", stdin="kept\n")
    before = cluster.metric("broker-1", "bell_log_partitions")
    cluster.bell("znode", "delete", "/brokers/topics/stray", "-r")
    wait_until(lambda: cluster.metric("broker-1", "bell_partitions_stray") == 1,
               "broker 1 reports its partition as stray")
    cluster.kill("broker-1")
    cluster.start("broker-1")
    wait_until(lambda: cluster.metric("broker-1", "bell_partitions_stray") == 1,
               "it is still reported after a restart")
    check(cluster.metric("broker-1", "bell_log_partitions") == before, "stray data was deleted")


def check_up_returns(cluster):
    """`x=$(bell dev up)` ends although the servers it started run on."""
    cluster.kill("broker-3")
    script = '. "$1/env"; x=$("$0" dev up --dir "$1" --coords 3 --brokers 3); echo "${#x}"'
    done = subprocess.run(["bash", "-c", script, BIN / "bell", cluster.dir], check=True,
                          stdout=subprocess.PIPE, timeout=30)
    check(int(done.stdout) > 100, f"bell dev up printed {done.stdout} characters")


def main():
    with Cluster(coords=3, brokers=3) as cluster:
        check_everything_is_there(cluster)
        check_deletion_while_away(cluster)
        check_stray_is_kept(cluster)
        check_up_returns(cluster)


if __name__ == "__main__":
    main()
