"""`bell shell` on a terminal: editing, history, completion of verbs and paths, letters beyond ASCII,
Ctrl-C and Ctrl-D."""

import os
import pty
import re
import select
import tempfile
import time

from cluster import BIN, Cluster, check

TAB, ENTER, UP, BACKSPACE = "\t", "\r", "\x1b[A", "\x7f"
CTRL_C, CTRL_D, CTRL_U = "\x03", "\x04", "\x15"


class Terminal:
    def __init__(self, environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BIN / "bell", ["bell", "shell"], environment)
        self.seen = ""

    def expect(self, text, seconds=20):
        """What was shown up to the end of `text`, which is then forgotten."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            check(left > 0, f"'{text}' does not come; shown: {self.seen!r}")
            if select.select([self.fd], [], [], left)[0]:
                self.seen += self.read()
        shown, _, self.seen = self.seen.partition(text)
        return shown

    def read(self):
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # how Linux says that nobody has the other end open any more
            data = b""
        check(data, f"the shell ended; shown: {self.seen!r}")
        return data.decode(errors="replace")

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def run(self, keys):
        """Types a line; what is shown until the next prompt."""
        self.type(keys + ENTER)
        self.expect("\r\n")
        return self.expect("bell> ")

    def wait(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def check_editing(terminal):
    terminal.expect("bell> ")
    check("/apple" in terminal.run("create /apple one"), "create says no path")
    terminal.run("create /apricot two")
    check("/äpfel" in terminal.run("create /äpfel drei"), "letters beyond ASCII are lost")
    check("one" in terminal.run("gett" + BACKSPACE + " /apple"), "backspace does nothing")
    check("one" in terminal.run(UP), "the last line is not the history's newest")
    check("two" in terminal.run("nonsense" + CTRL_U + "get /apricot"), "Ctrl-U does nothing")
    terminal.type("no such verb" + CTRL_C)
    terminal.expect("bell> ")


def check_completion(terminal):
    check("one" in terminal.run("ge" + TAB + " /app" + TAB), "a verb and a path are not completed")
    terminal.type("ls /ap" + TAB)
    listed = re.sub(r"\x1b\[[0-9]*[A-Z]", "", terminal.expect("bell> ls /ap"))
    check("/apple\r\n/apricot\r\n" in listed, f"the choices are not listed: {listed!r}")
    terminal.run("r" + TAB)
    terminal.run("create '/two words' three")
    check("three" in terminal.run("get \"/two w" + TAB + TAB), "a quoted path is not completed")
    check("three" in terminal.run("get /tw" + TAB), "a completed path is not quoted")


def main():
    with Cluster(coords=1, brokers=0) as cluster, tempfile.TemporaryDirectory() as home:
        environment = {**cluster.environment, "HOME": home, "TERM": "xterm"}
        terminal = Terminal(environment)
        check_editing(terminal)
        check_completion(terminal)
        terminal.type("quit" + ENTER)
        check(terminal.wait() == 0, "quit is no success")

        again = Terminal(environment)
        again.expect("bell> ")
        again.type(UP)
        again.expect("quit")
        again.type(CTRL_U + CTRL_D)
        check(again.wait() == 0, "Ctrl-D is no success")


if __name__ == "__main__":
    main()
