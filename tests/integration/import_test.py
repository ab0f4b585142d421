#!/usr/bin/python3
"""`bell import zookeeper` from Debian's ZooKeeper: every znode is there with its data, ACL, versions,
times and kind; what could not be copied is told; sequence numbers go on; quotas hold; a second run
changes nothing; and a client that comes over sees no zxid go back. Then the same by way of
`bell export` and `bell import FILE`.

Runs under Debian's python3, which has Debian's kazoo.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("differential", "integration", "support")]
from cluster import BIN, Server, check  # noqa: E402
from kazoo.client import KazooClient  # noqa: E402
from player import wait_until_served  # noqa: E402
from raw_connection import Handshake, RawConnection  # noqa: E402
from real_zookeeper import SUPER_DIGEST, RealZooKeeper, why_not  # noqa: E402
from wire import (EPHEMERAL, SEQUENTIAL, auth, create, create_container, create_ttl,  # noqa: E402
                  delete, set_acl, set_data)

SUPER = "super:secret"
HOUR_MS = 3_600_000
MANY = 3_000
# "alice:secret"; nobody but who knows it, and super, may read.
ALICE = ((31, "digest", "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E="),)
STAT_KEPT = ("ctime", "mtime", "version", "cversion", "aversion", "ephemeralOwner", "dataLength",
             "numChildren")


class Client:
    """A session of one who may do everything."""

    def __init__(self, address, who=SUPER):
        self.raw = RawConnection(address)
        self.raw.shake(Handshake(timeout_ms=60_000))
        self.raw.receive()
        if who:
            self.ask(auth("digest", who))

    def ask_all(self, requests):
        self.raw.send(requests, int)
        return self.raw.receive_all()

    def ask(self, request):
        frame = self.ask_all([request])[0]
        check(frame.value("err") == 0, f"{request.shown}: {frame}")
        return frame


def fill(client):
    """All that there can be; returns paths of ephemerals."""
    ask = client.ask
    for path, data in (("/app", b"top"), ("/app/null", None), ("/app/empty", b""),
                       ("/app/binary", bytes(range(256))), ("/app/text", "größer".encode()),
                       ("/app/large", b"x" * 900_000), ("/queue", b""), ("/deep", b"")):
        ask(create(path, data))
    for i in range(3):
        ask(set_data("/app", b"top %d" % i))
    ask(set_acl("/app/text", ((31, "world", "anyone"), (1, "ip", "10.0.0.0/8"))))
    ask(set_acl("/app/text", ((31, "world", "anyone"), (3, "digest", "bob:" + "h" * 28))))
    for _ in range(7):
        ask(create("/queue/n-", b"", flags=SEQUENTIAL))
    for i in (0, 3, 6):
        ask(delete(f"/queue/n-{i:010}"))
    path = "/deep"
    for i in range(30):
        path += f"/level{i}"
        ask(create(path, b"%d" % i))
    ask(create("/secret", b"hidden", ALICE))
    ask(create("/secret/child", b"too", ALICE))
    ask(create_container("/container", b"c"))
    ask(create_container("/container/inner", b"c"))
    ask(create("/container/inner/child", b"c"))
    ask(create_ttl("/ttl", HOUR_MS, b"t"))
    ask(create_ttl("/ttl/short", HOUR_MS // 2, b"t"))
    ask(create("/many"))
    for begin in range(0, MANY, 500):
        requests = [create(f"/many/n{i:06}", b"%d" % i) for i in range(begin, begin + 500)]
        for frame in client.ask_all(requests):
            check(frame.value("err") == 0, frame)
    ask(create("/zookeeper/quota/app"))
    ask(create("/zookeeper/quota/app/zookeeper_limits", b"count=100,bytes=-1=;countHardLimit=7"))
    ask(create("/zookeeper/quota/app/zookeeper_stats", b"count=6,bytes=900000"))
    ephemerals = ["/app-lock", "/queue/owner"]
    for path in ephemerals:
        ask(create(path, b"e", flags=EPHEMERAL))
    return ephemerals


def tree_of(address):
    """Data, ACL, Stat and children of every znode outside of /zookeeper, by path."""
    client = KazooClient(hosts=address, timeout=30, auth_data=[("digest", SUPER)])
    client.start(timeout=15)
    tree, level = {}, ["/"]
    while level:
        asked = [(path, client.get_async(path), client.get_acls_async(path),
                  client.get_children_async(path)) for path in level]
        level = []
        for path, got, acl, children in asked:
            data, stat = got.get()
            names = sorted(name for name in children.get() if name != "zookeeper")
            acls = sorted((one.perms, one.id.scheme, one.id.id) for one in acl.get()[0])
            tree[path] = {"data": data, "acl": acls, "children": names,
                          "stat": {name: getattr(stat, name) for name in STAT_KEPT}}
            level += [("" if path == "/" else path) + "/" + name for name in names]
    client.stop()
    client.close()
    return tree


def expected(tree, ephemerals):
    """As if the sessions of the ephemerals had ended."""
    for path in ephemerals:
        del tree[path]
        parent, _, name = path.rpartition("/")
        stat = tree[parent or "/"]["stat"]
        stat["numChildren"] -= 1
        stat["cversion"] += 1
        tree[parent or "/"]["children"].remove(name)
    return tree


def check_same(ours, theirs):
    check(sorted(ours) == sorted(theirs), f"paths: {set(ours) ^ set(theirs)}")
    for path, znode in theirs.items():
        check(ours[path] == znode, f"{path}: {ours[path]} in place of {znode}")


class Bell:
    def __init__(self, coord):
        self.environment = dict(os.environ, BELL_COORD=coord)

    def run(self, *words, status=0):
        done = subprocess.run([BIN / "bell", *words, "--auth", f"digest:{SUPER}"],
                              capture_output=True, check=False, env=self.environment, timeout=60)
        check(done.returncode == status, f"bell {words} exited {done.returncode}: {done.stdout[-2000:]}"
                                         f"{done.stderr[-2000:]}")
        return done

    def json(self, *words, status=0):
        return json.loads(self.run(*words, "-o", "json", status=status).stdout)


def check_reports(bell, zookeeper, ephemerals, count):
    """Left out is what may not be read; all else is there afterwards. Nothing is by looking."""
    source = ("import", "zookeeper", zookeeper.address, "--source-data",
              str(zookeeper.folder / "data"))
    look = bell.json(*source, "--dry-run", status=1)
    check(look["left_out_by_reason"] == {"ephemeral": len(ephemerals), "no_permission": 1}, look)
    check(look["zxid"] is None and look["created"] == count - 3, look)  # the root is there
    check(bell.json("znode", "ls", "/")["children"] == [], "a dry run leaves no znode")
    first = bell.json(*source, status=1)
    check(first["left_out_by_reason"] == look["left_out_by_reason"], first)
    reasons = {one["path"]: one["reason"] for one in first["left_out"]}
    check(reasons == {**{path: "ephemeral" for path in ephemerals}, "/secret": "no_permission"},
          reasons)
    check(first["complete"] is False and first["kinds_unknown"] == 0, first)
    check(first["znodes"] == count - 2 and first["quotas"] == 1, first)
    second = bell.json(*source, "--source-auth", f"digest:{SUPER}")
    check(second["complete"] and second["created"] == 2, second)
    check(second["unchanged"] == count - 2, second)
    many = next(one for one in second["subtrees"] if one["path"] == "/many")
    check((many["read"], many["copied"], many["found"]) == (MANY + 1,) * 3, many)
    return [*source, "--source-auth", f"digest:{SUPER}"]


def check_kinds(bell):
    """Told by an export, since Stat does not."""
    lines = [json.loads(line) for line in bell.run("export").stdout.splitlines()]
    kinds = {line["path"]: (line["mode"], line["ttl_ms"]) for line in lines[1:] if "mode" in line}
    special = {path: kind for path, kind in kinds.items() if kind[0] != "persistent"}
    check(special == {"/container": ("container", None), "/container/inner": ("container", None),
                      "/ttl": ("ttl", HOUR_MS), "/ttl/short": ("ttl", HOUR_MS // 2)}, special)


def check_quota(bell):
    quota = bell.json("znode", "quota", "get", "/app")
    check(quota["limits"] == {"count": 100, "bytes": None, "hard_count": 7, "hard_bytes": None},
          quota)
    check(quota["usage"]["count"] == 6, quota)
    bell.run("znode", "create", "/app/seventh")
    bell.run("znode", "create", "/app/eighth", status=5)
    bell.run("znode", "delete", "/app/seventh")


def check_conflicts(bell, source):
    bell.run("znode", "set", "/app", "changed")
    report = bell.json(*source, status=1)
    check([(one["path"], one["reason"]) for one in report["left_out"] if one["reason"] != "ephemeral"]
          == [("/app", "conflict")], report)
    check(bell.json("znode", "get", "/app")["value"] == "changed", "a conflict is left")
    report = bell.json(*source, "--overwrite")
    check(report["replaced"] == 1, report)
    check(bell.json("znode", "get", "/app")["value"] == "top 2", "it is replaced")


def check_into(bell, zookeeper):
    """Another place, and without the files that tell kinds."""
    report = bell.json("import", "zookeeper", zookeeper.address, "--path", "/container/inner",
                       "--into", "/from/there")
    check(report["znodes"] == 2 and report["kinds_unknown"] == 2, report)
    check(bell.json("znode", "ls", "/from", "-R")["paths"][-1] ==
          "/from/there/container/inner/child", "the path is kept below --into")
    bell.run("import", "zookeeper", zookeeper.address, "--path", "/none", status=3)
    bell.run("import", "zookeeper", zookeeper.address, "--path", "/zookeeper", status=2)
    bell.run("znode", "delete", "-r", "/from")


def check_sequences(theirs, ours):
    made = [client.ask(create("/queue/n-", b"", flags=SEQUENTIAL)).value("path")
            for client in (theirs, ours)]
    check(made[0] == made[1], f"sequence numbers go on: {made}")


def check_moving(zookeeper, ours):
    """What kazoo has seen there, it says here; a server that is behind would turn it away."""
    moving = KazooClient(hosts=zookeeper.address, timeout=10)
    moving.start()
    moving.set("/many", b"seen")
    seen = moving.last_zxid
    moving.stop()
    check(seen > 0, "kazoo has seen a zxid")
    moved = KazooClient(hosts=ours, timeout=10)
    moved.last_zxid = seen
    moved.start(timeout=10)
    stat = moved.set("/many", b"moved")
    check(stat.mzxid > seen and moved.last_zxid >= stat.mzxid, f"{stat.mzxid} is above {seen}")
    moved.stop()


def check_export(bell, folder, server):
    file = str(folder / "export")
    report = bell.json("export", file)
    check(report["complete"] and report["quotas"] == 1, report)
    bell.run("export", file, status=4)
    copied = bell.json("import", file, "--into", "/copy")
    check(copied["complete"] and copied["created"] == report["znodes"], copied)
    again = bell.json("import", file, "--into", "/copy")
    check(again["unchanged"] == report["znodes"] and again["created"] == 0, again)
    tree = tree_of(server.addresses["zk"])
    for path in [path for path in tree if path.startswith("/copy/")]:
        check(tree[path] == tree[path.removeprefix("/copy")], path)
    check(bell.json("znode", "quota", "get", "/copy/app")["limits"]["hard_count"] == 7, "its quota")
    whole = pathlib.Path(file).read_bytes()
    part = folder / "part"
    part.write_bytes(whole[:len(whole) // 2])
    bell.run("import", str(part), "--into", "/part", status=1)


def check_all(folder, zookeeper, server):
    theirs, ours = Client(zookeeper.address), Client(server.addresses["zk"])
    bell = Bell(server.addresses["grpc"])
    ephemerals = fill(theirs)
    source_tree = tree_of(zookeeper.address)
    source = check_reports(bell, zookeeper, ephemerals, len(source_tree) - len(ephemerals))
    check_same(tree_of(server.addresses["zk"]), expected(source_tree, ephemerals))
    third = bell.json(*source)
    check(third["created"] + third["replaced"] == 0 and third["complete"], third)
    check_kinds(bell)
    check_quota(bell)
    check_conflicts(bell, source)
    check_into(bell, zookeeper)
    check_sequences(theirs, ours)
    check_moving(zookeeper, server.addresses["zk"])
    check_export(bell, folder, server)


def main():
    if why_not():
        sys.exit(f"error: {why_not()}")
    with tempfile.TemporaryDirectory(prefix="bellwether-import-") as name:
        folder = pathlib.Path(name)
        # A replica that can't run for two election timeouts drops its clients; the machine may be
        # busy.
        flags = ("--listen-zk", "127.0.0.1:0", "--election-timeout", "1s", "--superdigest",
                 SUPER_DIGEST)
        with RealZooKeeper(folder / "zookeeper") as zookeeper, \
                Server("bell-coord", folder, *flags) as server:
            wait_until_served(server.addresses["zk"])
            check_all(folder, zookeeper, server)


if __name__ == "__main__":
    main()
