"""What nobody refers to, and references to what isn't there: dead files, rules, RPC handlers."""

import collections
import re

_CITATION = re.compile(r"\b([ZKR])([1-9]\d{0,2})\b")
_DEFINITION = re.compile(r"^\W*([ZKR]\d{1,3})\b", re.MULTILINE)
_RULES = {"Z": "coord/tree/README.md", "K": "broker/README.md", "R": "tests/sim/README.md"}
_HANDLERS = {"coord": ("coord/rpc/", "coord/peer/"), "broker": ("broker/rpc/",)}
_RPC = re.compile(r"^\s*rpc\s+(\w+)\s*\(", re.MULTILINE)
_INCLUDED = re.compile(r'#\s*include\s*"([^"]+)"')
# Read by programs of others, not named by our own files.
_WELL_KNOWN = ("CMakeLists.txt", "README.md", "CMakePresets.json")


def _check_headers(tree):
    """Its own source and unit tests don't make a header of the product live."""
    users = collections.defaultdict(set)
    for file in tree.cpp:
        for header in _INCLUDED.findall(file.text):
            users[header].add(file.path)
    for file in tree.headers:
        if not any(user != f"{file.path[:-2]}.cc" and
                   (file.is_test or not user.startswith("tests/unit/"))
                   for user in users[file.path]):
            yield file.problem(1, "dead-file", "nothing but its own source and unit tests includes "
                               "this header; delete it")


def _is_built(tree, file, cmake):
    """Whether a rule of the folder's CMakeLists.txt takes every .cc, or one names this file."""
    if any(re.search(rf"(?<![\w.]){re.escape(file.name)}(?![\w.])", text) for text in cmake.values()):
        return True
    own = cmake.get(file.folder, "")
    if re.search(r"\bbellwether_library\s*\(|GLOB[^)]*\*\.cc", own):
        return file.name != "main.cc"
    if file.path.startswith("tests/unit/"):
        folder = re.escape(file.folder[len("tests/unit/"):])
        return bool(re.search(rf"\bbellwether_test\s*\(\s*{folder}[\s)]", cmake.get("tests", "")))
    return False


def _check_sources(tree):
    cmake = {file.folder: file.text for file in tree.files if file.name == "CMakeLists.txt"}
    for file in tree.cpp:
        if file.suffix == ".cc" and not _is_built(tree, file, cmake):
            yield file.problem(1, "dead-file", "no CMakeLists.txt builds this file; add or delete it")


def _check_scripts(tree):
    for file in tree.files:
        if not file.is_script or file.suffix in (".bats", ".md") or file.name in _WELL_KNOWN:
            continue
        word = file.stem if file.suffix == ".py" else "/".join(file.path.split("/")[-2:])
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        if not any(other is not file and pattern.search(other.text) for other in tree.files):
            yield file.problem(1, "dead-file", f"nothing refers to '{word}'; use it or delete it")


def _check_rules(tree):
    defined = {kind: set(_DEFINITION.findall(tree.by_path[path].text) if path in tree.by_path else [])
               for kind, path in _RULES.items()}
    for file in tree.cpp + tree.protos:
        for number, (line, code) in enumerate(zip(file.lines, file.code_lines), start=1):
            comment = line if file.suffix == ".proto" else \
                "".join(a if b == " " else " " for a, b in zip(line, code))
            if "//" not in comment:
                continue
            for kind, digits in _CITATION.findall(comment[comment.index("//"):]):
                if kind + digits not in defined[kind]:
                    yield file.problem(number, "rule", f"define {kind}{digits} in one line in "
                                       f"{_RULES[kind]}, or don't cite it")


def _check_handlers(tree):
    for proto in tree.protos:
        package = re.search(r"^package\s+bellwether\.(\w+)", proto.text, re.MULTILINE)
        folders = _HANDLERS.get(package.group(1) if package else "", ())
        sources = [file.code for file in tree.cpp if file.path.startswith(folders)] if folders else []
        for match in _RPC.finditer(proto.text):
            name = match.group(1)
            if not any(re.search(rf"{name}(?![a-z])", code) for code in sources):
                yield proto.problem(proto.line_of(match.start(1)), "rpc-handler",
                                    f"nothing in {' or '.join(folders) or 'any frontend'} handles "
                                    f"{name}; implement it or remove it")


def check(tree):
    problems = []
    for rule in (_check_headers, _check_sources, _check_scripts, _check_rules, _check_handlers):
        problems += rule(tree)
    return problems
