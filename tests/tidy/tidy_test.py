#!/usr/bin/env python3
"""Each rule of tests/tidy fires on a small bad tree, and only there."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
LAYERS = """
absl = absl/
rocksdb = rocksdb/
grpc = grpcpp/
proto = bellwether/
nlohmann-json = nlohmann/
everyone -> absl
base -> nlohmann-json
coord/raft -> base
coord/rpc -> base proto grpc
coord -> coord/* base
client -> base
client/recipes -> client
client/examples -> client client/recipes
tests/* -> *
no-json -> coord/raft
"""
# A tree without problems; each test adds or replaces files.
GOOD = {
    "README.md": "Checked by tests/run and tests/tidy.layers.\n",
    "tests/tidy.layers": LAYERS,
    "base/CMakeLists.txt": "bellwether_library(base)\n",
    "base/id.h": "#pragma once\n\n// A number.\nclass Id {};\n",
    "base/id.cc": '#include "base/id.h"\n\n#include <vector>\n',
    "coord/raft/CMakeLists.txt": "bellwether_library(coord_raft)\n",
    "coord/raft/log.cc": '#include "base/id.h"\n',
    "coord/raft/core.cc": '#include "absl/x.h"\n#include "base/id.h"\nint Step() { return 1; }\n',
}


def run_tidy(changes, is_clone_of_another=False, flags=()):
    """Runs tidy on GOOD with changes (None removes a file); returns (exit, output lines)."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **changes}.items():
            if text is not None:
                file = pathlib.Path(root, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        environment = dict(os.environ)
        if is_clone_of_another:
            subprocess.run(["git", "init", "--quiet", root], check=True)
            environment["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
        done = subprocess.run([sys.executable, str(HERE / "run"), "--root", root, *flags],
                              capture_output=True, text=True, check=False, env=environment)
        return done.returncode, (done.stdout + done.stderr).splitlines()


class TidyTest(unittest.TestCase):
    def assert_fires(self, rule, path, line, changes):
        status, output = run_tidy(changes)
        self.assertEqual(status, 1, output)
        problems = [text.split(": ")[:2] for text in output[:-1]]
        self.assertIn([f"{path}:{line}", rule], problems, output)
        self.assertEqual({found for _, found in problems}, {rule}, output)
        self.assertEqual(output[-1], f"tidy: FAILED problems={len(problems)}")

    def assert_silent(self, changes, is_clone_of_another=False):
        status, output = run_tidy(changes, is_clone_of_another)
        self.assertEqual(status, 0, output)
        self.assertRegex(output[-1], r"^tidy: OK files=\d+$")

    def test_good_tree(self):
        self.assert_silent({})

    def test_good_clone_that_belongs_to_another_user(self):
        self.assert_silent({}, is_clone_of_another=True)


class IncludesTest(TidyTest):
    def test_folder_to_the_left(self):
        self.assert_fires("layer", "base/id.cc", 2, {
            "base/id.cc": '#include "base/id.h"\n#include "coord/raft/core.h"\n',
            "coord/raft/core.h": "#pragma once\n", "coord/raft/core.cc": None})

    def test_library_not_listed(self):
        for include in ('"rocksdb/db.h"', "<rocksdb/db.h>", '"grpcpp/grpcpp.h"'):
            self.assert_fires("layer", "coord/raft/core.cc", 1,
                              {"coord/raft/core.cc": f"#include {include}\n#include \"base/id.h\"\n"})

    def test_json_only_in_cc_files_and_not_in_pure_folders(self):
        self.assert_fires("layer", "coord/raft/core.cc", 2, {
            "coord/raft/core.cc": '#include "base/id.h"\n#include "nlohmann/json.hpp"\n'})
        self.assert_silent({"client/CMakeLists.txt": "bellwether_library(client)\n",
                            "client/c.cc": '#include "base/id.h"\n#include "nlohmann/json.hpp"\n'})

    def test_whole_side(self):
        self.assert_silent({"coord/CMakeLists.txt": "bellwether_library(coord)\n",
                            "coord/raft/core.h": "#pragma once\n",
                            "coord/raft/core.cc": '#include "coord/raft/core.h"\n\n#include "base/id.h"\n',
                            "coord/server.cc": '#include "coord/raft/core.h"\n'})

    def test_folder_without_row(self):
        self.assert_fires("layer-unknown", "broker/x.cc", 1, {
            "broker/CMakeLists.txt": "bellwether_library(broker)\n",
            "broker/x.cc": '#include "base/id.h"\n'})

    def test_path_not_from_the_root(self):
        self.assert_fires("include-path", "coord/raft/core.cc", 1,
                          {"coord/raft/core.cc": '#include "id.h"\n#include "base/id.h"\n'})

    def test_grpc_header_in_a_header(self):
        self.assert_fires("grpc-header", "coord/rpc/s.h", 2, {
            "coord/rpc/CMakeLists.txt": "bellwether_library(coord_rpc)\n",
            "coord/rpc/s.h": '#pragma once\n#include "bellwether/x.grpc.pb.h"\n',
            "coord/rpc/s.cc": '#include "coord/rpc/s.h"\n#include "bellwether/x.grpc.pb.h"\n',
            "coord/rpc/t.cc": '#include "coord/rpc/s.h"\n'})

    def test_own_header_not_first(self):
        self.assert_fires("own-header-first", "base/id.cc", 1,
                          {"base/id.cc": '#include <vector>\n#include "base/id.h"\n'})


class BansTest(TidyTest):
    def assert_banned(self, rule, code):
        text = '#include "base/id.h"\nvoid F() { ' + code + "; }\n"
        self.assert_fires(rule, "coord/raft/core.cc", 2, {"coord/raft/core.cc": text})

    def test_calls(self):
        for rule, code in [
                ("clock", "auto t = std::chrono::steady_clock::now()"), ("clock", "absl::Now()"),
                ("random", "int x = rand()"), ("random", "std::random_device d"),
                ("thread", "std::thread t(F)"), ("sleep", "sleep(1)"), ("sleep", "usleep(1)"),
                ("sleep", "std::this_thread::sleep_for(d)"), ("fopen", 'fopen("x", "r")'),
                ("mutex", "absl::Mutex m"), ("mutex", "absl::Notification n"),
                ("mutex", "absl::BlockingCounter c(1)"), ("mutex", "std::mutex m"),
                ("clang-14", 'std::format("{}", 1)'), ("throw", "throw 1"), ("throw", 'std::stoi("1")'),
                ("assert", "assert(1)"), ("async-io", "options.async_io = true"),
                ("set-config", 'app.set_config("x")')]:
            with self.subTest(code=code):
                self.assert_banned(rule, code)

    def test_grpc_namespace(self):
        self.assert_fires("grpc-namespace", "coord/raft/core.cc", 2, {
            "coord/raft/core.cc": '#include "base/id.h"\nnamespace bellwether::grpc {}\n'})

    def test_home(self):
        self.assert_silent({"base/clock.cc": "auto Now() { return absl::Now(); }\n"})

    def test_names_in_comments_strings_and_other_words(self):
        self.assert_silent({"coord/raft/core.cc": '#include "base/id.h"\n'
                            "// Unlike absl::Now() and rand().\n/* throw */\n"
                            'auto text = "sleep(1)"; char quote = \'"\'; int ten = 10\'000;\n'
                            "static_assert(true); void F() { operand(1); }\n"
                            "void G() { throw CLI::ValidationError(1); }\n"})

    def test_unfinished(self):
        for word in ("TODO", "FIXME", "XXX", "HACK"):
            self.assert_fires("unfinished", "README.md", 2,
                              {"README.md": GOOD["README.md"] + f"{word}: more\n"})


class ShapeTest(TidyTest):
    def test_long_function(self):
        for lines, fires in ((98, False), (99, True)):  # and two for the signature and the brace
            code = GOOD["coord/raft/core.cc"] + "namespace a {\nint F(int x) {\n" + \
                "  if (x) { ++x; }\n" * lines + "}\n}\n"
            changes = {"coord/raft/core.cc": code}
            if fires:
                self.assert_fires("function-length", "coord/raft/core.cc", 5, changes)
            else:
                self.assert_silent(changes)

    def test_long_member_function(self):
        code = "#pragma once\n// C.\nclass C {\n public:\n  C() : x_(1) {\n" + "    ++x_;\n" * 100 + "  }\n};\n"
        self.assert_fires("function-length", "base/id.h", 5, {"base/id.h": code})

    def test_long_class_is_no_function(self):
        self.assert_silent({"base/id.h": "#pragma once\n// C.\nclass C {\n" + "  int F(int x);\n" * 200 + "};\n"})

    def test_long_python_function(self):
        code = "def f():\n" + "    pass\n" * 100 + "\n\ndef g():\n    pass\n"
        self.assert_fires("function-length", "tests/x.py", 1,
                          {"tests/x.py": code, "README.md": "tests/x.py tests/run\n"})

    def test_long_file(self):
        self.assert_fires("file-length", "coord/raft/core.cc", 1,
                          {"coord/raft/core.cc": GOOD["coord/raft/core.cc"] + "int a;\n" * 798})

    def test_file_names(self):
        for name in ("util", "raft_utils", "helpers", "common", "log_manager", "log_2", "core_new",
                     "helper_test"):
            self.assert_fires("file-name", f"base/{name}.cc", 1, {f"base/{name}.cc": "int a;\n"})

    def test_pragma_once(self):
        self.assert_fires("pragma-once", "base/id.h", 1, {"base/id.h": "// A.\nclass Id;\n"})


class CommentsTest(TidyTest):
    CLIENT = {"client/CMakeLists.txt": "bellwether_library(client)\n",
              "client/c.cc": '#include "client/c.h"\n',
              "client/examples/CMakeLists.txt": "bellwether_program(e SOURCES e.cc)\n",
              "client/examples/e.cc": '#include "client/c.h"\n'}

    def test_class(self):
        self.assert_fires("class-comment", "base/id.h", 3, {"base/id.h": "#pragma once\n\nclass Id {};\n"})

    def test_class_template_with_comment(self):
        self.assert_silent({"base/id.h": "#pragma once\n// I.\ntemplate <typename T>\nclass Id {};\n"})

    def test_public_function_and_field_of_the_client(self):
        header = ("#pragma once\n// C.\nclass C {\n public:\n  C();\n  // Gets.\n  int Get();\n\n"
                  "  int Put(int a,\n          int b);\n private:\n  int x_;\n};\n")
        self.assert_fires("public-comment", "client/c.h", 9, {**self.CLIENT, "client/c.h": header})
        header = "#pragma once\n// O.\nstruct O {\n  int wait = 1;\n};\n"
        self.assert_fires("public-comment", "client/c.h", 4, {**self.CLIENT, "client/c.h": header})

    def test_recipes_and_classes_inside_of_classes_are_public_too(self):
        header = ("#pragma once\n// R.\nclass R {\n public:\n  struct O {\n    int wait = 1;\n  };\n"
                  " private:\n  struct P {\n    int wait = 1;\n  };\n};\n")
        recipe = {"client/recipes/CMakeLists.txt": "bellwether_library(client_recipes)\n",
                  "client/recipes/r.h": header, "client/recipes/r.cc": '#include "client/recipes/r.h"\n',
                  "client/examples/CMakeLists.txt": "bellwether_program(e SOURCES e.cc)\n",
                  "client/examples/e.cc": '#include "client/recipes/r.h"\n'}
        self.assert_fires("public-comment", "client/recipes/r.h", 6, recipe)
        self.assert_silent({**recipe, "client/recipes/r.h": header.replace("wait = 1;", "wait = 1;  // s", 1)})

    def test_described_members_of_the_client(self):
        header = ("#pragma once\n// O.\nstruct O {\n  int wait = 1;  // ms\n  std::string path;\n"
                  "  Stat stat;\n  // First and last.\n  int first = 1;\n  int last = 2;\n};\n")
        self.assert_silent({**self.CLIENT, "client/c.h": header})

    def test_inner_headers_of_the_client_may_be_brief(self):
        header = "#pragma once\n// O.\nstruct O {\n  int wait = 1;\n};\n"
        self.assert_silent({**self.CLIENT, "client/c.h": header, "client/examples/e.cc": "int a;\n",
                            "client/d.cc": '#include "client/c.h"\n'})

    def test_proto(self):
        good = ("package bellwether.x;\n// M.\nmessage M {\n  // Bytes.\n  int32 a = 1;\n"
                "  repeated X b = 2;  // Some.\n}\n// E.\nenum E {\n  // None.\n  E_NONE = 0;\n}\n")
        self.assert_silent({"proto/x.proto": good})
        for line in ("// M.\n", "  // Bytes.\n", "  // None.\n", "// E.\n"):
            bad = good.replace(line, "", 1)
            at = good[:good.index(line)].count("\n") + 1
            self.assert_fires("proto-comment", "proto/x.proto", at, {"proto/x.proto": bad})


class CitationsTest(TidyTest):
    def report(self, changes):
        status, output = run_tidy(changes, flags=("--rules", "Z"))
        return status, output[:-1], output[-1]

    def test_rules_that_tests_cite(self):
        status, lines, last = self.report({
            "tests/unit/a_test.cc": "// Z1, Z12 and Z12 again\n", "tests/x.py": '"""Z60"""\n',
            "tests/differential/run": "#!/usr/bin/env python3\n# Z2\n",
            "tests/README.md": "Z3\n", "tests/tidy/tidy_test.py": "# Z4\n",
            "coord/raft/log.cc": "// Z5\n", "tests/y.py": "# XZ6 Z7x K8 z9\n"})
        self.assertEqual((status, last), (0, "rules: Z=4/60"))
        self.assertEqual(lines, [f"Z{number}: no test cites it" for number in range(1, 61)
                                 if number not in (1, 2, 12, 60)])

    def test_rule_that_is_none(self):
        status, lines, last = self.report({"tests/unit/a_test.cc": "\n// Z61\n"})
        self.assertEqual((status, last), (1, "rules: Z=0/60"))
        self.assertEqual(lines[-1], "tests/unit/a_test.cc:2: rule: there is no Z61")


class ReferencesTest(TidyTest):
    def test_header_never_included(self):
        self.assert_fires("dead-file", "base/dead.h", 1, {"base/dead.h": "#pragma once\n"})

    def test_header_used_by_its_own_source_and_unit_test_only(self):
        dead = {"base/dead.h": "#pragma once\n", "base/dead.cc": '#include "base/dead.h"\n',
                "tests/CMakeLists.txt": "bellwether_test(base DEPS base)\n",
                "tests/unit/base/dead_test.cc": '#include "base/dead.h"\n'}
        self.assert_fires("dead-file", "base/dead.h", 1, dead)
        self.assert_silent({**dead, "coord/raft/log.cc": '#include "base/dead.h"\n#include "base/id.h"\n'})

    def test_header_for_unit_tests(self):
        self.assert_silent({"tests/CMakeLists.txt": "bellwether_test(base DEPS base)\n",
                            "tests/unit/base/fake.h": "#pragma once\n",
                            "tests/unit/base/id_test.cc": '#include "base/id.h"\n#include "tests/unit/base/fake.h"\n'})

    def test_source_not_built(self):
        self.assert_fires("dead-file", "coord/x.cc", 1, {"coord/x.cc": "int a;\n"})
        self.assert_fires("dead-file", "tests/unit/coord/x_test.cc", 1, {
            "tests/CMakeLists.txt": "bellwether_test(coord/raft DEPS x)\n",
            "tests/unit/coord/x_test.cc": "int a;\n"})

    def test_built_sources(self):
        self.assert_silent({"tests/CMakeLists.txt": "bellwether_test(coord/raft DEPS x)\n",
                            "tests/unit/coord/raft/x_test.cc": "int a;\n",
                            "coord/CMakeLists.txt": "bellwether_program(p SOURCES main.cc)\n",
                            "coord/main.cc": "int a;\n"})

    def test_script_never_referenced(self):
        self.assert_fires("dead-file", "deploy/old", 1, {"deploy/old": "#!/bin/sh\n"})
        self.assert_silent({"deploy/old": "#!/bin/sh\n", "README.md": "Run deploy/old.\n"})

    def test_rule_without_definition(self):
        source = {"coord/raft/core.cc": GOOD["coord/raft/core.cc"] + "// As Z12 and R7 say, Z1.\n"}
        rules = {"coord/tree/README.md": "- Z12: order of events\n- Z1: x\n"}
        self.assert_fires("rule", "coord/raft/core.cc", 4, {**source, **rules})
        self.assert_silent({**source, **rules, "tests/sim/README.md": "| R7 | leases |\n"})

    def test_rpc_without_handler(self):
        proto = "package bellwether.coord.v1;\n// S.\nservice S {\n  // Gets.\n  rpc Get(A) returns (B);\n}\n"
        self.assert_fires("rpc-handler", "proto/s.proto", 5, {"proto/s.proto": proto})
        self.assert_silent({"proto/s.proto": proto,
                            "coord/rpc/CMakeLists.txt": "bellwether_library(coord_rpc)\n",
                            "coord/rpc/s.cc": "void RequestGet() {}\n"})


if __name__ == "__main__":
    unittest.main()
