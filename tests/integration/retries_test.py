"""Clients write, with retries inside of the client, while one leader after another is killed and started
again: what was acknowledged is there once, what is unknown once or not at all."""

import json
import shutil
import subprocess
import tempfile
import time

from cluster import BIN, check, wait_until
from flagged_ensemble import FlaggedEnsemble

SECONDS = 14
KILLS_MIN = 4


class Load:
    """retry_load in the background; used as a block."""

    def __init__(self, ensemble):
        self.process = subprocess.Popen([BIN / "retry_load", ensemble.environment["BELL_COORD"]],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == "ready\n", "the load does not begin")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def verdict(self):
        out, _ = self.process.communicate(timeout=60)
        return json.loads(out)


def kill_leaders(ensemble, until):
    """Returns how many. Of each pair one is gone for a moment only."""
    kills = 0
    while time.monotonic() < until:
        leader = ensemble.leader()
        ensemble.kill(leader)
        kills += 1
        if kills % 2:
            wait_until(lambda gone=leader: ensemble.leader() != gone, "another leader")
        ensemble.start(leader)
        time.sleep(0.3)
    return kills


def check_each_write_is_applied_once(ensemble):
    with Load(ensemble) as load:
        kills = kill_leaders(ensemble, time.monotonic() + SECONDS)
        verdict = load.verdict()
    print(f"{kills} leaders were killed: {verdict}", flush=True)
    check("error" not in verdict, verdict)
    check(not verdict["wrong"], verdict["wrong"])
    check(kills >= KILLS_MIN, f"only {kills} leaders were killed")
    check(verdict["acked"] > 100 * kills, "hardly anything was written")
    check(verdict["rejected"] == 0, "a good write was rejected")
    ensemble.wait_for_one_digest()
    repeated = sum(ensemble.metric(id_, "bell_repeated_writes_total") for id_ in ensemble.ids)
    check(repeated > 0, "no write was sent again after it took effect")


def main():
    folder = tempfile.mkdtemp(prefix="bellwether-retries-")
    try:
        with FlaggedEnsemble(folder) as ensemble:
            check_each_write_is_applied_once(ensemble)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
