"""A `bell dev` cluster for the tools of tests/bench: real processes with their data in a folder of its own."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request


sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from programs import PROGRAMS, ROOT, build_programs  # noqa: E402,F401


class NoResult(Exception):
    """A figure could not be taken; the text says why."""


def run(words, environment=None):
    """Runs a command; its standard output. A command that fails gives no result."""
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise NoResult(f"`{' '.join(map(str, words))}` exited {done.returncode}: {last}")
    return done.stdout


class Cluster:
    """Started by entering it; leaving it stops the servers and deletes their data."""

    def __init__(self, folder, coords, brokers):
        self.bell = str(PROGRAMS / "bell")
        self.folder = pathlib.Path(folder)
        self.counts = ["--coords", str(coords), "--brokers", str(brokers)]

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.dev("up", *self.counts)
        except BaseException:
            self.__exit__()
            raise
        exports = re.findall(r"^export (\w+)=(.*)$", (self.folder / "env").read_text(), re.MULTILINE)
        self.environment = {**os.environ, **dict(exports)}
        return self

    def __exit__(self, *_):
        subprocess.run([self.bell, "dev", "down", "--dir", self.folder], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dev(self, *words):
        return run([self.bell, "dev", *words, "--dir", str(self.folder)])

    def servers(self):
        """As `bell dev status -o json` lists them."""
        return json.loads(self.dev("status", "-o", "json"))["processes"]

    def cpu_seconds(self):
        """User and system time of all servers so far."""
        ticks = 0
        for server in self.servers():
            stat = pathlib.Path(f"/proc/{server['pid']}/stat").read_text()
            fields = stat.rpartition(")")[2].split()  # the name in front may hold spaces
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mib(self, server):
        status = pathlib.Path(f"/proc/{server['pid']}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE).group(1)) / 1024

    def leader(self):
        """Name of the coord server that leads, as in coord-2."""
        for _ in range(200):
            done = subprocess.run([self.bell, "cluster", "status", "-o", "json"], check=False,
                                  env=self.environment, stdout=subprocess.PIPE)
            leader_id = json.loads(done.stdout)["coord"]["leader_id"] if done.returncode == 0 else None
            if leader_id:
                return f"coord-{leader_id}"
            time.sleep(0.05)
        raise NoResult("the ensemble has no leader")

    def wait_ready(self, server):
        """Returns when /readyz of a server says so: a coord server then serves linearizable reads."""
        for _ in range(6000):
            try:
                with urllib.request.urlopen(f"http://{server['admin']}/readyz", timeout=10):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.005)
        raise NoResult(f"{server['name']} is not ready; see {server['log']}")

    def metric(self, server, name):
        with urllib.request.urlopen(f"http://{server['admin']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{name} (\S+)", text, re.MULTILINE)
        if not found:
            raise NoResult(f"{server['name']} has no metric {name}")
        return int(float(found.group(1)))
