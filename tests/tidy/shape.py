"""Lengths of functions and files, names of files, #pragma once."""

import re

FUNCTION_LINES_MAX = 100
FILE_LINES_MAX = 800
_BAD_STEM = re.compile(r"(?:^|_)(?:utils?|helpers?|common|managers?|misc|stuff)$|_(?:2|new|old)$")
_SOURCE_SUFFIXES = (".h", ".cc", ".proto", ".py", ".sh", ".bash", ".bats", ".cmake")
_BEFORE_HEAD = re.compile(r"^\s*(?:#.*|(?:public|private|protected|default|case [^\n]*):)$",
                          re.MULTILINE)
_TYPE_HEAD = re.compile(r"\b(?:namespace|class|struct|union|enum)\b[^()=]*$")


def functions(code):
    """(first line, last line, head) of every outermost body with parameters, by its braces."""
    found = []
    stack = []  # per open brace: (is a function, position of its head, head)
    head_start = 0
    inside = 0  # open functions
    line = 1
    for position, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "{":
            head = _BEFORE_HEAD.sub("", code[head_start:position])
            is_function = inside == 0 and "(" in head and not _TYPE_HEAD.search(head)
            first = line - head.lstrip().count("\n")
            stack.append((is_function, first, " ".join(head.split())))
            inside += is_function
            head_start = position + 1
        elif character == "}":
            if stack:
                is_function, first, head = stack.pop()
                inside -= is_function
                if is_function:
                    found.append((first, line, head))
            head_start = position + 1
        elif character == ";":
            head_start = position + 1
    return found


def _python_functions(text):
    """The same for Python, by indentation."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"( *)def (\w+)", line)
        if not match:
            continue
        last = number
        for following in range(number + 1, len(lines)):
            body = lines[following]
            if body.strip() and len(body) - len(body.lstrip()) <= len(match.group(1)) and \
                    not body.lstrip().startswith(")"):
                break
            last = following if body.strip() else last
        yield number + 1, last + 1, match.group(2)


def _check_functions(file):
    if file.is_cpp:
        found = functions(file.code)
    elif file.suffix == ".py" or "python3" in file.text.partition("\n")[0]:
        found = _python_functions(file.text)
    else:
        return
    for first, last, head in found:
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield file.problem(first, "function-length",
                               f"{last - first + 1} lines, at most {FUNCTION_LINES_MAX}; split it "
                               f"({head[:60]})")


def check(tree):
    problems = []
    for file in tree.files:
        if not (file.suffix in _SOURCE_SUFFIXES or file.is_script):
            continue
        if len(file.lines) > FILE_LINES_MAX:
            problems.append(file.problem(1, "file-length", f"{len(file.lines)} lines, at most "
                                         f"{FILE_LINES_MAX}; split it by concept"))
        stem = file.stem[:-len("_test")] if file.stem.endswith("_test") else file.stem
        if _BAD_STEM.search(stem):
            problems.append(file.problem(1, "file-name", f"'{file.name}' says nothing; name the "
                                         "concept that the file holds"))
        problems += _check_functions(file)
    for file in tree.headers:
        directive = re.search(r"^\s*(\S.*)", file.code, re.MULTILINE)
        if not directive or directive.group(1).strip() != "#pragma once":
            problems.append(file.problem(1, "pragma-once", "begin the header with #pragma once"))
    return problems
