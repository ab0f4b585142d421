# `bell znode`: every form of the interface sheet.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 0; }
teardown_file() { stop_cluster; }

@test "create, get, set, stat and delete print the documented JSON" {
  run -0 bell znode create /json hello -o json
  check_json '.path == "/json" and .zxid > 0 and (keys | length) == 2'
  run -0 bell znode get /json -o json
  check_json '.path == "/json" and .value == "hello" and .value_base64 == null and .zxid > 0'
  check_json '.stat | .version == 0 and .data_length == 5 and .ephemeral_owner == "0x0"
    and .czxid == .mzxid and .num_children == 0 and (keys | length) == 11'
  run -0 bell znode set /json other -o json
  check_json '.path == "/json" and .stat.version == 1 and .stat.mzxid == .zxid'
  run -0 bell znode stat /json -o json
  check_json '.path == "/json" and .stat.version == 1'
  run -0 bell znode delete /json -o json
  check_json '.path == "/json" and .deleted == 1'
}

@test "get writes the exact bytes, and bytes that are no text come as base64" {
  printf '\377\000\n' >"$BATS_TEST_TMPDIR/bytes"
  bell znode create /bytes -f "$BATS_TEST_TMPDIR/bytes"
  bell znode get /bytes | cmp - "$BATS_TEST_TMPDIR/bytes"
  run -0 bell znode get /bytes -o json
  check_json '.value == null and .value_base64 == "/wAK"'
  bell znode set /bytes -f - <"$BATS_TEST_TMPDIR/bytes"
  bell znode create /null
  run -0 bell znode get /null -o json
  check_json '.value == null and .value_base64 == null'
}

@test "ls sorts by bytes; -R gives full paths with the root" {
  bell znode create /tree
  for name in b a-b a a/x; do bell znode create "/tree/$name"; done
  run -0 bell znode ls /tree
  [[ $output == $'a\na-b\nb' ]]
  run -0 bell znode ls /tree -R
  [[ $output == $'/tree\n/tree/a\n/tree/a-b\n/tree/a/x\n/tree/b' ]]
  run -0 bell znode ls /tree -o json
  check_json '.children == ["a", "a-b", "b"] and .stat.num_children == 3'
  run -0 bell znode ls /tree -R -o json
  check_json '(.paths | length) == 5 and (keys == ["path", "paths", "zxid"])'
  run -0 bell znode delete /tree -r -o json
  check_json '.deleted == 5'
}

@test "versions are checked, and a missing znode is made only when told" {
  run --separate-stderr bell znode set /versioned x -o json
  check_error 3 not_found
  run -0 bell znode set /versioned x --create
  run -0 bell znode set /versioned y --version 0
  [[ $output == 1 ]]
  run --separate-stderr bell znode set /versioned z --version 0 -o json
  check_error 4 failed_precondition
  run --separate-stderr bell znode delete /versioned --version 7 -o json
  check_error 4 failed_precondition
  run --separate-stderr bell znode create /versioned -o json
  check_error 4 already_exists
}

@test "a sequential znode gets ten digits; an ephemeral one lives as long as its command" {
  bell znode create /line
  run -0 bell znode create /line/n- -s
  [[ $output == /line/n-0000000000 ]]
  run -0 bell znode create /short -e --for 100ms
  run --separate-stderr bell znode get /short -o json
  check_error 3 not_found
  bell znode create /held -e >"$BATS_TEST_TMPDIR/held" &
  until [[ -s $BATS_TEST_TMPDIR/held ]]; do sleep 0.05; done
  run -0 bell znode stat /held -o json
  check_json '.stat.ephemeral_owner != "0x0"'
  kill -TERM $!
  wait $!
  run -3 bell znode stat /held
}

@test "watch prints armed, then each change, and resumes from a zxid" {
  run -0 bell znode create /w 0 -o json
  zxid=$(jq .zxid <<<"$output")
  bell znode watch /w --count 2 -o json >"$BATS_TEST_TMPDIR/events" &
  until [[ -s $BATS_TEST_TMPDIR/events ]]; do sleep 0.05; done
  bell znode set /w 1
  bell znode delete /w
  wait $!
  output=$(jq --slurp --compact-output '[.[] | [.type, .path, .version, .value]]' \
    "$BATS_TEST_TMPDIR/events")
  [[ $output == '[["armed","/w",null,null],["changed","/w",1,"1"],["deleted","/w",null,null]]' ]]
  run -0 bell znode watch / -R --from-zxid "$zxid" --count 2
  [[ ${lines[0]} == "armed / zxid=$zxid" && ${lines[1]} == "changed /w "* ]]
  [[ ${lines[2]} == "deleted /w "* ]]
}

@test "watch with --timeout ends with 5 when fewer changes came" {
  run --separate-stderr bell znode watch /nothing --count 1 --timeout 300ms
  [[ $status == 5 && ${stderr_lines[-1]} == "bell: error: "* ]]
}

@test "get -w waits for the next change" {
  bell znode create /next 0
  bell znode get /next -w >"$BATS_TEST_TMPDIR/next" &
  until [[ -s $BATS_TEST_TMPDIR/next ]]; do sleep 0.05; done
  bell znode set /next 1
  wait $!
  run -0 tail -1 "$BATS_TEST_TMPDIR/next"
  [[ $output == "changed /next "*" 1" ]]
}

@test "bad input is a usage error that says what would be right" {
  for arguments in "create relative" "get" "get /a --bogus" "gett /a" "set /a" "get /a --timeout 5"; do
    # shellcheck disable=SC2086
    run --separate-stderr bell znode $arguments
    [[ $status == 2 && -z $output && ${stderr_lines[-1]} == "bell: error: "* ]] || {
      echo "bell znode $arguments: exit $status, $stderr"
      false
    }
  done
  run --separate-stderr bell znode gett /a
  [[ $stderr == *"did you mean 'get'?"* ]]
}

@test "a server that can't be reached is exit 5 within the timeout" {
  run --separate-stderr bell --coord 127.0.0.1:1 znode get /a --timeout 300ms -o json
  check_error 5 unavailable
}

@test "data beyond 64 MiB is refused, from a file and from a pipe that does not end" {
  truncate -s 67108865 "$BATS_TEST_TMPDIR/large"
  run --separate-stderr bell znode set /large --create -f "$BATS_TEST_TMPDIR/large" -o json
  check_error 5 resource_exhausted
  run --separate-stderr bell znode set /large --create -f - -o json < <(yes)
  check_error 5 resource_exhausted
  [[ $stderr == *"'stdin' is larger than 67108864 bytes"* ]]
}

@test "without a registered broker, a command that needs one says so" {
  run --separate-stderr bell topic list -o json
  check_error 5 unavailable
  [[ $stderr == *"no broker is registered in coord"* ]]
}

@test "top prints what takes most" {
  bell znode create /top
  bell znode create /top/large "$(head -c 5000 /dev/zero | tr '\0' x)"
  for name in a b c; do bell znode create "/top/$name"; done
  for value in 1 2 3 4 5 6; do bell znode set /top/c $value; done
  run -0 bell znode top -n 1 -o json
  check_json 'keys == ["by", "clients", "examined", "server_id", "since_zxid", "total", "znodes", "zxid"]'
  check_json '.by == "bytes" and .server_id == 1 and .zxid > 0 and .since_zxid == null and .clients == null'
  check_json '.znodes == [{"path": "/top/large", "count": 5000}] and .examined > 5 and .total >= 5000'
  run -0 bell znode top --by subtree -o json
  check_json '.znodes[0].path == "/" and (.znodes | map(select(.path == "/top"))[0].count) >= 5001'
  run -0 bell znode top --by children -o json
  check_json '.znodes | map(select(.path == "/top"))[0].count == 4'
  run -0 bell znode top --by writes -o json
  check_json '.since_zxid >= 0 and (.znodes | map(select(.path == "/top/c"))[0].count) == 7'
  run -0 bell znode top --by children -n 2
  [[ ${#lines[@]} == 3 && ${lines[0]} == CHILDREN*PATH && $output == *" /top"* ]]
}

@test "top prints what is watched, and by whom most is asked" {
  bell znode create /watched
  bell znode watch /watched --timeout 60s >"$BATS_TEST_TMPDIR/seen" 3>&- &
  local watcher=$!
  until [[ -s $BATS_TEST_TMPDIR/seen ]]; do sleep 0.02; done
  run -0 bell znode top --by watches -o json
  check_json '.znodes | map(select(.path == "/watched"))[0].count == 1'
  kill "$watcher"
  run -0 bell znode top --by clients -o json
  check_json '.znodes == null and .zxid == null and (.clients | length) >= 1
    and (.clients[0] | keys == ["address", "open_ms", "outbox_bytes", "request_bytes", "requests",
      "session", "unanswered", "writes"])'
  run --separate-stderr bell znode top --by size -o json
  check_error 2 invalid_argument
  run --separate-stderr bell znode top -n 1001 -o json
  check_error 2 invalid_argument
}
