"""bell-coord of an earlier commit and today's in one ensemble under load: rolled forward server by server,
rolled back before anything is finalized, and forward again. In each roll two servers stay away beyond the
logs of the others, so that the first installs a snapshot that the other release wrote, and the one between
them is wiped and readmitted; the last is away while only those two can commit. Nothing acknowledged is lost,
and after each roll all servers name the same digest.

EARLIER is the commit. It is moved forward only on purpose, since it says which formats are promised: put
the full hash of a commit of the main branch here, run this test, and say in the commit's message which
change of format made it necessary. The earlier program is built once per commit, below the build folder.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

from cluster import BIN, Cluster, check, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/crash"))
from ensemble import Load  # noqa: E402

EARLIER = "d77e7b1c9a8896f2ba38554287824723cddd15b4"

SERVERS = ["coord-1", "coord-2", "coord-3"]
WIPED = "coord-2"
SNAPSHOT_ENTRIES = 100  # so that the log of a few seconds is cut
READMITTED = "readmitted to the ensemble"  # in a server's log
GIT = ["git", "-c", "safe.directory=*"]  # also in a clone that belongs to another user


def must(*words, cwd=ROOT):
    # So that ccache, when there, takes what was compiled in other folders.
    ccache = {"CCACHE_BASEDIR": str(cwd), "CCACHE_NOHASHDIR": "1", "CCACHE_SLOPPINESS": "time_macros"}
    done = subprocess.run(words, cwd=cwd, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **ccache})
    check(done.returncode == 0, f"`{' '.join(map(str, words))}`:\n{done.stdout[-4000:]}")


# In a shell: leaves out of its words a flag that earlier servers don't know, and its value.
WITHOUT_ZK = """for word do
  shift
  case "$previous" in --listen-zk) word=; esac
  case "$word" in ""|--listen-zk) ;; *) set -- "$@" "$word" ;; esac
  previous=${word:-none}
done
"""


def programs_with(server, folder, prelude=""):
    """`folder` with today's bell, so that `bell dev` starts what is beside it: this bell-coord, with few
    entries to a snapshot; before it `prelude`, in a shell that has its words."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(BIN / "bell", folder / "bell")
    script = folder / "bell-coord"
    script.write_text(f"#!/bin/sh\n{prelude}"
                      f'exec {shlex.quote(str(server))} "$@" --snapshot-entries {SNAPSHOT_ENTRIES}\n')
    script.chmod(0o755)
    return folder


def earlier_server():
    """The bell-coord of EARLIER, built unless it is there."""
    folder = BIN.parent / "mixed_version" / EARLIER
    server = folder / "bin" / "bell-coord"
    if not server.exists():
        source = folder / "source"
        shutil.rmtree(source, ignore_errors=True)  # of a run that was interrupted
        must(*GIT, "worktree", "prune")
        must(*GIT, "worktree", "add", "--force", "--detach", source, EARLIER)
        must("cmake", "--preset", "release", cwd=source)
        must("cmake", "--build", "build/release", "--target", "bell-coord", cwd=source)
        server.parent.mkdir(exist_ok=True)
        shutil.copy2(source / "build/release/bin/bell-coord", server.with_name("new"))
        server.with_name("new").rename(server)
        must(*GIT, "worktree", "remove", "--force", source)
    return server


class MixedCluster(Cluster):
    """Three coord servers; those that are started run the bell-coord of `programs`."""

    def __init__(self, programs):
        super().__init__(coords=3, brokers=0)
        self.programs = programs

    def run(self, *words, stdin=None):
        return subprocess.run([self.programs / "bell", *words], input=stdin, env=self.environment,
                              check=False, capture_output=True, text=True, timeout=120)

    def status(self):
        return self.json("cluster", "status")

    def problems(self):
        return [problem["code"] for problem in self.status()["problems"]]

    def restart_behind(self, name, programs):
        """With the other two's logs cut behind all that it has."""
        self.kill(name, signal=15)
        others = [other for other in SERVERS if other != name]
        before = {other: self.snapshots_taken(other) for other in others}
        wait_until(lambda: all(self.snapshots_taken(other) >= before[other] + 3 for other in others),
                   f"{others} commit without {name}, and take three snapshots each; they had taken {before}",
                   seconds=90)
        self.start_with(name, programs)

    def restart_wiped(self, name, programs):
        self.kill(name, signal=15)
        shutil.rmtree(self.data_dir(name))
        self.start_with(name, programs)

    def start_with(self, name, programs):
        self.programs = programs
        self.start(name)
        wait_until(lambda: not {"no_leader", "server_down"} & set(self.problems()),
                   f"the ensemble is whole after the restart of {name}")

    def snapshots_taken(self, name):
        return self.metric(name, "bell_snapshots_taken_total")

    def times_readmitted(self, name):
        return (self.dir / name / "log").read_text(errors="replace").count(READMITTED)

    def check_digests(self):
        """Once all servers have applied the same."""
        def settled():
            servers = self.status()["coord"]["servers"]
            return servers if len({server["applied_index"] for server in servers}) == 1 else None
        servers = wait_until(settled, "all servers at one index")
        digests = {server["digest"] for server in servers}
        check(len(digests) == 1, f"servers at one index have different states: {servers}")


def check_nothing_lost(load, what):
    """Ends the load. The number of writes that were acknowledged since the test began."""
    verdict = load.check()
    check(verdict["lost"] == 0, f"{what}: acknowledged writes are lost: {verdict}")
    check(verdict["acked"] > 0, f"{what}: nothing was written: {verdict}")
    return verdict["acked"]


def replace(cluster, load, name, programs, what):
    """Restarts one server with these programs under load. Then, without, since under load the logs go on
    being cut: it gets a snapshot, and its part in the ensemble if it was wiped."""
    readmitted = cluster.times_readmitted(name)
    load.write()
    if name == WIPED:
        cluster.restart_wiped(name, programs)
    else:
        cluster.restart_behind(name, programs)
    acked = check_nothing_lost(load, what)
    wait_until(lambda: cluster.metric(name, "bell_snapshots_installed_total") >= 1,
               f"{what}: it installs a snapshot", seconds=60)
    if name == WIPED:
        wait_until(lambda: cluster.times_readmitted(name) > readmitted, f"{what}: it is readmitted",
                   seconds=60)
    return acked


def roll(cluster, load, programs, direction):
    for number, name in enumerate(SERVERS):
        what = f"{direction}, {name} restarted"
        acked = replace(cluster, load, name, programs, what)
        mixed = number + 1 < len(SERVERS)
        check(("version_mixed" in cluster.problems()) == mixed,
              f"{what}: version_mixed is {'not ' if mixed else ''}told")
    cluster.check_digests()
    print(f"{direction}: {acked} writes acknowledged so far, none lost, digests equal", flush=True)


def main():
    folder = BIN.parent / "mixed_version"
    earlier = programs_with(earlier_server(), folder / "earlier", WITHOUT_ZK)
    today = programs_with(BIN / "bell-coord", folder / "today")
    with MixedCluster(earlier) as cluster, Load(cluster.environment["BELL_COORD"]) as load:
        roll(cluster, load, today, "forward")
        roll(cluster, load, earlier, "back")
        roll(cluster, load, today, "forward again")
        upgrade = cluster.json("cluster", "upgrade", "--finalize")
        check(upgrade["level"] == upgrade["target"], f"not finalized: {upgrade}")
        cluster.check_digests()


if __name__ == "__main__":
    main()
