"""The quickstart's tour on a small file: its verdict, its numbers, and what it leaves behind."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from cluster import BIN, check, wait_until

TOUR = pathlib.Path("deploy/tour.py").resolve()
LINES = ["one", "", "three", "three", "a\tb", "Ünïcode", *(f"line {n}" for n in range(7, 301))]
OK = f"quickstart: OK config=watched brokers=3 published={len(LINES)} consumed={len(LINES)} lost=0 " \
     "duplicated=0"


class Tour:
    """A run of the tour in a process group of its own, as a terminal gives it."""

    def __init__(self, folder, file, **environment):
        self.dir = folder / "quickstart"
        self.process = subprocess.Popen(
            [sys.executable, TOUR, "--bin", BIN, "--dir", self.dir, "--file", file], cwd=folder,
            env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True)

    def result(self):
        """Exit code and lines of output. Nothing of the run may be left."""
        output, _ = self.process.communicate(timeout=80)
        check(not servers_of(self.dir), f"servers are left: {servers_of(self.dir)}\n{output}")
        check(not self.dir.exists(), f"{self.dir} is left\n{output}")
        return self.process.returncode, output.splitlines()

    def wait_for(self, step):
        line = next((line for line in self.process.stdout if step in line), None)
        check(line is not None, f"the tour ended before '{step}'")

    def press_ctrl_c(self):
        os.killpg(self.process.pid, signal.SIGINT)


def servers_of(folder):
    """Process ids of servers whose command line names the folder."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if words[0].startswith(os.fsencode(BIN / "bell-")) and \
                any(word.startswith(os.fsencode(folder)) for word in words):
            found.append(int(entry.name))
    return found


def check_ok(folder, file):
    status, lines = Tour(folder, file).result()
    check(status == 0 and lines[-1] == OK, f"exit {status}:\n" + "\n".join(lines))


def check_failures(folder, file):
    status, lines = Tour(folder, file, BELL_QUICKSTART_DROP_LINE="7").result()
    check(status == 1 and lines[-1].startswith("quickstart: FAILED ") and " lost=1 " in lines[-1],
          f"a dropped line: exit {status}:\n" + "\n".join(lines))
    check(any("lost: line 7," in line for line in lines), "the lost line is not named")
    empty = folder / "empty"
    empty.touch()
    status, lines = Tour(folder, empty).result()
    check(status == 1 and lines[-1].startswith("quickstart: FAILED"), f"empty file: {lines}")


def check_interrupted(folder, file):
    for step in ("Starting", "Creating topic", "Killing"):
        tour = Tour(folder, file)
        tour.wait_for(step)
        if step == "Starting":
            wait_until(lambda: servers_of(tour.dir), "the first server was started")
        tour.press_ctrl_c()
        status, lines = tour.result()
        check(status == 1 and lines[-1].startswith("quickstart: FAILED"),
              f"Ctrl-C at '{step}': exit {status}: {lines}")


def main():
    with tempfile.TemporaryDirectory(prefix="bellwether-") as name:
        folder = pathlib.Path(name)
        file = folder / "lines"
        file.write_text("\n".join(LINES))
        check_failures(folder, file)
        check_interrupted(folder, file)
        check_ok(folder, file)
        check_ok(folder, file)


if __name__ == "__main__":
    main()
