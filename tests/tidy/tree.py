"""The files that the rules look at, and the C++ code in them without comments and strings."""

import dataclasses
import functools
import pathlib
import re
import subprocess

CPP_SUFFIXES = (".h", ".cc")

# Comments, raw strings, strings, characters (but not the ' between digits).
_NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s"]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    path: str
    line: int
    rule: str
    advice: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.advice}"


def _blank(match):
    """Spaces in place of a comment or string, its line ends kept; strings keep their quotes."""
    text = match.group()
    blank = re.sub(r"[^\n]", " ", text)
    return f'"{blank[1:-1]}"' if text.startswith('"') and "\n" not in text else blank


class File:
    """One text file of the repository. `path` is relative to the root, with slashes."""

    def __init__(self, root, path):
        self.path = path
        self.folder, _, self.name = path.rpartition("/")
        self.stem = self.name.split(".")[0]
        self.suffix = pathlib.PurePosixPath(path).suffix
        self.absolute = root / path
        self.text = self.absolute.read_bytes().decode("utf-8", errors="replace")
        self.lines = self.text.splitlines()

    @property
    def is_cpp(self):
        return self.suffix in CPP_SUFFIXES

    @property
    def is_test(self):
        return self.path.startswith("tests/")

    @property
    def is_script(self):
        return self.suffix in (".py", ".sh", ".bash", ".bats") or self.text.startswith("#!")

    @functools.cached_property
    def code(self):
        """The text with comments and strings blanked; positions and lines are the same."""
        return _NOT_CODE.sub(_blank, self.text)

    @functools.cached_property
    def code_lines(self):
        return self.code.splitlines()

    def line_of(self, position):
        return self.text.count("\n", 0, position) + 1

    def position_of(self, line):
        return sum(map(len, self.text.splitlines(keepends=True)[:line - 1]))

    def problem(self, line, rule, advice):
        return Problem(self.path, line, rule, advice)


class Tree:
    """All text files of a repository: tracked ones and new ones that git doesn't ignore."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.files = [File(self.root, path) for path in self._paths() if self._is_text(path)]
        self.by_path = {file.path: file for file in self.files}
        self.cpp = [file for file in self.files if file.is_cpp]
        self.headers = [file for file in self.cpp if file.suffix == ".h"]
        self.protos = [file for file in self.files if file.suffix == ".proto"]

    def _paths(self):
        if not (self.root / ".git").exists():  # an unpacked archive
            return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")
                          if path.relative_to(self.root).parts[0] != "build")
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"],
            cwd=self.root, check=True, capture_output=True, text=True).stdout
        return sorted(set(filter(None, listing.split("\0"))))

    def _is_text(self, path):
        file = self.root / path
        return file.is_file() and b"\0" not in file.read_bytes()[:4096]
