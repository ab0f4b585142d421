"""Slices of one second: the log spreads over several column families, and when retention drops the
old ones their files are gone."""

import pathlib
import subprocess
import tempfile
import threading

from cluster import BIN, Server, check, wait_until


def bell(environment, *words, stdin=None):
    return subprocess.run([BIN / "bell", *words], env=environment, check=True, text=True,
                          input=stdin, capture_output=True, timeout=60).stdout


def table_files(folder):
    return {path.name: path.stat().st_size for path in folder.rglob("*.sst")}


class Publisher(threading.Thread):
    """Publishes 256 KiB that don't compress several times each second until stopped."""

    def __init__(self, environment, topic):
        super().__init__()
        self.stopping = threading.Event()
        self.words = (environment, "produce", topic)
        self.start()

    def run(self):
        with open("/dev/urandom", "rb") as random:
            while not self.stopping.wait(0.2):
                bell(*self.words, stdin="".join(random.read(128).hex() + "\n" for _ in range(1024)))

    def stop(self):
        self.stopping.set()
        self.join()


def main():
    with tempfile.TemporaryDirectory(prefix="bellwether-") as name, \
            Server("bell-coord", name) as coord, \
            Server("bell-broker", name, "--coord", coord.addresses["grpc"],
                   "--slice", "1s") as broker:
        data = pathlib.Path(name) / "bell-broker"
        environment = {"BELL_COORD": coord.addresses["grpc"],
                       "BELL_BROKER": broker.addresses["grpc"]}
        bell(environment, "topic", "create", "short", "--config", "retention.ms=4000")
        publisher = Publisher(environment, "short")
        try:
            wait_until(lambda: broker.metric("bell_log_slices") >= 3, "three slices")
            old = wait_until(lambda: table_files(data), "a slice's files")
            wait_until(lambda: broker.metric("bell_log_slices_dropped_total") >= 2,
                       "two slices dropped by retention")
        finally:
            publisher.stop()
        wait_until(lambda: not set(old) & set(table_files(data)), "the first slice's files vanish")
        check(bell(environment, "consume", "short", "--from", "end", "--exit-at-end") == "",
              "the log has no end")
        wait_until(lambda: sum(table_files(data).values()) < 1 << 20,
                   "what is left takes less than 1 MiB")


if __name__ == "__main__":
    main()
