"""zkCli.sh, ZooKeeper's own shell: what it prints for a script, without what is another on each
server or at each time; and as a process that is talked to."""

import itertools
import queue
import re
import subprocess
import threading

from real_zookeeper import CLIENT

SECONDS = 60
_NUMBER = re.compile(r"0x[0-9a-f]+")
_TIME = re.compile(r"^([cm]time = ).*$")
_ASIDE = ("", "WATCHER::")
_OWN_END = "state:Closed"
_MEMBER = re.compile(r"^server\.(\d+)=\S+:participant;\S+$")
_CONFIG_VERSION = re.compile(r"^version=[0-9a-f]+$")

# Every verb that does not need an ensemble, and what each says when it can't. ROOT is replaced.
SCRIPT = """
create ROOT/a one
create ROOT/a two
create -s ROOT/s- x
create -e ROOT/e y
create -e -s ROOT/es-
create -c ROOT/container
create -t 3600000 ROOT/ttl z
create ROOT/none/x
create ROOT/acl secret digest:bob:LcrmCNs/wfVD+i5a5yaz89GyjIM=:cdrwa
ls ROOT
ls -s ROOT
ls -R ROOT
get ROOT/a
get -s ROOT/a
get ROOT/none
get ROOT/acl
set ROOT/a three
set -s -v 1 ROOT/a four
set -v 1 ROOT/a five
stat ROOT/a
stat ROOT/none
stat -w ROOT/a
get -w ROOT/a
set ROOT/a six
ls -w ROOT
create ROOT/b
addWatch -m PERSISTENT ROOT/b
addWatch ROOT/b
set ROOT/b 1
create ROOT/b/x
removewatches ROOT/b
removewatches ROOT/none
getAcl ROOT/a
setAcl ROOT/a world:anyone:cdra
getAcl -s ROOT/a
set ROOT/a seven
setAcl ROOT/a bad:x:r
addauth digest bob:b
get ROOT/acl
whoami
getEphemerals ROOT
getAllChildrenNumber ROOT
sync ROOT
listquota ROOT/b
setquota -n 10 ROOT/b
setquota -b 100 ROOT/b
listquota ROOT/b
create ROOT/b/y
listquota ROOT/b
delquota -n ROOT/b
delquota -b ROOT/b
listquota ROOT/b
config
delete ROOT/b
delete -v 9 ROOT/b/x
delete ROOT/b/x
deleteall ROOT/b
deleteall ROOT
ls ROOT
ls /zookeeper
nonsense
close
ls ROOT
quit
"""


def commands(root):
    return SCRIPT.strip().replace("ROOT", root)


def run_script(hosts, root):
    """The lines that it prints, stdout and stderr as they come, normalised; and the ids of the
    ensemble's members as `config` tells them, which are no part of those."""
    done = subprocess.run([CLIENT, "-server", hosts], input=commands(root) + "\n", text=True,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS)
    lines = normalised(done.stdout, hosts)
    members = [int(match[1]) for match in map(_MEMBER.match, lines) if match]
    return [line for line in lines
            if not _MEMBER.match(line) and not _CONFIG_VERSION.match(line)], members


def normalised(text, hosts):
    """Zxids and ids are named by their order of appearance, lists sorted. Events are printed by a
    thread of their own, between any two lines: they stand behind everything else, sorted. Left out
    is that of the own end, which is printed only when the process ends late enough."""
    names, count = {}, itertools.count(1)
    lines, events = [], []

    def name(match):
        if int(match[0], 16) == 0:
            return match[0]
        return names.setdefault(match[0], f"number {next(count)}")
    for line in text.replace(hosts, "HOSTS").splitlines():
        line = _TIME.sub(r"\1TIME", line)
        if line.startswith("WatchedEvent"):
            if _OWN_END not in line:
                events.append(line)
        elif line not in _ASIDE and not line.startswith("SLF4J"):
            lines.append(_sorted_list(_NUMBER.sub(name, line)))
    return lines + sorted(events)


def _sorted_list(line):
    if not (line.startswith("[") and line.endswith("]")):
        return line
    return "[" + ", ".join(sorted(line[1:-1].split(", "))) + "]"


class Shell:
    """A zkCli.sh that goes on while its server dies. Used as a block."""

    def __init__(self, hosts):
        self._process = subprocess.Popen([CLIENT, "-server", hosts], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self, wanted, seconds):
        """Whether this line comes in time; all before it are forgotten."""
        try:
            while self._lines.get(timeout=seconds) != wanted:
                pass
        except queue.Empty:
            return False
        return True
