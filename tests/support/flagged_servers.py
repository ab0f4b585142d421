"""Servers of a `bell dev` cluster, started again with flags that `bell dev` does not give them. They
remain what `bell dev status`, `kill` and `down` look after."""

import json
import os
import pathlib
import subprocess


class FlaggedServers:
    """Begins with running servers. `dev` runs `bell dev` with some words on their cluster, and returns
    what it prints."""

    def __init__(self, dev):
        self._dev = dev
        self._commands = {}  # by name: as `bell dev` started it
        self._logs = {}
        self._children = {}  # by name: those started here
        for server in self.servers().values():
            words = pathlib.Path(f"/proc/{server['pid']}/cmdline").read_bytes().split(b"\0")[:-1]
            self._commands[server["name"]] = words
            self._logs[server["name"]] = server["log"]

    def servers(self):
        """By name, as `bell dev status -o json` lists them."""
        return {server["name"]: server
                for server in json.loads(self._dev("status", "-o", "json"))["processes"]}

    def kill(self, name, signal=9):
        """Returns when the process is gone."""
        self._dev("kill", name, "--signal", str(signal))
        if name in self._children:
            self._children.pop(name).wait(timeout=30)

    def start(self, name, *flags):
        """Does not wait for it to serve."""
        with open(self._logs[name], "ab") as log:
            self._children[name] = subprocess.Popen(
                [*self._commands[name], *(os.fsencode(flag) for flag in flags)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def runs(self, name):
        """Whether it was started here, and its process has not ended."""
        return name in self._children and self._children[name].poll() is None
