# `bell session`: who has a session, and ending one.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 3 0; }
teardown_file() { stop_cluster; }

# hold PATH: an ephemeral znode of a session in the background; its process id in `holder`, its
# session's id in `session`.
hold() {
  bell znode create "$1" -e --for 60s >"$BATS_TEST_TMPDIR/made" 3>&- &
  holder=$!
  until [[ -s $BATS_TEST_TMPDIR/made ]]; do
    kill -0 "$holder"
    sleep 0.02
  done
  session=$(bell znode stat "$1" -o json | jq -r .stat.ephemeral_owner)
}

@test "list prints the documented JSON" {
  hold /listed
  run -0 bell session list -o json
  check_json '(keys == ["asked", "sessions", "zxid"]) and .zxid > 0 and (.asked | length) == 1'
  check_json ".sessions | map(select(.id == \"$session\")) | length == 1 and (.[0] |
    .timeout_ms == 10000 and .generation == 1 and .ephemerals == 1 and (.opened_by | . >= 1 and . <= 3)
    and has(\"server_id\") and has(\"address\") and has(\"idle_ms\") and length == 8)"
  kill "$holder"
  wait "$holder"
}

@test "list --all says where each client is and how long it was silent" {
  hold /everywhere
  run -0 bell session list --all -o json
  check_json '.asked == [1, 2, 3]'
  check_json ".sessions[] | select(.id == \"$session\") | .server_id == .opened_by
    and (.address | contains(\"127.0.0.1:\")) and .idle_ms >= 0 and .idle_ms < 10000"
  run -0 bell session list --all
  [[ ${lines[0]} == SESSION*TIMEOUT*EPHEMERALS*CLIENT*IDLE && $output == *"$session"* ]]
  kill "$holder"
  wait "$holder"
}

@test "close ends the session with its ephemerals, and its client hears of it" {
  hold /closed
  run -0 bell session close "$session" -o json
  check_json ".id == \"$session\" and .zxid > 0 and (keys | length) == 2"
  run --separate-stderr bell znode get /closed -o json
  check_error 3 not_found
  local code=0
  wait "$holder" || code=$?
  [[ $code == 4 ]]
  run -0 bell session list -o json
  check_json ".sessions | map(select(.id == \"$session\")) | length == 0"
}

@test "close of a session that is not there is exit 3, of none exit 2" {
  run --separate-stderr bell session close 0x100000000000ffff -o json
  check_error 3 not_found
  for bad in 17 0x 0x0 0xgg 0x1ffffffffffffffff; do
    run --separate-stderr bell session close $bad -o json
    check_error 2 invalid_argument
  done
  run -0 bell session close --help
}
