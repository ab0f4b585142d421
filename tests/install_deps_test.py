#!/usr/bin/env python3
"""deploy/install-deps against a fake package system: what it asks for, and what it says."""

import dataclasses
import pathlib
import subprocess
import tempfile
import unittest

INSTALL_DEPS = pathlib.Path(__file__).resolve().parents[1] / "deploy/install-deps"
OS_RELEASE = "/etc/os-release"
POLICY = "/usr/sbin/policy-rc.d"
DEBIAN_12 = 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n'
# apt-get asks policy-rc.d as packages do before they start a service: 101 forbids it.
FAKES = {
    "dpkg-query": 'for package; do :; done\ncase " $MISSING " in *" $package "*) exit 1 ;; esac\n'
                  "echo -n installed\n",
    "apt-get": '"$POLICY" 2>/dev/null\necho "$?" >>"$ANSWERS"\n'
               'echo "apt-get $*" >>"$LOG"; [ "$1" != "$BROKEN" ]\n',
    "id": 'echo "$FAKE_UID"\n',
    "sudo": 'echo "sudo $*" >>"$LOG"; shift; exec "$@"\n',
}


@dataclasses.dataclass
class Run:
    status: int
    output: str
    error: str
    commands: list  # of apt-get and sudo, in order
    answers: list   # of policy-rc.d to each apt-get, its exit codes
    policy: str     # what is in policy-rc.d afterwards; None: not there


def install(arguments=(), missing="", broken="", uid="0", without=(), os_release=DEBIAN_12,
            policy=None):
    """Runs install-deps, its two files of the system replaced, `without` some of the commands."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: pathlib.Path(folder, name)
                 for name in ("log", "answers", "os-release", "policy-rc.d", "install-deps")}
        files["log"].touch()
        files["answers"].touch()
        files["os-release"].write_text(os_release)
        if policy is not None:
            files["policy-rc.d"].write_text(policy)
            files["policy-rc.d"].chmod(0o755)
        script = INSTALL_DEPS.read_text()
        assert OS_RELEASE in script and POLICY in script
        files["install-deps"].write_text(script.replace(OS_RELEASE, str(files["os-release"]))
                                         .replace(POLICY, str(files["policy-rc.d"])))
        for name, body in FAKES.items():
            if name not in without:
                fake = pathlib.Path(folder, name)
                fake.write_text("#!/bin/sh\n" + body)
                fake.chmod(0o755)
        for name in ("env", "bash", "sh", "rm", "chmod"):
            pathlib.Path(folder, name).symlink_to(f"/bin/{name}")
        done = subprocess.run(
            ["/bin/bash", str(files["install-deps"]), *arguments], capture_output=True, text=True,
            check=False,
            env={"PATH": folder, "LOG": str(files["log"]), "ANSWERS": str(files["answers"]),
                 "POLICY": str(files["policy-rc.d"]), "MISSING": missing, "BROKEN": broken,
                 "FAKE_UID": uid})
        after = files["policy-rc.d"]
        return Run(done.returncode, done.stdout, done.stderr, files["log"].read_text().splitlines(),
                   files["answers"].read_text().split(), after.read_text() if after.exists() else None)


class MissingPackagesTest(unittest.TestCase):
    def test_installs_only_what_is_missing_and_nothing_recommended(self):
        run = install(["test"], missing="bats jq")
        self.assertEqual((run.status, run.commands), (0, [
            "apt-get update -qq",
            "apt-get install -qq -y --no-install-recommends bats jq"]))

    def test_building_asks_for_git_which_knows_the_version(self):
        commands = install(["build"], missing="git bats").commands
        self.assertEqual(commands[-1], "apt-get install -qq -y --no-install-recommends git")

    def test_names_what_could_not_be_installed(self):
        run = install(["test"], missing="bats", broken="install")
        self.assertEqual(run.status, 1)
        self.assertIn("could not install bats", run.error)

    def test_says_what_to_do_without_network(self):
        run = install(["test"], missing="bats", broken="update")
        self.assertEqual((run.status, len(run.commands)), (1, 1))
        self.assertIn("check the network", run.error)

    def test_uses_sudo_when_not_root(self):
        run = install(["test"], missing="bats", uid="1000")
        self.assertEqual(run.status, 0)
        self.assertTrue(any(line.startswith("sudo -n env ") for line in run.commands), run.commands)

    def test_names_the_command_when_neither_root_nor_sudo(self):
        run = install(["test"], missing="bats", uid="1000", without=["sudo"])
        self.assertEqual((run.status, run.commands), (1, []))
        self.assertIn("apt-get install --no-install-recommends bats", run.error)


class ServicesTest(unittest.TestCase):
    def test_none_is_started_by_what_is_installed(self):
        for uid in ("0", "1000"):
            run = install(["test"], missing="bats", uid=uid)
            self.assertEqual((run.status, run.answers), (0, ["101", "101"]))
            self.assertIsNone(run.policy)

    def test_may_be_started_again_after_a_failure(self):
        for broken in ("update", "install"):
            run = install(["test"], missing="bats", broken=broken)
            self.assertEqual((run.status, run.policy), (1, None))

    def test_a_policy_of_the_system_stays(self):
        policy = "#!/bin/sh\nexit 104\n"
        run = install(["test"], missing="bats", policy=policy)
        self.assertEqual((run.answers, run.policy), (["104", "104"], policy))


class OtherSystemTest(unittest.TestCase):
    def test_names_the_system_and_all_packages(self):
        for os_release, name in (("ID=fedora\nVERSION_ID=40\n", "fedora 40"),
                                 ('ID=debian\nVERSION_ID="11"\n', "debian 11"), ("", "unknown")):
            for without in ([], ["dpkg-query", "apt-get"]):
                run = install(["test"], missing="bats", os_release=os_release, without=without)
                self.assertEqual((run.status, run.output, run.commands), (1, "", []))
                self.assertIn(f"this is {name}", run.error)
                self.assertIn("not Debian 12", run.error)
                self.assertRegex(run.error, r" g\+\+ .* librocksdb-dev .* bats ")

    def test_with_all_packages_is_as_good(self):
        self.assertEqual(install(["test"], os_release="ID=ubuntu\nVERSION_ID=24.04\n").status, 0)


class NothingMissingTest(unittest.TestCase):
    def test_is_silent_and_offline(self):
        for name in ([], ["build"], ["test"], ["bench"]):
            self.assertEqual(install(name), Run(0, "", "", [], [], None))

    def test_each_list_includes_the_one_before(self):
        self.assertEqual(install(["build"], missing="bats").commands, [])
        for name in ("test", "bench"):
            self.assertIn("apt-get install -qq -y --no-install-recommends g++ bats",
                          install([name], missing="g++ bats").commands)

    def test_refuses_other_words(self):
        run = install(["everything"])
        self.assertEqual(run.status, 2)
        self.assertIn("'everything' is not one of build, test, bench", run.error)


if __name__ == "__main__":
    unittest.main()
