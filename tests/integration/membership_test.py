"""The members of an ensemble of real processes change while clients write: 3 grow to 4, the leader is
killed and removed, servers start with the flags of before, leaders are killed amid changes, and all end
with one digest."""

import random
import shutil
import subprocess
import tempfile
import time

from cluster import BIN, check, wait_until
from flagged_ensemble import FlaggedEnsemble


class Ensemble(FlaggedEnsemble):
    """Servers 1 to 4, of which 4 is started later."""

    def __init__(self, folder):
        super().__init__(folder, later=(4,))

    def members(self, *words):
        return self.json("cluster", *(words or ("members",)))

    def voters(self):
        return [member["id"] for member in self.members()["members"] if member["voter"]]


class Writer:
    """Writes in the background; its end tells how many were acknowledged."""

    def __init__(self, ensemble, name, count=2000):
        self.name = name
        self.process = subprocess.Popen([BIN / "bell", "shell"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=ensemble.environment)
        self.process.stdin.write("".join(f"create /{name}-{n} value\n" for n in range(count)))
        self.process.stdin.close()
        self.process.stdin = None

    def check_nothing_lost(self, ensemble):
        out, _ = self.process.communicate(timeout=90)
        acknowledged = {word for word in out.split() if word.startswith(f"/{self.name}-")}
        check(acknowledged, "nothing was written meanwhile")
        there = set(ensemble.bell("znode", "ls", "/").split())
        lost = {path for path in acknowledged if path.removeprefix("/") not in there}
        check(not lost, f"acknowledged and lost: {sorted(lost)[:5]}")


def check_grows(ensemble):
    writer = Writer(ensemble, "grow")
    ensemble.start(4)
    wait_until(lambda: "not in the ensemble" in ensemble.log(4), "server 4 says that it is not in")
    ensemble.members("add", f"4={ensemble.peer[4]}")
    check(ensemble.voters() == [1, 2, 3], "an added server votes")
    wait_until(lambda: ensemble.members("promote", "4"), "server 4 has caught up")
    check(ensemble.voters() == [1, 2, 3, 4], "server 4 does not vote")
    writer.check_nothing_lost(ensemble)
    ensemble.wait_for_one_digest([1, 2, 3, 4])


def check_a_dead_leader_is_removed(ensemble):
    leader = ensemble.members()["leader_id"]
    rest = [id_ for id_ in (1, 2, 3, 4) if id_ != leader]
    writer = Writer(ensemble, "replace")
    ensemble.kill(leader)
    wait_until(lambda: ensemble.members("remove", str(leader)), "the dead leader is removed")
    check(ensemble.voters() == rest, "the removed one is still in")
    writer.check_nothing_lost(ensemble)
    ensemble.wait_for_one_digest(rest)
    return leader, rest


def check_the_removed_one_says_so(ensemble, removed):
    said = ensemble.log(removed).count("not in the ensemble")
    ensemble.start(removed)
    wait_until(lambda: ensemble.log(removed).count("not in the ensemble") > said,
               "the removed server says that it was removed")
    ensemble.kill(removed)


def check_flags_of_before_do(ensemble, rest):
    for id_ in rest:
        ensemble.kill(id_)
    for id_ in rest:
        ensemble.start(id_)
    wait_until(lambda: ensemble.voters() == rest, "the same members after a restart of all")
    ensemble.bell("znode", "create", "/after", "all")
    ensemble.wait_for_one_digest(rest)


def change_and_kill_the_leader(ensemble, *words):
    """Whoever asked first may not know what became of it; asking again says so."""
    leader = wait_until(lambda: ensemble.members()["leader_id"], "a leader")
    asker = subprocess.Popen([BIN / "bell", "cluster", *words], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=ensemble.environment)
    time.sleep(random.uniform(0, 0.08))  # the moment is what is tried, nothing is waited for
    ensemble.kill(leader)
    asker.wait(timeout=60)
    wait_until(lambda: ensemble.members(*words), f"bell cluster {' '.join(words)}, asked again")
    ensemble.start(leader)


def check_leaders_are_killed_amid_changes(ensemble, outside):
    writer = Writer(ensemble, "amid", 4000)
    ensemble.start(outside)
    change_and_kill_the_leader(ensemble, "add", f"{outside}={ensemble.peer[outside]}")
    wait_until(lambda: ensemble.members("promote", str(outside)), "the added server has caught up")
    change_and_kill_the_leader(ensemble, "promote", str(outside))
    check(ensemble.voters() == [1, 2, 3, 4], "not all have a vote")
    leaves = ensemble.members()["leader_id"]
    change_and_kill_the_leader(ensemble, "remove", str(leaves))
    rest = [id_ for id_ in (1, 2, 3, 4) if id_ != leaves]
    check(ensemble.voters() == rest, "the removed one is still in")
    writer.check_nothing_lost(ensemble)
    ensemble.wait_for_one_digest(rest)


def main():
    folder = tempfile.mkdtemp(prefix="bellwether-")
    try:
        with Ensemble(folder) as ensemble:
            wait_until(lambda: ensemble.members()["leader_id"], "a leader")
            check_grows(ensemble)
            removed, rest = check_a_dead_leader_is_removed(ensemble)
            check_the_removed_one_says_so(ensemble, removed)
            check_flags_of_before_do(ensemble, rest)
            check_leaders_are_killed_amid_changes(ensemble, removed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
