"""Calls and words with one home, or none."""

import re

# (rule, pattern, files and folders where it is at home, what to do instead)
_CALLS = [
    ("clock", r"\b(?:steady|system|high_resolution)_clock::now|absl::Now\b|\bgettimeofday\b"
     r"|\bclock_gettime\b|absl::GetCurrentTimeNanos", ["base/clock.cc"],
     "take a base::Clock"),
    ("random", r"\brandom_device\b|\bs?rand\s*\(|\bmt19937|absl::BitGen|\bgetrandom\b",
     ["base/random.cc"], "take a base::Random, or base::SystemRandom() for a seed"),
    ("thread", r"std::j?thread\b|\bpthread_create\b|std::async\b", ["base/thread.h", "base/thread.cc"],
     "use base::Thread or an Executor"),
    ("sleep", r"\b(?:u|nano)?sleep\s*\(|\bsleep_(?:for|until)\b|absl::SleepFor",
     ["base/pacer.cc", "tests/support/", "tests/integration/"],
     "wait for a condition, or use Executor::RunAfter"),
    ("fopen", r"\bf(?:re)?open\s*\(", [], "use base/file.h"),
    ("mutex", r"absl::(?:Mutex|MutexLock|CondVar|Notification|BlockingCounter)\b"
     r"|std::(?:recursive_|timed_|shared_)?mutex\b|std::condition_variable"
     r"|std::(?:lock_guard|unique_lock|shared_lock|scoped_lock)\b", ["base/mutex.h"],
     "use base::Mutex, MutexLock and CondVar (ThreadSanitizer and clang see through them)"),
    ("clang-14", r"std::(?:ranges::)?views\b|std::format\b|std::expected\b|\bsource_location\b"
     r"|asio::awaitable", [], "clang 14 or g++ 12 can't compile this; use what both have"),
    # CLI11's callbacks have no other way to report a bad value than its own exceptions.
    ("throw", r"\bthrow\b(?!\s+CLI::)|std::sto(?:i|l|ll|ul|ull|f|d)\b", ["tests/"],
     "return absl::Status; no exception crosses our code"),
    ("assert", r"\bassert\s*\(", [], "use CHECK, which stays in release builds"),
    ("async-io", r"\basync_io\b", [], "never set RocksDB's async_io"),
    ("set-config", r"[.>]set_config\s*\(", [], "read TOML with base/options; CLI11's reader is wrong"),
    ("grpc-namespace", r"\bnamespace\s+(?:\w+::)*grpc\b", [],
     "a nested namespace grpc shadows ::grpc; call it rpc"),
]
_COMPILED = [(rule, re.compile(pattern), homes, advice) for rule, pattern, homes, advice in _CALLS]
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_NAMES_THEM = ("tests/tidy/", "tests/README.md")


def _at_home(path, homes):
    return any(path == home or (home.endswith("/") and path.startswith(home)) for home in homes)


def check(tree):
    problems = []
    for file in tree.cpp:
        for rule, pattern, homes, advice in _COMPILED:
            if _at_home(file.path, homes):
                continue
            for match in pattern.finditer(file.code):
                problems.append(file.problem(file.line_of(match.start()), rule,
                                             f"'{match.group().strip()}': {advice}"))
    for file in tree.files:
        if file.path.startswith(_NAMES_THEM):
            continue
        for match in _UNFINISHED.finditer(file.text):
            problems.append(file.problem(file.line_of(match.start()), "unfinished",
                                         f"finish it or drop the '{match.group()}'"))
    return problems
