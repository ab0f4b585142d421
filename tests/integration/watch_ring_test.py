"""A watcher that missed 1,000 changes, of which the servers' watch ring holds 16, is still told
every final state, as `resync`: both one that was cut off while it ran, which also learns what was
deleted, and one that resumes from a zxid in a new process."""

import json
import pathlib
import signal
import subprocess
import tempfile

from cluster import BIN, Server, check, wait_until

ZNODES = 100
CHANGES = 1000


class Watcher:
    """`bell znode watch /watched -R`, and the newest state by path that it told of."""

    def __init__(self, environment, output, *flags):
        self.output = output
        with open(output, "wb") as stream:
            self.process = subprocess.Popen(
                [BIN / "bell", "znode", "watch", "/watched", "-R", "-o", "json", *flags],
                env=environment, stdout=stream)

    def events(self):
        return [json.loads(line) for line in self.output.read_text().split("\n")[:-1]]

    def states(self):
        """The value by path; what is gone has None."""
        return {event["path"]: event["value"] for event in self.events()[1:]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def shell(environment, lines):
    subprocess.run([BIN / "bell", "shell"], input="\n".join(lines) + "\n", text=True, check=True,
                   env=environment, stdout=subprocess.DEVNULL, timeout=60)


def miss_changes(server, environment):
    """Returns the final state by path after a watcher was cut off and CHANGES changes were made."""
    server.stop(signal.SIGKILL)
    server.start()
    deleted = range(0, ZNODES, 10)
    shell(environment, [f"set /watched/{n % ZNODES} {n}" for n in range(CHANGES)] +
          [f"delete /watched/{n}" for n in deleted] + ["create /watched/new 1"])
    final = {f"/watched/{n}": str(CHANGES - ZNODES + n) for n in range(ZNODES)}
    return {**final, **{f"/watched/{n}": None for n in deleted}, "/watched/new": "1"}


def check_delivered(environment, watchers):
    """watchers: each with the states that it must be told."""
    for watcher, expected in watchers:
        wait_until(lambda: watcher.states() == expected, "every final state is delivered")
        check({event["type"] for event in watcher.events()} == {"armed", "resync"},
              "changes that the ring no longer holds are not marked as resync")
    shell(environment, ["set /watched/new 2"])
    for watcher, _ in watchers:
        wait_until(lambda: watcher.events()[-1]["type"] == "changed", "the watch goes on")
        check(watcher.events()[-1]["value"] == "2", f"{watcher.events()[-1]}")


def main():
    with tempfile.TemporaryDirectory(prefix="bellwether-") as name, \
            Server("bell-coord", name, "--watch-ring-changes", "16") as server:
        folder = pathlib.Path(name)
        environment = {"BELL_COORD": server.addresses["grpc"]}
        shell(environment, ["create /watched"] + [f"create /watched/{n} 0" for n in range(ZNODES)])
        with Watcher(environment, folder / "running") as running:
            wait_until(running.events, "the watch is armed")
            running.process.send_signal(signal.SIGSTOP)
            final = miss_changes(server, environment)
            running.process.send_signal(signal.SIGCONT)
            # A process that did not see the state before can't know what was deleted since.
            there = {path: value for path, value in final.items() if value is not None}
            with Watcher(environment, folder / "resumed",
                         "--from-zxid", str(running.events()[0]["zxid"])) as resumed:
                check_delivered(environment, [(running, final), (resumed, there)])


if __name__ == "__main__":
    main()
