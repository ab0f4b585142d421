"""The steps of deploy/quickstart: a cluster of real processes carries real data.

Prints one line of explanation per step. What was read back is compared with the input by
(line number, SHA-256 of the line): the line number travels in the header `line` of each record.
Whatever happens, the last line is the verdict, and nothing is left running unless --keep says so.
"""

import argparse
import base64
import collections
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

COORDS = 3
BROKERS = 3
PARTITIONS = 6
TOPIC = "events"


class Failed(Exception):
    """A step did not do what it should."""


def say(text):
    print(f"== {text}", flush=True)


class Tour:
    def __init__(self, arguments):
        self.bell_path = str(pathlib.Path(arguments.bin) / "bell")
        self.dir = arguments.dir
        self.file = arguments.file
        self.lines, self.separator = [], None
        self.results = {}

    def bell(self, *words, check=True, stdin=None, **options):
        done = subprocess.run([self.bell_path, *words], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, **options)
        if check and done.returncode != 0:
            raise Failed(f"`bell {' '.join(words)}` exited {done.returncode}: "
                         f"{last_line(done.stderr)}")
        return done.stdout.decode()

    def bell_json(self, *words):
        return json.loads(self.bell(*words, "-o", "json"))

    def start_cluster(self):
        say(f"Starting {COORDS} coord servers and {BROKERS} brokers as processes of their own")
        if os.path.exists(self.dir):
            self.bell("dev", "down", "--dir", self.dir, check=False)
            shutil.rmtree(self.dir)
        self.bell("dev", "up", "--coords", str(COORDS), "--brokers", str(BROKERS),
                  "--dir", self.dir)
        for line in (pathlib.Path(self.dir) / "env").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            os.environ[name] = value

    def stop_cluster(self):
        # In a session of its own: a terminal's Ctrl-C doesn't reach it.
        self.bell("dev", "down", "--dir", self.dir, check=False, start_new_session=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def watch_config(self):
        say("Storing a config znode, and watching it while it changes")
        self.bell("znode", "create", "/config-demo", "")
        self.bell("znode", "create", "/config-demo/db", "primary=db1:5432")
        with subprocess.Popen([self.bell_path, "znode", "watch", "/config-demo/db", "--count", "1",
                               "--timeout", "20s", "-o", "json"],
                              stdout=subprocess.PIPE) as watcher:
            try:
                armed = json.loads(watcher.stdout.readline() or b"{}")
                if armed.get("type") != "armed":
                    raise Failed("the watch was not armed")
                self.bell("znode", "set", "/config-demo/db", "primary=db2:5432")
                event = json.loads(watcher.stdout.readline() or b"{}")
            finally:
                watcher.kill()
        if event.get("type") != "changed" or event.get("value") != "primary=db2:5432":
            raise Failed(f"the watcher saw {event}, not the change")
        print(f"   the watcher was told: {event['path']} is now '{event['value']}' "
              f"(version {event['version']}, zxid {event['zxid']})")
        self.results["config"] = "watched"

    def live_brokers(self):
        return [b["id"] for b in self.bell_json("broker", "list")["brokers"] if b["state"] == "up"]

    def list_brokers(self):
        say("Listing live brokers: each is an ephemeral znode")
        print("".join("   " + line + "\n" for line in self.bell("broker", "list").splitlines()),
              end="", flush=True)
        self.results["brokers"] = len(self.live_brokers())
        if self.results["brokers"] != BROKERS:
            raise Failed(f"{self.results['brokers']} brokers are live, not {BROKERS}")

    def publish(self):
        say(f"Creating topic '{TOPIC}' with {PARTITIONS} partitions and publishing "
            f"{len(self.lines)} lines")
        self.bell("topic", "create", TOPIC, "--partitions", str(PARTITIONS))
        dropped = int(os.environ.get("BELL_QUICKSTART_DROP_LINE", "0"))
        parts = [(1, self.lines)]
        if 1 <= dropped <= len(self.lines):
            parts = [(1, self.lines[:dropped - 1]), (dropped + 1, self.lines[dropped:])]
        published = 0
        for first, lines in parts:
            if not lines:
                continue
            words = ["produce", TOPIC, "-", "--line-header", f"line={first}", "-o", "json"]
            if self.separator is not None:
                words += ["--key-separator", self.separator.decode()]
            summary = json.loads(self.bell(*words, stdin=b"\n".join(lines) + b"\n"))
            published += summary["acked"]
        self.results["published"] = published

    def consume(self, title):
        say(title)
        text = self.bell("consume", TOPIC, "--exit-at-end", "-o", "json")
        seen = collections.Counter()
        for row in text.splitlines():
            record = json.loads(row)
            value = bytes_of(record, "value") or b""
            key = bytes_of(record, "key")
            line = value if key is None else key + self.separator + value
            number = next((int(h["value"]) for h in record["headers"] if h["key"] == "line"), 0)
            seen[(number, hashlib.sha256(line).hexdigest())] += 1
        self.compare(seen)

    def compare(self, seen):
        expected = {(n, hashlib.sha256(line).hexdigest()) for n, line in enumerate(self.lines, 1)}
        lost = sorted(expected - seen.keys())
        foreign = sorted(seen.keys() - expected)
        duplicated = sorted(key for key, count in seen.items() if count > 1)
        self.results["consumed"] = sum(seen.values())
        self.results["lost"] = len(lost)
        self.results["duplicated"] = sum(seen[key] - 1 for key in duplicated)
        for name, keys in (("lost", lost), ("not in the input", foreign),
                           ("duplicated", duplicated)):
            for number, digest in keys[:3]:
                print(f"   {name}: line {number}, SHA-256 {digest[:16]}...")
        if lost or foreign or duplicated:
            raise Failed("what was consumed is not what was in the input")
        print(f"   all {len(expected)} lines are there, each once")

    def kill_and_restart(self):
        leader = self.coord_leader()
        coord, broker = f"coord-{leader}", "broker-2"
        say(f"Killing the coord leader ({coord}) and {broker} with SIGKILL")
        self.bell("dev", "kill", coord, "--dir", self.dir)
        self.bell("dev", "kill", broker, "--dir", self.dir)
        self.wait_for_brokers(BROKERS - 1)
        print(f"   live brokers now: {self.live_brokers()}")
        say("Starting them again")
        self.bell("dev", "start", coord, "--dir", self.dir)
        self.bell("dev", "start", broker, "--dir", self.dir)
        self.wait_for_brokers(BROKERS)
        self.wait_for_partitions()

    def coord_leader(self):
        """The id of the leader; while the servers elect one there is none."""
        return self.wait(lambda: self.bell_json("cluster", "status")["coord"]["leader_id"],
                         "coord leader")

    def wait_for_brokers(self, count):
        self.wait(lambda: len(self.live_brokers()) == count, f"{count} live brokers")

    def wait_for_partitions(self):
        def all_online():
            partitions = self.bell_json("topic", "describe", TOPIC)["partitions"]
            return all(p["state"] == "online" for p in partitions)
        self.wait(all_online, "all partitions online")

    @staticmethod
    def wait(condition, what, seconds=40):
        """What `condition()` returned when it was true at last."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                result = condition()
                if result:
                    return result
            except Failed:
                pass  # an election is under way: ask again
            if time.monotonic() > deadline:
                raise Failed(f"no {what} within {seconds} s")
            time.sleep(0.1)

    def run(self):
        self.lines, self.separator = read_input(self.file)
        if not self.lines:
            raise Failed("the input is empty: there is nothing to publish")
        self.start_cluster()
        self.watch_config()
        self.list_brokers()
        self.publish()
        self.consume("Consuming everything and comparing it with the input")
        self.kill_and_restart()
        self.consume("Consuming everything again")


def read_input(path):
    """The lines without their newlines, and the bytes between key and value (None: null keys)."""
    if path:
        data = pathlib.Path(path).read_bytes()
        separator = None
    else:
        data = subprocess.run(["dpkg-query", "-W"], stdout=subprocess.PIPE, check=True).stdout
        separator = b"\t"
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return lines, separator


def bytes_of(record, field):
    if record[field] is not None:
        return record[field].encode()
    encoded = record[field + "_base64"]
    return None if encoded is None else base64.b64decode(encoded)


def last_line(stderr):
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(it said nothing)"


def handle_interrupts(handler):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def interrupt(*_):
    """Handles the first interrupt; what it leads to is not to be interrupted."""
    handle_interrupts(signal.SIG_IGN)
    raise KeyboardInterrupt


def why_it_failed(step):
    """Runs a step that interrupts may end: None, or in words what went wrong. From then on interrupts
    are ignored: what is left to do is to stop the cluster and to tell the verdict."""
    try:
        try:
            step()
        finally:
            handle_interrupts(signal.SIG_IGN)
    except Failed as failure:
        return str(failure)
    except KeyboardInterrupt:
        return "interrupted"
    except Exception as error:  # the verdict must be told whatever it was
        return f"{type(error).__name__}: {error}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    handle_interrupts(interrupt)
    tour = Tour(arguments)
    why = why_it_failed(tour.run)
    if why is None and arguments.keep:
        say(f"The cluster runs on. Connect: source {tour.dir}/env; "
            f"stop: {tour.bell_path} dev down --dir {tour.dir}")
    else:
        not_stopped = why_it_failed(tour.stop_cluster)
        why = not_stopped if why is None else why
    order = ("config", "brokers", "published", "consumed", "lost", "duplicated")
    fields = " ".join(f"{name}={tour.results[name]}" for name in order if name in tour.results)
    if why is not None:
        print(f"   {why}")
    print(f"quickstart: {'OK' if why is None else 'FAILED'} {fields}".rstrip(), flush=True)
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main())
