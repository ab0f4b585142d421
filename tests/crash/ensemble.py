"""An ensemble for tests/crash/run: real servers that can be crashed in every way this machine allows,
and a load that remembers what was acknowledged."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "integration"), str(TESTS / "support")]
from cluster import BIN, Cluster, CommandFailed, check, wait_until  # noqa: E402

SYNCS = "fsync,fdatasync"
RENAMES = "rename,renameat,renameat2"
SNAPSHOTS = ["--snapshot-entries", "100"]  # so that crashes meet them
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)


def strace(injection, *words):
    """A command that runs `words`, or traces a process, with an injection: "fsync:error=EIO:when=2"."""
    calls = injection.partition(":")[0]
    return ["strace", "-f", "-qq", "-e", f"trace={calls}", "-e", f"inject={injection}", *words]


def why_not_trace():
    """None, or why processes can't be traced here."""
    try:
        done = subprocess.run(strace("fsync:error=EIO:when=1", "-o", "/dev/null", "true"),
                              check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return "strace is not installed"
    return None if done.returncode == 0 else done.stderr.strip() or "strace failed"


class LoopDisk:
    """A file system of its own in a file, whose power can be cut."""

    def __init__(self, folder, mebibytes):
        self.image = pathlib.Path(folder) / "disk.img"
        self.path = pathlib.Path(folder) / "disk"
        self.bytes = mebibytes << 20

    def make(self):
        """Formats and mounts it."""
        self.path.mkdir(parents=True)
        with open(self.image, "wb") as image:
            image.truncate(self.bytes)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True, capture_output=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True,
                       capture_output=True)

    def unmount(self):
        """Once the files of killed processes are closed."""
        def unmounted():
            return subprocess.run(["umount", self.path], check=False,
                                  capture_output=True).returncode == 0
        wait_until(unmounted, "the loop disk is unmounted", seconds=10)

    def cut_power(self):
        """Nothing that was not synced reaches the disk any more; all later writes fail."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)


def why_not_cut_power(folder):
    """None, or why a loop disk can't be used here."""
    try:
        disk = LoopDisk(pathlib.Path(folder) / "probe", mebibytes=16)
        disk.make()
        try:
            disk.cut_power()
        finally:
            disk.unmount()
    except subprocess.CalledProcessError as error:
        return f"`{error.cmd[0]}` failed: {(error.stderr or b'').decode().strip()}"
    except OSError as error:
        return str(error)
    return None


class Load:
    """The process of crash_load. It must not outlive a `with` block."""

    def __init__(self, addresses):
        self.process = subprocess.Popen([BIN / "crash_load", addresses], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def write(self):
        self.say("write")

    def check(self):
        """Of all writes so far: acked, unknown, lost, examples."""
        self.say("check")
        verdict = json.loads(self.process.stdout.readline() or '{"error": "crash_load ended"}')
        check("error" not in verdict, f"nothing could be read back: {verdict.get('error')}")
        return verdict


class Ensemble(Cluster):
    """Servers coord-1 to coord-N with the addresses and folders of a `bell dev` cluster, but started
    here, with snapshots of their few entries, as children of this process. With a disk, a LoopDisk,
    all their folders are on it."""

    def __init__(self, size, folder, disk=None):
        super().__init__(coords=size, brokers=0, dir_=disk.path if disk else folder)
        self.names = [f"coord-{n}" for n in range(1, size + 1)]
        self.own_folder = pathlib.Path(folder)
        self.disk = disk
        self.commands = {}
        self.children = {}  # by name: the server, or the strace that runs it

    def __enter__(self):
        if self.disk:
            self.disk.make()
        super().__enter__()
        for name in self.names:
            words = pathlib.Path(f"/proc/{self.process(name)['pid']}/cmdline").read_bytes()
            self.commands[name] = [word.decode() for word in words.split(b"\0")[:-1]] + SNAPSHOTS
        for name in self.names:
            self.kill(name)
        return self

    def __exit__(self, kind, value, trace):
        self.kill_all()
        if kind is not None and kind is not SystemExit:
            kept = pathlib.Path(tempfile.mkdtemp(prefix="bellwether-crash-kept-"))
            shutil.copytree(self.dir, kept, dirs_exist_ok=True)
            print(f"what the servers left is in {kept}")
        if self.disk:
            self.disk.unmount()
        shutil.rmtree(self.own_folder, ignore_errors=True)

    def addresses(self):
        return self.environment["BELL_COORD"]

    def data(self, name):
        return self.dir / name / "data"

    def log(self, name):
        return self.dir / name / "log"

    def launch(self, name, injection=None):
        """Does not wait for it to serve."""
        command = self.commands[name]
        if injection:
            command = strace(injection, "-o", self.dir / name / "trace", *command)
        with open(self.log(name), "ab") as log:
            self.children[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=log, start_new_session=True)

    def inject(self, name, injection):
        """Into a running server; the strace that does it, to be ended with `end`."""
        return subprocess.Popen(strace(injection, "-o", self.dir / name / "trace", "-p",
                                       str(self.children[name].pid)), stderr=subprocess.DEVNULL)

    def wait_ended(self, name, seconds):
        """Its exit code, negative for a signal; None when it runs on."""
        try:
            return self.children[name].wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def crash(self, name):
        """SIGKILL, also when strace runs it."""
        child = self.children[name]
        if child.poll() is None:
            self.run("dev", "kill", name, "--dir", str(self.dir))
            if child.poll() is None:  # it has not even locked its folder yet
                os.killpg(child.pid, 9)
        child.wait(timeout=30)

    @contextlib.contextmanager
    def standing_still(self):
        """No server runs, or is in a system call, while the block does."""
        pids = [child.pid for child in self.children.values() if child.poll() is None]

        def all_stand():
            states = [(task / "status").read_text() for pid in pids
                      for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
            return all(re.search(r"^State:\s+[TXZ]", state, re.MULTILINE) for state in states)

        for pid in pids:
            os.killpg(pid, signal.SIGSTOP)
        wait_until(all_stand, "the servers stand still", seconds=10)
        try:
            yield
        finally:
            for pid in pids:
                os.killpg(pid, signal.SIGCONT)

    def kill_all(self):
        for child in self.children.values():
            if child.poll() is None:
                os.killpg(child.pid, 9)
        for child in self.children.values():
            child.wait(timeout=30)

    def launch_ended(self):
        for name in self.names:
            if name not in self.children or self.children[name].poll() is not None:
                self.launch(name)

    def wipe(self):
        for name in self.names:
            shutil.rmtree(self.data(name), ignore_errors=True)

    def leader(self):
        """Name of the Raft leader."""
        def known():
            leader = self.json("cluster", "status")["coord"]["leader_id"]
            return leader and f"coord-{leader}"
        return wait_until(known, "a leader")

    def wait_agreement(self):
        """None once all servers applied the same entries and agree about them, or what is wrong."""
        deadline = time.monotonic() + 30
        seen = "no answer"
        while time.monotonic() < deadline:
            try:
                servers = self.json("cluster", "status")["coord"]["servers"]
            except CommandFailed as error:
                seen = str(error)
                continue
            down = [server["id"] for server in servers if server["state"] != "up"]
            for name, child in self.children.items():
                check(child.poll() is None, f"{name} ended by itself: {self.last_line(name)}")
            states = {(server["applied_index"], server["digest"]) for server in servers}
            seen = f"down={down} (applied index, digest)={states}"
            if not down and len({index for index, _ in states}) == 1:
                return None if len(states) == 1 else f"digests differ: {seen}"
            time.sleep(0.05)
        return f"not at one index within 30 s: {seen}"

    def last_line(self, name):
        lines = self.log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(its log is empty)"
