"""Which rules of ZooKeeper's or Kafka's behaviour, or of reliability, the tests cite by number."""

import re

COUNTS = {"Z": 60}  # how many rules there are of each kind


def _is_test(file):
    """What runs, not what describes it."""
    return file.is_test and not file.path.startswith("tests/tidy/") and \
        (file.is_cpp or file.is_script) and file.suffix != ".md"


def report(tree, kind):
    """(lines that name the rules without a test, how many have one, citations of none)."""
    cited = {}
    for file in filter(_is_test, tree.files):
        for number, line in enumerate(file.lines, start=1):
            for digits in re.findall(rf"\b{kind}([1-9]\d*)\b", line):
                cited.setdefault(int(digits), f"{file.path}:{number}")
    known = range(1, COUNTS[kind] + 1)
    lines = [f"{kind}{number}: no test cites it" for number in known if number not in cited]
    unknown = [f"{where}: rule: there is no {kind}{number}"
               for number, where in sorted(cited.items()) if number not in known]
    return lines, len(known) - len(lines), unknown
