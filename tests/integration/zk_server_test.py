"""The port for ZooKeeper's clients, byte by byte: handshake and requests, four-letter words with real
figures, limits, clients that do not read, bytes of other programs, and an orderly end."""

import pathlib
import re
import socket
import struct
import tempfile
import time

from cluster import Server, check, wait_until

PER_ADDRESS = 40
CREATE, GET_DATA, PING, CLOSE = 1, 4, 11, -11
DATA = b"x" * 500_000
OPEN_ACL = struct.pack(">ii", 1, 31) + b"\0\0\0\5world\0\0\0\6anyone"


def text(value):
    return struct.pack(">i", len(value)) + value


def connect(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def receive(connection, count):
    """So many bytes, or fewer when the stream ends."""
    received = bytearray()
    while len(received) < count:
        part = connection.recv(min(count - len(received), 1 << 20))
        if not part:
            break
        received += part
    return bytes(received)


def until_closed(connection):
    """All that comes until the server closes; b"" also when it resets the connection."""
    try:
        return receive(connection, 1 << 30)
    except ConnectionError:
        return b""


def ask(address, word, half_close=False):
    with connect(address) as connection:
        connection.sendall(word)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return until_closed(connection).decode()


class Client:
    """One session on one connection."""

    def __init__(self, address):
        self.socket = connect(address)
        self.send(struct.pack(">iqiq", 0, 0, 10_000, 0) + text(bytes(16)) + b"\0")
        answer = self.reply()
        check(len(answer) == 37, f"the handshake's answer has {len(answer)} bytes")
        self.timeout_ms, self.session = struct.unpack(">iq", answer[4:16])
        check(self.timeout_ms > 0 and self.session != 0, f"no session: {answer}")
        self.xid = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, frame):
        self.socket.sendall(text(frame))

    def reply(self):
        length, = struct.unpack(">i", receive(self.socket, 4))
        return receive(self.socket, length)

    def request(self, opcode, body=b"", xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send(struct.pack(">ii", xid, opcode) + body)
        return xid

    def call(self, opcode, body=b"", xid=None):
        """Error and body of the reply."""
        asked = self.request(opcode, body, xid)
        answer = self.reply()
        xid, _, error = struct.unpack(">iqi", answer[:16])
        check(xid == asked, f"the reply to {asked} is for {xid}")
        return error, answer[16:]


def get(path):
    return text(path) + b"\0"


def check_requests(address):
    with Client(address) as client:
        created = client.call(CREATE, text(b"/z") + text(DATA) + OPEN_ACL + struct.pack(">i", 0))
        check(created == (0, text(b"/z")), f"create: {created}")
        error, body = client.call(GET_DATA, get(b"/z"))
        check(error == 0 and body[4:4 + len(DATA)] == DATA, f"getData: {error}")
        check(client.call(PING, xid=-2) == (0, b""), "ping")
        check(client.call(GET_DATA, get(b"/none")) == (-101, b""), "getData of nothing")
        check(client.call(CLOSE) == (0, b""), "closeSession")
        check(until_closed(client.socket) == b"", "it is closed after closeSession")


def monitored(address):
    """The figures of mntr by name."""
    return dict(line.split("\t", 1) for line in ask(address, b"mntr").splitlines())


def check_words(address):
    check(ask(address, b"ruok") == "imok", "ruok")
    check(ask(address, b"isro\n", half_close=True) == "rw", "isro of a client that sends no more")
    version = re.search(r"^zookeeper\.version=(\d+)\.(\d+)\.(\d+)", ask(address, b"envi"), re.M)
    check(version, "envi has a version that clients understand")
    before = monitored(address)
    with Client(address) as client:
        client.call(CREATE, text(b"/words") + text(b"12345") + OPEN_ACL + struct.pack(">i", 1))
        after = monitored(address)
        check(after["zk_server_state"] == "standalone", after)
        for name, change in (("zk_znode_count", 1), ("zk_ephemerals_count", 1),
                             ("zk_approximate_data_size", 5), ("zk_num_alive_connections", 1),
                             ("zk_global_sessions", 1)):
            check(int(after[name]) - int(before[name]) == change, f"{name}: {before} {after}")
        check(int(after["zk_packets_received"]) > int(before["zk_packets_received"]), after)
        session = f"0x{client.session & (2**64 - 1):x}"
        check(f",sid={session},lop=CREA," in ask(address, b"cons"), "cons shows the client")
        check(f"\n{session}:\n\t/words\n" in ask(address, b"dump"), "dump shows its ephemeral")
        client.call(GET_DATA, text(b"/words") + b"\1")
        check(ask(address, b"wchc") == f"{session}\n\t/words\n\n", "wchc shows its watch")
        check(ask(address, b"wchs") == "1 connections watching 1 paths\nTotal watches:1\n", "wchs")
    check("\nMode: standalone\nNode count: " in ask(address, b"srvr"), "srvr")
    check(re.search(r"^logdir_size: [1-9]", ask(address, b"dirs"), re.M), "dirs")
    check(re.fullmatch(r"[0-9a-f]+: -?\d+\n", ask(address, b"hash")), "hash")


def check_other_programs(address):
    """Whatever they send, their connection ends and the server goes on."""
    handshake = struct.pack(">iqiq", 0, 0, 10_000, 0) + text(bytes(16)) + b"\0"
    for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x16\x03\x01\x02\x00\x01" * 40,
                 b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", struct.pack(">i", 0), text(b"\0" * 3),
                 text(handshake) + b"\x00\x10\x00\x00", text(handshake) + text(b"\0\0"),
                 text(handshake) + text(struct.pack(">ii", 1, 9999))):
        with connect(address) as connection:
            connection.sendall(sent)
            connection.settimeout(15)
            until_closed(connection)
    check_requests_of_another(address)


def check_requests_of_another(address):
    with Client(address) as client:
        check(client.call(PING, xid=-2) == (0, b""), "the server goes on")


def check_slow_reader(server):
    """Replies of 100 MB to a client that does not read them; then it reads them all, in order."""
    address, count = server.addresses["zk"], 200
    with Client(address) as slow:
        body = get(b"/z")
        for _ in range(count):
            slow.request(GET_DATA, body)
        check_requests_of_another(address)
        check(server.metric("bell_outbox_bytes") < 20e6, "replies that wait are bounded")
        for xid in range(1, count + 1):
            answer = slow.reply()
            check(struct.unpack(">i", answer[:4])[0] == xid, f"reply {xid} is out of order")
            check(len(answer) > len(DATA), f"reply {xid} is short")


def check_address_limit(address):
    many = [connect(address) for _ in range(PER_ADDRESS - 1)]

    def is_full():
        # One more each time: a place may still be that of a connection which is about to go, and
        # who was refused for it holds none.
        many.append(connect(address))
        return ask(address, b"ruok") == ""

    wait_until(is_full, "a connection too many is closed")
    for one in many:
        one.close()
    wait_until(lambda: ask(address, b"ruok") == "imok", "there is room again")


def check_end(server):
    """SIGTERM: clients see the end of their stream, and the server is gone soon."""
    with Client(server.addresses["zk"]) as client, connect(server.addresses["zk"]) as silent:
        begin = time.monotonic()
        server.stop()
        check(server.process.returncode == 0, f"exit {server.process.returncode}")
        check(time.monotonic() - begin < 10, "it does not wait for clients that stay")
        check(until_closed(client.socket) == b"" and until_closed(silent) == b"", "all are closed")


def main():
    with tempfile.TemporaryDirectory(prefix="bellwether-") as name:
        # A replica that can't run for two election timeouts drops its clients; the machine may be
        # busy.
        flags = ("--listen-zk", "127.0.0.1:0", "--zk-4lw", "*", "--election-timeout", "1s",
                 "--zk-connections-per-address", str(PER_ADDRESS))
        with Server("bell-coord", pathlib.Path(name), *flags) as server:
            address = server.addresses["zk"]
            wait_until(lambda: ask(address, b"isro") == "rw", "it serves")
            check_requests(address)
            check_words(address)
            check_other_programs(address)
            check_slow_reader(server)
            check_address_limit(address)
            check_end(server)


if __name__ == "__main__":
    main()
