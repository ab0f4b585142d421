"""Jute, the encoding of ZooKeeper's protocol: big-endian numbers, byte strings and lists with their
length before them, -1 for null."""

import struct


class Malformed(Exception):
    """A server sent something that can't be decoded."""


class Writer:
    """Collects bytes; each call returns the writer."""

    def __init__(self):
        self._parts = []

    def _pack(self, form, value):
        self._parts.append(struct.pack(form, value))
        return self

    def int(self, value):
        return self._pack(">i", value)

    def long(self, value):
        return self._pack(">q", value)

    def bool(self, value):
        return self._pack(">?", value)

    def raw(self, value):
        self._parts.append(value)
        return self

    def buffer(self, value):
        """Bytes, or None for null."""
        if value is None:
            return self.int(-1)
        return self.int(len(value)).raw(value)

    def text(self, value):
        """A str, as UTF-8; bytes go as they are, which may be no UTF-8; or None."""
        return self.buffer(value.encode() if isinstance(value, str) else value)

    def texts(self, values):
        self.int(len(values))
        for value in values:
            self.text(value)
        return self

    def acl(self, entries):
        """A list of (permissions, scheme, id), or None for null."""
        if entries is None:
            return self.int(-1)
        self.int(len(entries))
        for permissions, scheme, id_ in entries:
            self.int(permissions).text(scheme).text(id_)
        return self

    def bytes(self):
        return b"".join(self._parts)


class Reader:
    """Reads from bytes; raises Malformed where they end too soon."""

    def __init__(self, data):
        self._data = data
        self._at = 0

    def _unpack(self, form):
        return struct.unpack(form, self.raw(struct.calcsize(form)))[0]

    def raw(self, count):
        if count < 0 or self._at + count > len(self._data):
            raise Malformed(f"{count} bytes wanted at {self._at} of {self._data.hex()}")
        self._at += count
        return self._data[self._at - count:self._at]

    def int(self):
        return self._unpack(">i")

    def long(self):
        return self._unpack(">q")

    def bool(self):
        return self._unpack(">?")

    def buffer(self):
        length = self.int()
        return None if length == -1 else self.raw(length)

    def text(self):
        value = self.buffer()
        return None if value is None else value.decode(errors="backslashreplace")

    def list(self, read_one):
        count = self.int()
        if count > len(self._data):
            raise Malformed(f"a list of {count} in {len(self._data)} bytes")
        return None if count == -1 else [read_one() for _ in range(count)]

    def texts(self):
        return self.list(self.text)

    def left(self):
        return self._data[self._at:]
