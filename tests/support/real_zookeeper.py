"""Debian's ZooKeeper as one server of its own, for tests that compare with it. Knows the switches
that turn on what it can do; its limits for sessions are those of a coord server."""

import pathlib
import socket
import subprocess

JAR = pathlib.Path("/usr/share/java/zookeeper.jar")
CLIENT = pathlib.Path("/usr/share/zookeeper/bin/zkCli.sh")
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
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class RealZooKeeper:
    """Used as a block, at the end of which it is killed. It is up when it opens sessions, which the
    user finds out."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.address = None
        self.log = self.folder / "log"
        self._process = None

    def __enter__(self):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        (self.folder / "data").mkdir(parents=True)
        configuration = self.folder / "zoo.cfg"
        configuration.write_text(_CONFIGURATION.format(port=port, folder=self.folder))
        properties = [f"-D{name}={value}" for name, value in _PROPERTIES.items()]
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                ["java", *_JVM, *properties, "-cp", str(JAR),
                 "org.apache.zookeeper.server.ZooKeeperServerMain", str(configuration)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait(timeout=30)

    def has_ended(self):
        return self._process.poll() is not None
