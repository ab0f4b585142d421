"""Rows of figures: printed as they are taken, and kept in a file."""

import json
import os
import pathlib
import re
import shutil
import subprocess

from cluster import PROGRAMS, ROOT, Cluster, NoResult, run


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(),
                      re.MULTILINE)
    kernel = os.uname()
    return (f"{os.cpu_count()} x {model.group(1) if model else kernel.machine}, "
            f"{kernel.sysname} {kernel.release}")


class Report:
    """The rows taken so far. Printed at once; written to build/NAME.json by finish."""

    def __init__(self, name, options):
        self.name = name
        self.options = options
        self.work = ROOT / "build" / f"{name}-{os.getpid()}"
        self.work.mkdir(parents=True)
        self.machine = machine()
        self.rows = []
        self.failures = []

    def add(self, name, value, unit, command):
        load = os.getloadavg()[0]
        self.rows.append({"name": name, "value": value, "unit": unit, "command": command,
                          "machine": self.machine, "load_average": load})
        shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        print(f"{name:<44} {shown:>12} {unit:<22} {command}", flush=True)

    def measure(self, name, take, *arguments):
        """Runs a group of rows; what stops it stops only this group."""
        try:
            take(self, *arguments)
        except (NoResult, OSError, subprocess.SubprocessError) as error:
            self.failures.append(name)
            print(f"{name:<44} {'no result':>12}: {error}", flush=True)

    def program(self, name, *words, environment=None):
        """Runs a bench program; what its line of JSON says, and the command as a reader types it."""
        words = [str(word) for word in words]
        expanded = [os.path.expandvars(word) if environment is None else
                    re.sub(r"\$(\w+)", lambda match: environment[match.group(1)], word)
                    for word in words]
        output = run([str(PROGRAMS / name), *expanded], environment)
        return json.loads(output.splitlines()[-1]), " ".join([name, *words])

    def cluster(self, coords, brokers):
        return Cluster(self.work / "cluster", coords, brokers)

    def finish(self):
        """Prints the last line; the exit code."""
        shutil.rmtree(self.work, ignore_errors=True)
        file = f"build/{self.name}.json"
        (ROOT / file).write_text(json.dumps(self.rows, indent=1) + "\n")
        if self.failures or not self.rows:
            print(f"{self.name}: FAILED no result for: {' '.join(self.failures)}; "
                  f"rows={len(self.rows)} file={file}")
            return 1
        print(f"{self.name}: OK rows={len(self.rows)} file={file}")
        return 0
