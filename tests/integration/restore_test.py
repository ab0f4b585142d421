"""`bell snapshot save` under load, everything lost, `bell-coord restore` on three servers: one ensemble
with what was saved, a higher zxid and no ephemerals. And what must not come up."""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time

from cluster import BIN, CommandFailed, check, wait_until
from flagged_ensemble import FlaggedEnsemble

RESTORED_STEP = 1 << 40


class Load:
    """`bell shell` that creates znodes one after the other, and an ephemeral one, until stopped."""

    def __init__(self, ensemble):
        self.shell = subprocess.Popen([BIN / "bell", "shell"], stdin=subprocess.PIPE, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=ensemble.environment)
        self.created = 0
        self.tell("create -e /ephemeral x")

    def tell(self, line):
        self.shell.stdin.write(line + "\n")
        self.shell.stdin.flush()
        return self.shell.stdout.readline()

    def run(self, count):
        """Creates so many, each acknowledged when this returns."""
        for _ in range(count):
            answer = self.tell(f"create /load/n{self.created:06} value-{self.created}")
            check("/load/n" in answer, f"not created: {answer}")
            self.created += 1

    def stop(self):
        self.shell.kill()
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()


def restore_command(ensemble, id_, file):
    return [BIN / "bell-coord", "restore", file, "--id", str(id_),
            "--data-dir", ensemble.data_dir(id_), *ensemble.peer_flags(id_)]


def restore(ensemble, id_, file):
    """The finished process."""
    return subprocess.run(restore_command(ensemble, id_, file), check=False, capture_output=True,
                          text=True, timeout=60)


def restored(ensemble, id_, file):
    done = restore(ensemble, id_, file)
    check(done.returncode == 0 and "bell-coord: restored" in done.stdout, done.stderr)


def wipe(ensemble, id_):
    if id_ in ensemble.processes:
        ensemble.kill(id_)
    shutil.rmtree(ensemble.data_dir(id_), ignore_errors=True)


def save(ensemble, name):
    """The file, and what `bell` said of it."""
    file = str(ensemble.folder / name)
    return file, ensemble.json("snapshot", "save", file)


def names_of(ensemble, path):
    return ensemble.bell("znode", "ls", path).split()


def has_leader(ensemble):
    with contextlib.suppress(CommandFailed):
        return ensemble.status()["leader_id"] is not None
    return False


def check_saved_under_load(ensemble):
    """A file that holds what was acknowledged before, and one of before that."""
    ensemble.bell("znode", "create", "/load")
    load = Load(ensemble)
    load.run(50)
    early, _ = save(ensemble, "early")
    load.run(200)
    acknowledged = load.created
    writer = threading.Thread(target=load.run, args=(500,))
    writer.start()
    file, said = save(ensemble, "file")
    writer.join()
    check(load.created == acknowledged + 500, "the load ended early")
    verified = ensemble.json("snapshot", "verify", file)
    check({**said, "file": None} == {**verified, "file": None}, f"{said} is not {verified}")
    check(said["znodes"] >= acknowledged, f"{said} of {acknowledged} znodes")
    check(said["ephemerals"] == 1, said)
    check(said["bytes"] == os.path.getsize(file), said)
    load.stop()
    return early, file, said, acknowledged


def check_restored(ensemble, file, said, acknowledged):
    for id_ in ensemble.ids:
        wipe(ensemble, id_)
    for id_ in ensemble.ids:
        restored(ensemble, id_, file)
        again = restore(ensemble, id_, file)
        check(again.returncode == 1 and "was used before" in again.stderr, again.stderr)
    for id_ in ensemble.ids:
        ensemble.start(id_)
    ensemble.leader()
    ensemble.wait_for_one_digest()
    status = ensemble.status()
    check(status["ensemble_id"] != said["ensemble_id"], "the old ensemble's id")
    zxids = [server["zxid"] for server in status["servers"]]
    check(min(zxids) >= said["zxid"] + RESTORED_STEP, f"{zxids} after {said['zxid']}")
    znodes = names_of(ensemble, "/load")
    check(znodes[:acknowledged] == [f"n{n:06}" for n in range(acknowledged)], "znodes are missing")
    _, after = save(ensemble, "after")
    check(after["znodes"] == said["znodes"] - said["ephemerals"], f"{after} of {said}")
    check("ephemeral" not in names_of(ensemble, "/"), "an ephemeral outlived its session")
    last = ensemble.json("znode", "get", f"/load/n{acknowledged - 1:06}")
    check(last["value"] == f"value-{acknowledged - 1}", last)
    check(last["zxid"] > said["zxid"] + RESTORED_STEP, "a client sees a lower zxid than before")
    written = ensemble.json("znode", "set", "/load", "x")
    check(written["zxid"] > last["zxid"], "a write did not raise the zxid")


def check_it_survives(ensemble):
    """kill -9 of all, and a server that lost its folder and comes with an empty one."""
    before = names_of(ensemble, "/load")
    for id_ in ensemble.ids:
        ensemble.kill(id_)
    for id_ in ensemble.ids:
        ensemble.start(id_)
    ensemble.wait_for_one_digest()
    wipe(ensemble, 2)
    ensemble.start(2)
    ensemble.wait_for_one_digest()
    check(names_of(ensemble, "/load") == before, "other znodes than before")


def start_refused(ensemble, id_, words):
    """Starts a server that must end by itself, saying why."""
    ensemble.start(id_)
    process = ensemble.processes.pop(id_)
    check(process.wait(timeout=30) == 1, "it did not end with exit code 1")
    process.stdout.close()
    log = ensemble.log(id_)
    check(words in log.splitlines()[-1], log[-2000:])


def check_restoring_one_into_it_is_refused(ensemble, file):
    wipe(ensemble, 3)
    restored(ensemble, 3, file)
    start_refused(ensemble, 3, "has a part in an ensemble already")
    check(ensemble.leader(), "the others have no leader")
    wipe(ensemble, 3)
    ensemble.start(3)
    ensemble.wait_for_one_digest()


def check_different_files_never_meet(ensemble, early, file):
    for id_ in ensemble.ids:
        wipe(ensemble, id_)
    restored(ensemble, 1, file)
    restored(ensemble, 2, file)
    restored(ensemble, 3, early)
    ensemble.start(1)
    ensemble.start(2)
    start_refused(ensemble, 3, "restored from different snapshots")
    check(not has_leader(ensemble), "two of three formed an ensemble")
    wipe(ensemble, 3)
    restored(ensemble, 3, file)
    ensemble.start(3)
    wait_until(lambda: has_leader(ensemble), "a leader of three that were restored")
    ensemble.wait_for_one_digest()


def check_killed_ones_are_begun_again(ensemble, file, rounds):
    for id_ in ensemble.ids:
        wipe(ensemble, id_)
    for _ in range(rounds):
        wipe(ensemble, 1)
        killed = subprocess.Popen(restore_command(ensemble, 1, file), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.1))  # the moment is what is tried, nothing is waited for
        killed.kill()
        killed.wait()
        again = restore(ensemble, 1, file)
        was_whole = again.returncode == 1 and "was used before" in again.stderr
        check(was_whole or again.returncode == 0, again.stderr)
    restored(ensemble, 2, file)
    restored(ensemble, 3, file)
    for id_ in ensemble.ids:
        ensemble.start(id_)
    wait_until(lambda: has_leader(ensemble), "a leader of three that were restored")
    ensemble.wait_for_one_digest()


def check_damage_is_found(ensemble, file):
    damaged = str(ensemble.folder / "damaged")
    data = bytearray(pathlib.Path(file).read_bytes())
    data[len(data) // 2] ^= 1
    pathlib.Path(damaged).write_bytes(data)
    try:
        ensemble.bell("snapshot", "verify", damaged)
        raise AssertionError("damage was not found")
    except CommandFailed as failed:
        check(failed.status == 1, failed)
    wipe(ensemble, 1)
    done = restore(ensemble, 1, damaged)
    check(done.returncode == 1 and "damaged" in done.stderr, done.stderr)


def main():
    folder = tempfile.mkdtemp(prefix="bellwether-")
    try:
        # Snapshots are taken meanwhile, too.
        with FlaggedEnsemble(folder, "--snapshot-entries", "40") as ensemble:
            ensemble.leader()
            early, file, said, acknowledged = check_saved_under_load(ensemble)
            check_restored(ensemble, file, said, acknowledged)
            check_it_survives(ensemble)
            check_restoring_one_into_it_is_refused(ensemble, file)
            check_different_files_never_meet(ensemble, early, file)
            check_killed_ones_are_begun_again(ensemble, file, rounds=10)
            check_damage_is_found(ensemble, file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
