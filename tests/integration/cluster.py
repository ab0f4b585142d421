"""A cluster of real processes for one test, started through `bell dev`, and ways to use it.

    with Cluster(coords=3, brokers=3) as cluster:
        cluster.bell("topic", "create", "t")
        cluster.json("topic", "describe", "t")["partitions"]

Leaving the block stops every process and removes the folder; when the test failed, the ends of the
servers' logs are printed first. BELL_BIN names the folder of the programs.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from programs import PROGRAMS as BIN  # noqa: E402


def check(condition, message):
    """Fails the test when the condition is false."""
    if not condition:
        raise AssertionError(message)


def skip(reason):
    """Ends the test as one that can't run here."""
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(77)


def wait_until(condition, what, seconds=30):
    """Asks again until `condition()` is true, and returns what it returned. While it raises a
    CommandFailed the answer counts as no: an election may be under way."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(CommandFailed):
            result = condition()
            if result:
                return result
        check(time.monotonic() < deadline, f"not within {seconds} s: {what}")
        time.sleep(0.05)


def read_metric(admin, metric):
    """The value of a metric, its labels included in `metric`, of the server with this address."""
    host, _, port = admin.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    for line in text.splitlines():
        if line.startswith(metric + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"{admin} has no metric {metric}")


class CommandFailed(Exception):
    """`bell` ended with another exit code than 0; str() is its last line on stderr."""

    def __init__(self, words, status, stderr):
        lines = stderr.strip().splitlines() or ["(it said nothing)"]
        super().__init__(f"`bell {' '.join(words)}` exited {status}: {lines[-1]}")
        self.status = status


class Cluster:
    def __init__(self, coords=1, brokers=1, dir_=None):
        self.coords = coords
        self.brokers = brokers
        self.folder = pathlib.Path(dir_ or tempfile.mkdtemp(prefix="bellwether-"))
        self.dir = self.folder / "cluster"
        self.environment = dict(os.environ)
        self.others = []  # processes of `spawn`

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.stop(failed=True)
            raise
        return self

    def __exit__(self, kind, _value, _trace):
        self.stop(failed=kind is not None and kind is not SystemExit)

    def up(self):
        self.dev("up", "--coords", str(self.coords), "--brokers", str(self.brokers))
        for line in (self.dir / "env").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value

    def stop(self, failed=False):
        for process in self.others:
            if process.poll() is None:
                process.kill()
            process.wait()
        if failed:
            for log in sorted(self.dir.glob("*/log")):
                tail = log.read_text(errors="replace").splitlines()[-25:]
                print(f"-- {log}\n" + "\n".join(tail), file=sys.stderr, flush=True)
        self.run("dev", "down", "--dir", str(self.dir))
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words, stdin=None):
        """The finished process; stdout and stderr are text."""
        return subprocess.run([BIN / "bell", *words], input=stdin, env=self.environment, check=False,
                              capture_output=True, text=True, errors="surrogateescape", timeout=120)

    def bell(self, *words, stdin=None):
        """stdout of a command that must succeed."""
        done = self.run(*words, stdin=stdin)
        if done.returncode != 0:
            raise CommandFailed(words, done.returncode, done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self.bell(*words, "-o", "json"))

    def rows(self, *words):
        """The documents of a command that prints one per line."""
        return [json.loads(line) for line in self.bell(*words, "-o", "json").splitlines()]

    def spawn(self, *words, **streams):
        """A `bell` that runs on beside the test; it is killed at the end."""
        process = subprocess.Popen([BIN / "bell", *words], env=self.environment, **streams)
        self.others.append(process)
        return process

    def dev(self, *words):
        return self.bell("dev", *words, "--dir", str(self.dir))

    def kill(self, name, signal=9):
        """Returns when the process is gone."""
        self.dev("kill", name, "--signal", str(signal))

    def start(self, name):
        """Returns when the server serves."""
        self.dev("start", name)

    def process(self, name):
        """What `bell dev status` says of one server."""
        status = json.loads(self.bell("dev", "status", "--dir", str(self.dir), "-o", "json"))
        return next(p for p in status["processes"] if p["name"] == name)

    def data_dir(self, name):
        return pathlib.Path(self.process(name)["data_dir"])

    def metric(self, name, metric):
        return read_metric(self.process(name)["admin"], metric)

    def wait_all_online(self, topic, seconds=40):
        wait_until(lambda: all(p["state"] == "online" and p["high_watermark"] is not None
                               for p in self.json("topic", "describe", topic)["partitions"]),
                   f"all partitions of {topic} online", seconds)


class Server:
    """One bell-coord or bell-broker with flags of its own, in a folder that must exist; used as a
    block. The system chooses its ports, which it keeps when started again; ZooKeeper's clients have none
    unless the flags say so. `prefix` is a command that runs it, as strace."""

    def __init__(self, program, folder, *flags, prefix=()):
        self.folder = pathlib.Path(folder)
        self.log = self.folder / f"{program}.log"
        self.command = [*prefix, BIN / program, "--id", "1", "--data-dir", self.folder / program,
                        *flags]
        if program == "bell-coord" and "--listen-zk" not in flags:
            self.command += ["--listen-zk", "off"]
        self.addresses = {"grpc": "127.0.0.1:0", "admin": "127.0.0.1:0"}  # then the ready line's
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop(9)

    def start(self):
        listen = ("--listen", self.addresses["grpc"], "--listen-admin", self.addresses["admin"])
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.command, *listen], stdout=subprocess.PIPE,
                                            stderr=log, text=True)
        ready = self.process.stdout.readline().split()
        if len(ready) < 2 or ready[1] != "ready":
            raise AssertionError(f"did not start: {self.log.read_text()[-2000:]}")
        self.addresses = dict(word.split("=", 1) for word in ready[2:])

    def stop(self, signal=15):
        """Returns when it is gone, and the command that ran it."""
        if self.process.poll() is None:
            os.kill(int(self.addresses.get("pid", self.process.pid)), signal)
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def metric(self, metric):
        return read_metric(self.addresses["admin"], metric)
