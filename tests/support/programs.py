"""Where the built programs are, for tools that people start by hand, too. From shell:

    programs=$(python3 tests/support/programs.py TARGET...)

builds the targets and prints the folder that they are in.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build/release"
PROGRAMS = pathlib.Path(os.environ.get("BELL_BIN", BUILD / "bin")).resolve()


def build_programs(*targets):
    """Installs what is missing and builds, unless BELL_BIN names the programs; quick when they are
    there. Ends this process when that fails."""
    if "BELL_BIN" in os.environ:
        return
    steps = [
        [ROOT / "deploy/install-deps", "bench"],
        # Also when it is configured already: deploy/quickstart leaves the tests' programs out.
        ["cmake", "--preset", "release", "-DBUILD_TESTING=ON"],
        ["cmake", "--build", BUILD, "--target", *targets],
    ]
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}error: `{' '.join(map(str, step))}` exited {done.returncode}")


if __name__ == "__main__":
    build_programs(*sys.argv[1:])
    print(PROGRAMS)
