"""What must have a comment: classes in headers, the client's public headers, every proto item."""

import re

_CLASS = re.compile(r"^(?:class|struct)\b[^;(){}=:]*\b(\w+)(?: final)?\s*(?::[^;{]*)?\{", re.MULTILINE)
_INNER_CLASS = re.compile(_CLASS.pattern.replace("^", r"\s*", 1))
_ABOVE_CLASS = re.compile(r"^\s*(?:template\b.*|\[\[.*\]\])$")
_ACCESS = re.compile(r"^\s*(public|private|protected)\s*:")
# Members whose meaning is fixed by the language.
_SELF_EVIDENT = re.compile(
    r"=\s*(?:delete|default)\s*;|\boperator\b|^\s*(?:virtual\s+)?~|^\s*friend\b|^\s*using\b"
    r"|\boverride\b|^\s*(?:class|struct|enum)\b|^\s*static_assert\b|^\s*[})]"
    r"|^\s*template\b[^;]*$|^\s*static\s+std::unique_ptr<\w+>\s+Create\(")
# Fields and accessors that say all by their names, or by naming their type.
_PLAIN_NAMES = frozenset(
    "code data headers high_watermark host id kind key message name offset outcome partition path port "
    "stat topic topic_id value version zxid".split())
_FIELD_OR_ACCESSOR = re.compile(
    r"^\s*(?:const\s+)?([\w:]+(?:<[\w:<>, ]*>)?)\s*[&*]?\s+[&*]?(\w+)\s*(?:\(\)|=|;|\{)")
_PROTO_ITEM = re.compile(
    r"^\s*(?:(message|enum|service|oneof)\s+(\w+)\s*\{|(rpc)\s+(\w+)\s*\("
    r"|(?:repeated\s+|optional\s+)?([\w.]+(?:<[^>]*>)?)\s+(\w+)\s*=\s*\d+|(\w+)\s*=\s*-?\d+)")


def _is_comment(line):
    return line.strip().startswith("//")


def _comment_above(lines, index):
    """Whether the line above `index` (0-based) is a comment, templates and attributes skipped."""
    index -= 1
    while index >= 0 and _ABOVE_CLASS.match(lines[index]):
        index -= 1
    return index >= 0 and _is_comment(lines[index])


def _check_classes(file):
    for match in _CLASS.finditer(file.code):
        line = file.line_of(match.start())
        kind = file.lines[line - 1].split()[0]
        if kind == "class" and not _comment_above(file.lines, line - 1):
            yield file.problem(line, "class-comment",
                               f"say what {match.group(1)} is, who owns it, which threads use it")


def _body_end(code, open_brace):
    depth = 0
    for position in range(open_brace, len(code)):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        if depth == 0:
            return position
    return len(code)


def _is_plain(code):
    match = _FIELD_OR_ACCESSOR.match(code)
    if not match:
        return False
    one_word = match.group(2).replace("_", "").rstrip("s")  # `changes` of a vector<WatchChange>
    return match.group(2) in _PLAIN_NAMES or one_word in match.group(1).lower()


def _members(file, first, last):
    """(line index, text) of each declaration between two lines, at the class's own depth."""
    depth = 0
    continued = False
    for index in range(first, last):
        code = file.code_lines[index]
        if code.strip() and depth == 0 and not continued:
            yield index, code
        depth += code.count("{") - code.count("}") + code.count("(") - code.count(")")
        if code.strip():
            continued = depth == 0 and not re.search(r"[;:}{]\s*$", code)


def _is_of_client_library(file):
    return file.path.startswith("client/") and not file.path.startswith("client/examples/")


def _public_client_headers(tree):
    """Headers of client/ and its folders that programs include, as a user's program would."""
    used = {header for file in tree.cpp if not _is_of_client_library(file) and not file.is_test
            for header in re.findall(r'#\s*include\s*"(client/[^"]+)"', file.text)}
    return [file for file in tree.headers if file.path in used and _is_of_client_library(file)]


def _check_public_members(file, match):
    """A member has a comment above it or behind it, or continues a group (no blank line) that
    begins with a comment. The same holds within public classes inside."""
    is_public = match.group().lstrip().startswith("struct")
    first = file.line_of(match.end() - 1)
    last = file.line_of(_body_end(file.code, match.end() - 1)) - 1
    described = None  # the last member that a comment covers
    for index, code in _members(file, first, last):
        access = _ACCESS.match(code)
        if access:
            is_public = access.group(1) == "public"
            continue
        inner = _INNER_CLASS.match(file.code, file.position_of(index + 1))
        if is_public and inner:
            yield from _check_public_members(file, inner)
        if not is_public or _SELF_EVIDENT.search(code) or _is_plain(code) or \
                re.match(rf"^\s*(?:explicit\s+)?{match.group(1)}\s*\(", code):
            continue
        behind = "//" in file.lines[index]
        above = _comment_above(file.lines, index)
        grouped = described is not None and all(
            line.strip() for line in file.lines[described:index])
        if behind or above or grouped:
            described = index
        else:
            yield file.problem(index + 1, "public-comment",
                               f"say what '{code.strip()[:50]}' means: units, ranges, errors")


def _check_proto(file):
    for index, line in enumerate(file.lines):
        match = _PROTO_ITEM.match(line.partition("//")[0])
        if not match or re.match(r"^\s*(?:option|syntax|reserved|import|package)\b", line):
            continue
        name = next(filter(None, (match.group(2), match.group(4), match.group(6), match.group(7))))
        above = index > 0 and _is_comment(file.lines[index - 1])
        if not above and "//" not in line:
            yield file.problem(index + 1, "proto-comment",
                               f"say what '{name}' means: unit, range, default, errors")


def check(tree):
    problems = []
    for file in tree.headers:
        if file.is_test:
            continue
        problems += _check_classes(file)
    for file in _public_client_headers(tree):
        for match in _CLASS.finditer(file.code):
            problems += _check_public_members(file, match)
    for file in tree.protos:
        problems += _check_proto(file)
    return problems
