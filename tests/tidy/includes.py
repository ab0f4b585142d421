"""Who may include whom: tests/tidy.layers, generated gRPC headers, the order of own headers."""

import re

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_GRPC_FOLDERS = ("rpc", "peer", "client")


class Layers:
    """The table of tests/tidy.layers."""

    def __init__(self, text):
        self.prefixes = {}  # library -> beginnings of its header paths
        self.rows = {}  # folder -> names it may include
        for line in text.splitlines():
            line = line.partition("#")[0].strip()
            if "->" in line:
                folder, _, names = line.partition("->")
                self.rows[folder.strip()] = names.split()
            elif "=" in line:
                library, _, prefixes = line.partition("=")
                self.prefixes[library.strip()] = prefixes.split()
        self.everyone = self.rows.pop("everyone", [])
        self.no_json = self.rows.pop("no-json", [])

    def row_of(self, folder):
        """The names that a folder may include, or None when the table has no row for it."""
        if folder in self.rows:
            return self.rows[folder]
        for pattern, names in self.rows.items():
            if pattern.endswith("/*") and (folder + "/").startswith(pattern[:-1]):
                return names
        return None

    def libraries_of(self, header):
        return [library for library, prefixes in self.prefixes.items()
                if any(header.startswith(prefix) for prefix in prefixes)]

    def allows(self, file, names, targets):
        """Whether one of the names a header goes by (a folder or libraries) is allowed."""
        for target in targets:
            if target in names or target in self.everyone or "*" in names:
                return True
            if any(name.endswith("/*") and target.startswith(name[:-1]) for name in names):
                return True
            if target == "nlohmann-json" and file.suffix == ".cc" and \
                    file.folder not in self.no_json:
                return True
        return False


def _check_include(tree, layers, file, line, quoted, header):
    libraries = layers.libraries_of(header)
    if header.endswith(".grpc.pb.h") and not (
            file.suffix == ".cc" and
            (file.is_test or file.folder.split("/")[-1] in _GRPC_FOLDERS)):
        return file.problem(line, "grpc-header", "include *.grpc.pb.h only in .cc files of rpc, "
                            "peer and client (it costs 3 s each time)")
    if libraries:
        targets = libraries
    elif quoted:
        if header not in tree.by_path:
            return file.problem(line, "include-path",
                                f"'{header}' is no file of the repository and no library of "
                                "tests/tidy.layers; write the path from the root")
        targets = [header.rpartition("/")[0]]
        if targets == [file.folder]:
            return None
    else:
        return None  # the C++ or C library, or the system
    names = layers.row_of(file.folder)
    if names is None:
        return file.problem(1, "layer-unknown",
                            f"give folder '{file.folder}' a row in tests/tidy.layers")
    if layers.allows(file, names, targets):
        return None
    return file.problem(line, "layer", f"'{file.folder}' may not include '{header}' "
                        f"(it may: {' '.join(names + layers.everyone)})")


def _check_own_header_first(tree, file, headers):
    own = file.path[:-len(".cc")] + ".h"
    if file.suffix != ".cc" or own not in tree.by_path or not headers:
        return []
    line, first = headers[0]
    if first == own:
        return []
    return [file.problem(line, "own-header-first", f'include "{own}" before everything else')]


def check(tree):
    table = tree.by_path.get("tests/tidy.layers")
    layers = Layers(table.text if table else "")
    problems = []
    for file in tree.cpp:
        headers = []
        for match in _INCLUDE.finditer(file.text):
            line = file.line_of(match.start(1))
            headers.append((line, match.group(2)))
            problem = _check_include(tree, layers, file, line, match.group(1) == '"',
                                     match.group(2))
            if problem:
                problems.append(problem)
        problems += _check_own_header_first(tree, file, headers)
    return problems
