"""Debian's ZooKeeper as one server of its own, for tests that compare with it. Knows the switches
that turn on what it can do; its limits for sessions are those of a coord server."""

import pathlib
import random
import socket
import subprocess
import time

JAR = pathlib.Path("/usr/share/java/zookeeper.jar")
CLIENT = pathlib.Path("/usr/share/zookeeper/bin/zkCli.sh")
PORTS = (10_000, 32_000)
PORTS_TRIED = 100
STARTS = 2
START_SECONDS = 60
ASK_SECONDS = 5
LOG_SHOWN = 2_000  # characters
SUPER_DIGEST = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="  # of super:secret
_CONFIGURATION = """
tickTime=500
minSessionTimeout=1000
maxSessionTimeout=120000
maxClientCnxns=0
clientPortAddress=127.0.0.1
clientPort={port}
dataDir={folder}/data
admin.enableServer=false
4lw.commands.whitelist=*
reconfigEnabled=true
"""
_PROPERTIES = {
    "zookeeper.extendedTypesEnabled": "true",
    "zookeeper.enforceQuota": "true",
    "zookeeper.authProvider.x509":
        "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
    "zookeeper.DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    "zookeeper.forceSync": "no",  # nobody pulls its plug
    "zookeeper.preAllocSize": "1024",
    "znode.container.checkIntervalMs": "500",
    "znode.container.maxPerMinute": "60000",
}
_JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Djava.net.preferIPv4Stack=true"]


def why_not():
    """None, or why it can't run here."""
    return None if JAR.exists() else f"{JAR} is missing; run deploy/install-deps test"


def free_port():
    """Below the range that outgoing connections use, as `bell dev` does: what the system gives as
    free may be the own port of anybody's connection a moment later."""
    for _ in range(PORTS_TRIED):
        port = random.randrange(*PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:  # somebody has it
            pass
    raise ChildProcessError(f"no free port within {PORTS}")


class RealZooKeeper:
    """Used as a block, which begins when it serves and at the end of which it is killed. When it
    ends before it serves, as when its port was taken meanwhile, it is started once more with
    another. Raises ChildProcessError."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.address = None
        self.log = self.folder / "log"
        self._process = None

    def __enter__(self):
        (self.folder / "data").mkdir(parents=True)
        try:
            for _ in range(STARTS):
                self._start(free_port())
                if self._is_served():
                    return self
        except BaseException:
            self._end()
            raise
        raise ChildProcessError(f"ZooKeeper does not start: {self._end_of_log()}")

    def __exit__(self, *_):
        self._end()

    def has_ended(self):
        return self._process.poll() is not None

    def _start(self, port):
        self.address = f"127.0.0.1:{port}"
        configuration = self.folder / "zoo.cfg"
        configuration.write_text(_CONFIGURATION.format(port=port, folder=self.folder))
        properties = [f"-D{name}={value}" for name, value in _PROPERTIES.items()]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                ["java", *_JVM, *properties, "-cp", str(JAR),
                 "org.apache.zookeeper.server.ZooKeeperServerMain", str(configuration)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _end(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)

    def _is_served(self):
        """Returns when it says that it is neither starting nor read-only, or has ended."""
        deadline = time.monotonic() + START_SECONDS
        while not self.has_ended():
            if self._ask("isro") == "rw":
                return not self.has_ended()  # or another has its port
            if time.monotonic() > deadline:
                raise ChildProcessError(
                    f"ZooKeeper does not serve within {START_SECONDS} s: {self._end_of_log()}")
            time.sleep(0.1)
        return False

    def _ask(self, word):
        """What it answers to a four-letter word, or none when it does not."""
        host, _, port = self.address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=ASK_SECONDS) as connection:
                connection.sendall(word.encode())
                return connection.makefile("r", errors="replace").read()
        except OSError:
            return None

    def _end_of_log(self):
        return self.log.read_text(errors="replace")[-LOG_SHOWN:]
