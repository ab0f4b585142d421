# `bell lock`.
# shellcheck shell=bash disable=SC2154,SC2016
load cluster
setup_file() { start_cluster 1 0; }
teardown_file() { stop_cluster; }

@test "runs the command with a token and exits with its code" {
  run -7 bell lock /locks/a -- sh -c 'echo "$BELL_LOCK_TOKEN"; exit 7'
  first=$output
  ((first > 0))
  run -0 bell lock /locks/a -- sh -c 'echo "$BELL_LOCK_TOKEN"'
  ((output > first))
  run -0 bell znode ls /locks/a
  [[ -z $output ]]
}

@test "one holder at a time; --timeout bounds the wait" {
  bell lock /locks/b -- sh -c 'echo held; read -r _ <"$0"' "$(mkfifo "$BATS_TEST_TMPDIR/go" &&
    echo "$BATS_TEST_TMPDIR/go")" >"$BATS_TEST_TMPDIR/holder" &
  until [[ -s $BATS_TEST_TMPDIR/holder ]]; do sleep 0.05; done
  run --separate-stderr bell lock /locks/b --timeout 300ms -o json -- echo not reached
  check_error 5 deadline_exceeded
  echo >"$BATS_TEST_TMPDIR/go"
  wait $!
  run -0 bell lock /locks/b -- echo reached
  [[ $output == reached ]]
}

@test "when the lock is lost the command gets SIGTERM and the exit code is 4" {
  bell lock /locks/c -- sh -c 'trap "echo stopped; exit 9" TERM; echo started; sleep 30 & wait' \
    >"$BATS_TEST_TMPDIR/out" 2>/dev/null 3>&- &
  until grep -q started "$BATS_TEST_TMPDIR/out"; do sleep 0.05; done
  bell znode delete "/locks/c/$(bell znode ls /locks/c)"
  code=0
  wait $! || code=$?
  [[ $code == 4 ]]
  grep -q stopped "$BATS_TEST_TMPDIR/out"
}

@test "a command that can't be started is named, and the lock is free again" {
  run --separate-stderr -1 bell lock /locks/d -- /no/such/program
  [[ $stderr == *"/no/such/program"* ]]
  run -0 bell lock /locks/d --timeout 2s -- true
}
