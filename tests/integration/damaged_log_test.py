"""A server of three whose log is damaged while it is down sets it aside, gets everything from the others
again, and votes once more: nobody has to do anything. A single server refuses to start and says why."""

import pathlib
import subprocess
import tempfile

from cluster import BIN, Cluster, Server, check, wait_until

SERVER = "coord-2"


def flip_a_byte(path, at):
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 0x40
    path.write_bytes(content)


def largest(folder, pattern):
    return max(folder.glob(pattern), key=lambda path: path.stat().st_size)


def write(cluster, first, last):
    script = "".join(f"create /z/{n:04} {'x' * 300}\n" for n in range(first, last))
    cluster.bell("shell", stdin=script)


def state_of(cluster, name):
    servers = cluster.json("cluster", "status")["coord"]["servers"]
    return next(server for server in servers if f"coord-{server['id']}" == name)


def digests_agree(cluster):
    servers = cluster.json("cluster", "status")["coord"]["servers"]
    return len({(server["zxid"], server["digest"]) for server in servers}) == 1


def put_log_into_tables(cluster):
    """Opening a database writes what was in its write-ahead log into a table."""
    cluster.kill(SERVER)
    cluster.start(SERVER)


def check_rejoins(cluster, what, damage):
    """`damage(folder)` is done to the log of the stopped server."""
    raft = cluster.data_dir(SERVER) / "raft"
    before = len(list(raft.parent.glob("raft.damaged-*")))
    identity = (raft.parent / "identity.json").read_text()
    cluster.kill(SERVER)
    damage(raft)
    cluster.start(SERVER)
    wait_until(lambda: digests_agree(cluster), f"{what}: all servers have the same state")
    wait_until(lambda: cluster.run("cluster", "status", "--check").returncode == 0,
               f"{what}: healthy again")
    aside = list(raft.parent.glob("raft.damaged-*"))
    check(len(aside) == min(before + 1, 2), f"{what}: set aside are {aside}")
    check((raft.parent / "identity.json").read_text() != identity,
          f"{what}: the folder says to be the same as before")
    log = (raft.parent.parent / "log").read_text()
    check("the log was damaged: it was set aside" in log, f"{what}: nothing was reported")
    # It votes: with it and one other there is a quorum.
    cluster.kill("coord-1")
    wait_until(lambda: cluster.run("znode", "get", "/z/0000").returncode == 0,
               f"{what}: the server votes again")
    cluster.start("coord-1")
    wait_until(lambda: cluster.run("cluster", "status", "--check").returncode == 0,
               f"{what}: all three are back")


def check_single_server_refuses():
    with tempfile.TemporaryDirectory(prefix="bellwether-") as folder:
        server = Server("bell-coord", folder)
        raft = pathlib.Path(folder) / "bell-coord" / "raft"
        server.start()
        wait_until((raft / "vote").exists, "it has voted for itself")
        server.stop(9)
        flip_a_byte(raft / "vote", 0.9)
        done = subprocess.run([*server.command, "--listen", "127.0.0.1:0"], capture_output=True,
                              text=True, timeout=30, check=False)
        check(done.returncode != 0, "a single server starts without its log")
        check(str(raft) in done.stderr and "damaged" in done.stderr, done.stderr)
        check(raft.exists(), "a single server's log was set aside")


def main():
    with Cluster(coords=3, brokers=0) as cluster:
        cluster.bell("znode", "create", "/z", "")
        write(cluster, 0, 400)
        check_rejoins(cluster, "write-ahead log",
                      lambda raft: flip_a_byte(largest(raft / "db", "*.log"), 0.5))
        write(cluster, 400, 800)
        put_log_into_tables(cluster)
        check_rejoins(cluster, "table",
                      lambda raft: flip_a_byte(largest(raft / "db", "*.sst"), 0.5))
        check_rejoins(cluster, "vote file", lambda raft: flip_a_byte(raft / "vote", 0.9))
        put_log_into_tables(cluster)
        check_rejoins(cluster, "lost files", lambda raft: [file.unlink() for file in
                                                           (raft / "db").glob("*.sst")])
    check_single_server_refuses()
    print("damaged_log_test: OK")


main()
