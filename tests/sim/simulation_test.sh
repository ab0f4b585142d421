#!/usr/bin/env bash
# simulation_test.sh seeds FIRST LAST JOBS: bell-sim on these seeds and on those of regressions.txt.
# simulation_test.sh repeatable SHARED SEED...: the trace of each seed is the same, byte for byte, in
# two runs, and after another seed in the same process; and those of the seeds SHARED (FIRST-LAST) do
# not depend on how they are shared by processes.
set -euo pipefail
sim=${BELL_BIN:?}/bell-sim
here=$(dirname "$0")

seeds() {
  local seed
  while read -r seed; do
    case $seed in '' | '#'*) continue ;; esac
    "$sim" --seeds "${seed%% *}"
  done < "$here/regressions.txt"
  "$sim" --seeds "$1-$2" --jobs "$3"
}

# Of that seed alone, or (with a second argument) of the first and the second seed.
trace() { "$sim" --seeds "$1-${2:-$1}" --trace | sed -n "/ options: seed=${2:-$1} /,/^seed ${2:-$1}: /p"; }

repeatable() {
  local shared=$1 seed first
  shift
  for seed in "$@"; do
    first=$(trace "$seed" | sha256sum)
    if [[ $first != $(trace "$seed" | sha256sum) ]]; then
      echo "seed $seed: two runs have different traces"
      return 1
    fi
    if [[ $first != $(trace $((seed - 1)) "$seed" | sha256sum) ]]; then
      echo "seed $seed: its trace depends on what ran before it"
      return 1
    fi
  done
  if [[ $("$sim" --seeds "$shared" | grep '^traces:') != $("$sim" --seeds "$shared" --jobs 3 | grep '^traces:') ]]; then
    echo "traces depend on which seeds share a process"
    return 1
  fi
}

"$@"
