"""The quickstart's tour on a small file: its verdict, its numbers, and what it leaves behind."""

import argparse
import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from cluster import BIN, check, wait_until

QUICKSTART = pathlib.Path("deploy/quickstart").resolve()
TOUR = pathlib.Path("deploy/tour.py").resolve()
LINES = ["one", "", "three", "three", "a\tb", "Ünïcode", *(f"line {n}" for n in range(7, 301))]
OK = f"quickstart: OK config=watched brokers=3 published={len(LINES)} consumed={len(LINES)} lost=0 " \
     "duplicated=0"
BUILD_SECONDS = f"1000.{os.getpid()}"  # tells it from other builds


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

    def terminate(self):
        """As `kill PID` does: what it has started isn't told."""
        self.process.terminate()


def processes():
    """Process ids and command lines."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            yield int(entry.name), (entry / "cmdline").read_bytes().split(b"\0")[:-1]
        except OSError:
            continue  # it has ended


def servers_of(folder):
    """Process ids of servers whose command line names the folder."""
    return [pid for pid, words in processes()
            if words and words[0].startswith(os.fsencode(BIN / "bell-")) and
            any(word.startswith(os.fsencode(folder)) for word in words)]


def builds():
    """Process ids of the builds of check_interrupted_build."""
    return [pid for pid, words in processes() if words == [b"sleep", BUILD_SECONDS.encode()]]


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
    status, lines = Tour(folder, folder / "none").result()
    check(status == 1 and lines[-1] == "quickstart: FAILED", f"what nobody foresaw: {lines}")
    for name in ("none", "none/at/all", "."):
        done = subprocess.run([QUICKSTART, name], cwd=folder, check=False, capture_output=True,
                              text=True, timeout=10)
        check(done.returncode == 1 and
              done.stdout.splitlines()[-1].startswith(f"quickstart: FAILED '{folder}"),
              f"{name} as FILE: exit {done.returncode}: {done.stdout}{done.stderr}")


def check_interrupted(folder, file):
    for step, stop in (("Starting", Tour.press_ctrl_c), ("Creating topic", Tour.press_ctrl_c),
                       ("Killing", Tour.press_ctrl_c), ("Creating topic", Tour.terminate)):
        tour = Tour(folder, file)
        tour.wait_for(step)
        if step == "Starting":
            wait_until(lambda: servers_of(tour.dir), "the first server was started")
        stop(tour)
        status, lines = tour.result()
        check(status == 1 and lines[-1].startswith("quickstart: FAILED"),
              f"{stop.__name__} at '{step}': exit {status}: {lines}")


def check_interrupted_build(folder):
    """In a tree where nothing is to be installed and building takes for ever."""
    for path, text in (("tree/deploy/install-deps", "true"), ("tools/cmake", f"exec sleep {BUILD_SECONDS}")):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(f"#!/bin/sh\n{text}\n")
        (folder / path).chmod(0o755)
    shutil.copy(QUICKSTART, folder / "tree/deploy")
    process = subprocess.Popen(
        [folder / "tree/deploy/quickstart"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PATH": f"{folder}/tools:{os.environ['PATH']}"})
    try:
        wait_until(lambda: builds(), "the build has begun")
        process.terminate()
        output, _ = process.communicate(timeout=20)
        check(process.returncode == 1 and output.splitlines()[-1] == "quickstart: FAILED interrupted",
              f"SIGTERM while it builds: exit {process.returncode}: {output}")
        check(not builds(), "the build goes on")
    finally:
        process.kill()  # first, or it would go on to the next step
        for pid in builds():
            os.kill(pid, signal.SIGKILL)
        process.wait()


def check_waits_for_a_leader():
    """While the servers elect one, there is none to be killed."""
    spec = importlib.util.spec_from_file_location("tour", TOUR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tour = module.Tour(argparse.Namespace(bin=BIN, dir="none", file=""))
    leaders = [None, None, 2]
    tour.bell_json = lambda *_: {"coord": {"leader_id": leaders.pop(0)}}
    check(tour.coord_leader() == 2, "the leader is not the one that was elected at last")


def main():
    with tempfile.TemporaryDirectory(prefix="bellwether-") as name:
        folder = pathlib.Path(name)
        file = folder / "lines"
        file.write_text("\n".join(LINES))
        check_waits_for_a_leader()
        check_interrupted_build(folder)
        check_failures(folder, file)
        check_interrupted(folder, file)
        check_ok(folder, file)
        check_ok(folder, file)


if __name__ == "__main__":
    main()
