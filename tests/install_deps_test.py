#!/usr/bin/env python3
"""deploy/install-deps against a fake package system: what it asks for, and what it says."""

import pathlib
import subprocess
import tempfile
import unittest

INSTALL_DEPS = pathlib.Path(__file__).resolve().parents[1] / "deploy/install-deps"
FAKES = {
    "dpkg-query": 'for package; do :; done\ncase " $MISSING " in *" $package "*) exit 1 ;; esac\n'
                  "echo -n installed\n",
    "apt-get": 'echo "apt-get $*" >>"$LOG"; [ "$1" != "$BROKEN" ]\n',
    "id": 'echo "$FAKE_UID"\n',
    "sh": ":\n",  # would write policy-rc.d
    "rm": ":\n",  # would remove it
    "sudo": 'echo "sudo $*" >>"$LOG"; shift; exec "$@"\n',
}


def install(arguments=(), missing="", broken="", uid="0", sudo=True):
    """Runs install-deps; returns (exit, stdout, stderr, commands it ran)."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        log.touch()
        for name, body in FAKES.items():
            if name != "sudo" or sudo:
                fake = pathlib.Path(folder, name)
                fake.write_text("#!/bin/sh\n" + body)
                fake.chmod(0o755)
        for name in ("env", "bash"):
            pathlib.Path(folder, name).symlink_to(f"/bin/{name}")
        done = subprocess.run(
            ["/bin/bash", str(INSTALL_DEPS), *arguments], capture_output=True, text=True, check=False,
            env={"PATH": folder, "LOG": str(log), "MISSING": missing, "BROKEN": broken,
                 "FAKE_UID": uid})
        return done.returncode, done.stdout, done.stderr, log.read_text().splitlines()


class MissingPackagesTest(unittest.TestCase):
    def test_installs_only_what_is_missing_and_nothing_recommended(self):
        status, _, _, ran = install(["test"], missing="bats jq")
        self.assertEqual((status, ran), (0, [
            "apt-get update -qq",
            "apt-get install -qq -y --no-install-recommends bats jq"]))

    def test_names_what_could_not_be_installed(self):
        status, _, error, _ = install(["test"], missing="bats", broken="install")
        self.assertEqual(status, 1)
        self.assertIn("could not install bats", error)

    def test_says_what_to_do_without_network(self):
        status, _, error, ran = install(["test"], missing="bats", broken="update")
        self.assertEqual((status, len(ran)), (1, 1))
        self.assertIn("check the network", error)

    def test_uses_sudo_when_not_root(self):
        status, _, _, ran = install(["test"], missing="bats", uid="1000")
        self.assertEqual(status, 0)
        self.assertTrue(any(line.startswith("sudo -n env ") for line in ran), ran)

    def test_names_the_command_when_neither_root_nor_sudo(self):
        status, _, error, ran = install(["test"], missing="bats", uid="1000", sudo=False)
        self.assertEqual((status, ran), (1, []))
        self.assertIn("apt-get install --no-install-recommends bats", error)


class NothingMissingTest(unittest.TestCase):
    def test_is_silent_and_offline(self):
        for name in ([], ["build"], ["test"], ["bench"]):
            self.assertEqual(install(name), (0, "", "", []))

    def test_each_list_includes_the_one_before(self):
        self.assertEqual(install(["build"], missing="bats libbenchmark-dev")[3], [])
        self.assertEqual(install(["test"], missing="libbenchmark-dev")[3], [])

    def test_refuses_other_words(self):
        status, _, error, _ = install(["everything"])
        self.assertEqual(status, 2)
        self.assertIn("'everything' is not one of build, test, bench", error)


if __name__ == "__main__":
    unittest.main()
