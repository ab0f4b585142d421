"""bell-coord of an earlier commit and today's in one ensemble under load: rolled forward server by server,
rolled back before anything is finalized, and forward again. Nothing acknowledged is lost, and after each
roll all servers name the same digest.

EARLIER is the commit. It is moved forward only on purpose, since it says which formats are promised: put
the full hash of a commit of the main branch here, run this test, and say in the commit's message which
change of format made it necessary. The earlier program is built once per commit, below the build folder.
"""

import os
import pathlib
import shutil
import subprocess
import sys

from cluster import BIN, Cluster, check, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/crash"))
from ensemble import Load  # noqa: E402

EARLIER = "d77e7b1c9a8896f2ba38554287824723cddd15b4"

SERVERS = ["coord-1", "coord-2", "coord-3"]


def must(*words, cwd=ROOT):
    # So that ccache, when there, takes what was compiled in other folders.
    ccache = {"CCACHE_BASEDIR": str(cwd), "CCACHE_NOHASHDIR": "1", "CCACHE_SLOPPINESS": "time_macros"}
    done = subprocess.run(words, cwd=cwd, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **ccache})
    check(done.returncode == 0, f"`{' '.join(map(str, words))}`:\n{done.stdout[-4000:]}")


def earlier_programs():
    """A folder with today's bell, so that `bell dev` starts the bell-coord beside it: the earlier."""
    folder = BIN.parent / "mixed_version" / EARLIER
    programs = folder / "bin"
    if not (programs / "bell-coord").exists():
        source = folder / "source"
        shutil.rmtree(source, ignore_errors=True)  # of a run that was interrupted
        must("git", "worktree", "prune")
        must("git", "worktree", "add", "--force", "--detach", source, EARLIER)
        must("cmake", "--preset", "release", cwd=source)
        must("cmake", "--build", "build/release", "--target", "bell-coord", cwd=source)
        programs.mkdir(exist_ok=True)
        shutil.copy2(source / "build/release/bin/bell-coord", programs / "new")
        (programs / "new").rename(programs / "bell-coord")
        must("git", "worktree", "remove", "--force", source)
    shutil.copy2(BIN / "bell", programs / "bell")
    return programs


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

    def restart_with(self, name, programs):
        self.kill(name, signal=15)
        self.programs = programs
        self.start(name)
        wait_until(lambda: not {"no_leader", "server_down"} & set(self.problems()),
                   f"the ensemble is whole after the restart of {name}")

    def check_digests(self):
        """Once all servers have applied the same."""
        def settled():
            servers = self.status()["coord"]["servers"]
            return servers if len({server["applied_index"] for server in servers}) == 1 else None
        servers = wait_until(settled, "all servers at one index")
        digests = {server["digest"] for server in servers}
        check(len(digests) == 1, f"servers at one index have different states: {servers}")


def roll(cluster, load, programs, what):
    load.write()
    for number, name in enumerate(SERVERS):
        cluster.restart_with(name, programs)
        mixed = number + 1 < len(SERVERS)
        check(("version_mixed" in cluster.problems()) == mixed,
              f"{what}, {number + 1} of 3 restarted: version_mixed is not told truly")
    verdict = load.check()
    check(verdict["lost"] == 0, f"{what}: acknowledged writes are lost: {verdict}")
    check(verdict["acked"] > 0, f"{what}: nothing was written: {verdict}")
    cluster.check_digests()
    print(f"{what}: {verdict['acked']} writes acknowledged so far, none lost, digests equal", flush=True)


def main():
    earlier = earlier_programs()
    with MixedCluster(earlier) as cluster, Load(cluster.environment["BELL_COORD"]) as load:
        roll(cluster, load, BIN, "forward")
        roll(cluster, load, earlier, "back")
        roll(cluster, load, BIN, "forward again")
        upgrade = cluster.json("cluster", "upgrade", "--finalize")
        check(upgrade["level"] == upgrade["target"], f"not finalized: {upgrade}")
        cluster.check_digests()


if __name__ == "__main__":
    main()
