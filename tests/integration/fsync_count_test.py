"""Group commit: with 6 busy partitions a broker calls fdatasync or fsync at most once for every
three batches that it acknowledges."""

import pathlib
import re
import subprocess
import tempfile

from cluster import BIN, Server, check, skip

PARTITIONS = 6
PRODUCERS = 4
RECORDS = 5000  # of each producer


def can_trace():
    return subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "true"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


def produce(environment):
    """Several producers, each with small batches for all partitions."""
    subprocess.run([BIN / "bell", "topic", "create", "busy", "--partitions", str(PARTITIONS)],
                   env=environment, check=True, stdout=subprocess.DEVNULL, timeout=30)
    lines = "".join(f"key-{n}:record {n}\n" for n in range(RECORDS)).encode()
    producers = [subprocess.Popen(
        [BIN / "bell", "produce", "busy", "-", "--key-separator", ":", "--batch-bytes", "200",
         "--linger", "0ms"],
        env=environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(PRODUCERS)]
    for producer in producers:
        producer.stdin.write(lines)
        producer.stdin.close()
    for producer in producers:
        check(producer.wait(timeout=60) == 0, "bell produce failed")


def main():
    try:
        allowed = can_trace()
    except FileNotFoundError:
        skip("strace is not installed")
    if not allowed:
        skip("this machine does not let strace trace a process")
    with tempfile.TemporaryDirectory(prefix="bellwether-") as name, \
            Server("bell-coord", name) as coord:
        trace = pathlib.Path(name) / "trace"
        prefix = ("strace", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-o", trace)
        with Server("bell-broker", name, "--coord", coord.addresses["grpc"],
                    prefix=prefix) as broker:
            before = len(re.findall(r"\bf(?:data)?sync\(", trace.read_text()))
            produce({"BELL_COORD": coord.addresses["grpc"],
                     "BELL_BROKER": broker.addresses["grpc"]})
            batches = broker.metric("bell_log_appended_batches_total")
            syncs = len(re.findall(r"\bf(?:data)?sync\(", trace.read_text())) - before
    print(f"fsync_count: partitions={PARTITIONS} acknowledged_batches={batches:.0f} "
          f"syncs={syncs} batches_per_sync={batches / syncs:.1f}")
    check(batches > 300, f"too few batches to judge: {batches}")
    check(syncs * 3 <= batches, f"{syncs} syncs for {batches} batches")


if __name__ == "__main__":
    main()
