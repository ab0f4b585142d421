"""The table of tools and their last lines in cli/README.md (section Interface)."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_ROW = re.compile(r"^\| `(?P<command>[^`]+)`.* \| `(?P<line>[^`]+)`.*\|$")
_NUMBER = r"\d+(?:\.\d+)?"


@dataclasses.dataclass(frozen=True)
class Tool:
    path: str    # relative to the repository's root
    words: list  # the flags and arguments that the table shows, alternatives (kill|term) apart
    line: str    # as the table shows it: a capital letter stands for a number

    def pattern(self, arguments):
        """What the last line looks like after a run with other arguments than the table shows."""
        given = "|".join(map(re.escape, arguments)) or "(?!)"
        parts = []
        for word in self.line.split(" "):
            name, equals, value = word.partition("=")
            if equals and re.fullmatch(r"[A-Z](/[A-Z])?", value):
                value = re.sub("[A-Z]", lambda _: _NUMBER, value)
            elif equals and value in self.words:
                value = f"(?:{given})"
            else:
                value = re.escape(value)
            parts.append(re.escape(name) + equals + value)
        return re.compile(" ".join(parts))


def tools(text=None):
    """All rows of the table, from cli/README.md or the text of another one."""
    text = (ROOT / "cli/README.md").read_text() if text is None else text
    section = text.partition("\n### Last lines of tools\n")[2].partition("\n#")[0]
    rows = []
    for match in filter(None, map(_ROW.match, section.splitlines())):
        path, *words = match["command"].replace("\\|", " ").split()
        rows.append(Tool(path, words, match["line"].replace("\\|", "|")))
    return rows
