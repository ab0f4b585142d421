# The tools of the table of last lines. Those that take longer are run by their own CTest through
# last_line; tests/run and what only people start is not run here, since nothing calls itself.
# shellcheck shell=bash disable=SC2154
bats_require_minimum_version 1.5.0

@test "all of them are there" {
  run -0 tests/interface/last_line --list
  ((${#lines[@]} >= 10))
  for tool in "${lines[@]}"; do
    [[ $tool != build/release/bin/* || -z ${BELL_BIN:-} ]] || tool=$BELL_BIN/${tool##*/}
    [[ -x $tool ]] || { echo "'$tool' is not there"; return 1; }
  done
}

@test "tidy and bell-sim end as the table says" {
  tests/interface/last_line tests/tidy/run
  tests/interface/last_line build/release/bin/bell-sim --seeds 1-3
}

@test "a tool that fails keeps its exit code" {
  run -2 --separate-stderr tests/interface/last_line tests/sim/run_mutants --none
}
