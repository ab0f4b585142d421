"""Every example program of client/examples does what it says against a cluster, twice."""

import pathlib
import subprocess

from cluster import BIN, Cluster, check


def main():
    with Cluster(coords=3, brokers=1) as cluster:
        examples = sorted(BIN.glob("example_*"))
        sources = {f"example_{source.stem}" for source in pathlib.Path("client/examples").glob("*.cc")}
        check(sources and sources <= {program.name for program in examples}, f"not built: of {sources}")
        for program in examples * 2:
            done = subprocess.run([program], env=cluster.environment, capture_output=True, text=True,
                                  check=False, stdin=subprocess.DEVNULL, timeout=30)
            check(done.returncode == 0 and done.stdout,
                  f"{program.name} exited {done.returncode}: {done.stdout}{done.stderr}")
            print(f"== {program.name}\n{done.stdout}", end="")


if __name__ == "__main__":
    main()
