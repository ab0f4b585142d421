"""What ZooKeeper's clients see of an ensemble: its configuration and the watch of it, an observer,
reconfig, and a server that is left alone, which still serves reads to those who take that. With kazoo."""

import logging
import pathlib
import socket
import tempfile

from cluster import check, wait_until
from flagged_ensemble import FlaggedEnsemble, free_ports
from kazoo.client import KazooClient, KeeperState
from kazoo.exceptions import (BadArgumentsError, BadVersionError, NewConfigNoQuorumError, NoAuthError,
                              NotReadOnlyCallError)

CONFIG = "/zookeeper/config"
SUPER = ("digest", "super:secret")
SUPER_DIGEST = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
SECONDS = 20


class Ensemble(FlaggedEnsemble):
    """Servers 1 to 4 with a port for ZooKeeper's clients, of which 4 is started later."""

    def __init__(self, folder):
        super().__init__(folder, "--superdigest", SUPER_DIGEST, "--zk-4lw", "*", later=(4,))
        ports = iter(free_ports(len(self.grpc)))
        self.zk = {id_: f"127.0.0.1:{next(ports)}" for id_ in self.grpc}

    def own_flags(self, id_):
        return ["--listen-zk", self.zk[id_]]

    def line(self, id_, role):
        """The server's in the configuration."""
        host, _, port = self.peer[id_].rpartition(":")
        return f"server.{id_}={host}:{port}:{int(port) + 1}:{role};{self.zk[id_]}"

    def ask(self, id_, word):
        host, _, port = self.zk[id_].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall(word.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.decode()

    def monitored(self, id_):
        return dict(line.split("\t", 1) for line in self.ask(id_, "mntr").splitlines())

    def client(self, *ids, **options):
        """Of these servers, connected."""
        client = KazooClient(",".join(self.zk[id_] for id_ in ids), timeout=8, **options)
        client.start(timeout=SECONDS)
        return client


class Closing:
    """Clients that are closed at the end of a block."""

    def __init__(self, *clients):
        self.clients = clients

    def __enter__(self):
        return self.clients[0] if len(self.clients) == 1 else self.clients

    def __exit__(self, *_):
        for client in self.clients:
            client.stop()
            client.close()


def config_of(client, watch=None):
    """Lines of the servers, and the version, which is that of the last change."""
    data, stat = client.get(CONFIG, watch=watch)
    return parsed(data, stat)


def parsed(data, stat):
    *servers, version = data.decode().split("\n")
    check(version == f"version={stat.mzxid:x}", f"{data} {stat}")
    return servers


def check_config(ensemble):
    lines = [ensemble.line(id_, "participant") for id_ in (1, 2, 3)]
    with Closing(ensemble.client(1)) as client:
        wait_until(lambda: config_of(client) == lines if client.get(CONFIG)[0] else False,
                   f"the configuration {lines}")


def check_observer(ensemble):
    """A learner that nobody promotes serves clients, and says what it is."""
    leader = ensemble.leader()
    follower = next(id_ for id_ in (1, 2, 3) if id_ != leader)
    with Closing(ensemble.client(follower)) as client:
        events = []
        before = config_of(client, watch=events.append)
        ensemble.start(4)
        check(ensemble.ask(4, "isro") == "null", "a server that is in no ensemble serves")
        ensemble.bell("cluster", "add", f"4={ensemble.peer[4]}")
        wait_until(lambda: events, "the watch of the configuration fires")
        check((events[0].type, events[0].path) == ("CHANGED", CONFIG), events)
        check(config_of(client)[:3] == before, "the others are in it as before")
        wait_until(lambda: config_of(client)[3:] == [ensemble.line(4, "observer")],
                   "the observer is in the configuration, with its port")
        wait_until(lambda: ensemble.ask(4, "isro") == "rw", "the observer serves")
        with Closing(ensemble.client(4)) as observer:
            check(observer.create("/by-observer", b"1") == "/by-observer", "a write is forwarded")
            check(observer.get("/by-observer")[0] == b"1", "it is read there")
            changes = []
            observer.get("/by-observer", watch=changes.append)
            client.set("/by-observer", b"2")
            wait_until(lambda: changes, "its watches fire")
            check(observer.get("/by-observer")[0] == b"2", "it follows")
    check("\nMode: observer\n" in ensemble.ask(4, "srvr"), ensemble.ask(4, "srvr"))
    check("\npeerType=1\n" in ensemble.ask(4, "conf"), ensemble.ask(4, "conf"))
    check(ensemble.monitored(4)["zk_server_state"] == "observer", ensemble.monitored(4))
    seen = ensemble.monitored(leader)
    check([seen[f"zk_{name}"] for name in ("server_state", "learners", "synced_followers",
                                           "synced_observers")] == ["leader", "3", "2", "1"], seen)
    ensemble.environment["BELL_COORD"] = ensemble.grpc[4]
    check(ensemble.bell("znode", "get", "/by-observer") == "2", "a native client at the observer")
    ensemble.bell("znode", "set", "/by-observer", "3")
    ensemble.environment["BELL_COORD"] = ",".join(ensemble.grpc.values())


def refused(error, ask):
    try:
        ask()
    except error:
        return
    check(False, f"not {error.__name__}")


def check_reconfig(ensemble):
    everybody = [ensemble.line(id_, "participant") for id_ in (1, 2, 3)]
    fourth = ensemble.line(4, "participant")
    with Closing(ensemble.client(4), ensemble.client(1, 2, 3)) as (nobody, client):
        refused(NoAuthError, lambda: nobody.reconfig(None, "4", None))
        client.add_auth(*SUPER)
        version = client.get(CONFIG)[1].mzxid
        refused(BadVersionError, lambda: client.reconfig(None, "4", None, version + 1))
        refused(BadArgumentsError, lambda: client.reconfig("BAD", None, None))
        check(parsed(*client.reconfig(None, "4", None, version)) == everybody, "4 leaves")
    wait_until(lambda: ensemble.ask(4, "isro") == "null", "who left serves nobody")
    with Closing(ensemble.client(1, 2, 3)) as client:
        client.add_auth(*SUPER)
        check(parsed(*client.reconfig(fourth, None, None)) == [*everybody, fourth], "4 votes")
        wait_until(lambda: "Mode: follower" in ensemble.ask(4, "srvr"), "4 is a follower")
        config = client.get(CONFIG)[0].decode()
        check(parsed(*client.reconfig(None, None, config)) == [*everybody, fourth],
              "the configuration that was told is one")
        members = ",".join(everybody)
        check(parsed(*client.reconfig(None, None, members)) == everybody, "4 is not among them")
        ensemble.kill(4)
        refused(NewConfigNoQuorumError,
                lambda: client.reconfig(fourth, None, None))  # nobody is there
        check(config_of(client) == everybody, "a server that never came is in")
        check(ensemble.bell("znode", "get", "/by-observer") == "3", "all goes on")


def check_read_only(ensemble):
    alone = next(id_ for id_ in (1, 2, 3) if id_ != ensemble.leader())
    others = [id_ for id_ in (1, 2, 3) if id_ != alone]
    with Closing(ensemble.client(1, 2, 3, read_only=True)) as client:
        client.create("/read", b"x")
        wait_until(lambda: "/read" in ensemble.ask(alone, "ruok") or
                   ensemble.monitored(alone)["zk_znode_count"] ==
                   ensemble.monitored(others[0])["zk_znode_count"], "all have it")
        for id_ in others:
            ensemble.kill(id_)
        wait_until(lambda: client.client_state == KeeperState.CONNECTED_RO, "it is read-only")
        check(client.get("/read")[0] == b"x", "a read without a quorum")
        check(client.exists("/none") is None, "likewise")
        refused(NotReadOnlyCallError, lambda: client.set("/read", b"y"))
        refused(NotReadOnlyCallError, lambda: client.sync("/read"))
        check(ensemble.ask(alone, "isro") == "ro", "isro")
        check("\nMode: read-only\n" in ensemble.ask(alone, "srvr"), ensemble.ask(alone, "srvr"))
        check(ensemble.monitored(alone)["zk_server_state"] == "read-only", "mntr")
        with Closing(ensemble.client(alone, read_only=True)) as fresh:
            check(fresh.client_state == KeeperState.CONNECTED_RO, "a client that comes now")
            check(fresh.get("/read")[0] == b"x", "a read of it")
        needs_more = KazooClient(ensemble.zk[alone], timeout=8)
        try:
            needs_more.start(timeout=1)
            check(False, "a client that does not take reads alone is served")
        except needs_more.handler.timeout_exception:
            pass
        for id_ in others:
            ensemble.start(id_)
        wait_until(lambda: client.client_state == KeeperState.CONNECTED, "it can write again")
        client.set("/read", b"y")
    wait_until(lambda: ensemble.ask(alone, "isro") == "rw", "isro when a leader is there")


def main():
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="bellwether-") as folder:
        ensemble = Ensemble(pathlib.Path(folder))
        try:
            with ensemble:
                for step in (check_config, check_observer, check_reconfig, check_read_only):
                    step(ensemble)
        except BaseException:
            for log in sorted(pathlib.Path(folder).glob("*.log")):
                print(f"-- {log.name}\n{log.read_text()[-3000:]}")
            raise


if __name__ == "__main__":
    main()
