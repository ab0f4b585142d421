# Bad input: each gets a clear error that names the thing, and disturbs nobody else.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() {
  start_cluster 3 1
  bell topic create healthy --partitions 2
  bell znode create /healthy yes
}
teardown_file() { stop_cluster; }

teardown() {
  local disk=$BATS_TEST_TMPDIR/disk
  if mountpoint --quiet "$disk"; then
    bell dev down --dir "$disk"
    umount "$disk"
  fi
}

# others_undisturbed: every server runs and serves.
others_undisturbed() {
  bell dev status --dir "$CLUSTER_DIR" -o json | jq --exit-status .ready
  [[ $(bell znode get /healthy) == yes ]]
  bell produce healthy <<<x
  bell cluster status --check
}

@test "bad paths, flags, words and versions are usage errors or conflicts" {
  for arguments in "znode get a" "znode get /a//b" "znode get /a/" "znode create /a/../b" "znode create /.." \
    "znode get /a --bogus" "produce healthy --partition -1" "produce healthy --linger 5" \
    "produce healthy --batch-bytes much" "produce healthy --header x" "consume healthy --count 0" \
    "consume healthy --from soon" "nosuch" "" "topic" "--coord nowhere znode get /a" "-o xml topic list"; do
    # shellcheck disable=SC2086
    run --separate-stderr bell $arguments </dev/null
    [[ $status == 2 && -z $output && ${stderr_lines[-1]} == "bell: error: "*"; "* ]] || {
      echo "bell $arguments: exit $status, $stderr"
      false
    }
  done
  run --separate-stderr bell znode set /healthy no --version 99 -o json
  check_error 4 failed_precondition
  others_undisturbed
}

@test "oversize data is refused by size and limit; nothing of it is there" {
  head -c 1100000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/big"
  run --separate-stderr bell znode create /big -f "$BATS_TEST_TMPDIR/big" -o json
  check_error 2 invalid_argument
  [[ $stderr == *1048576* ]]
  run -3 bell znode get /big
  before=$(bell consume healthy --exit-at-end | wc -l)
  run --separate-stderr bell produce healthy "$BATS_TEST_TMPDIR/big"
  [[ $status == 1 && $stderr == *1048576* ]]
  [[ $(bell consume healthy --exit-at-end | wc -l) == "$before" ]]
  bell topic create small --config max.message.bytes=1000
  run --separate-stderr bell produce small <<<"$(head -c 2000 /dev/zero | tr '\0' x)"
  [[ $status == 1 && $stderr == *1000* ]]
  run -0 bell produce small <<<ok
  others_undisturbed
}

@test "a line beyond any bound ends producing; what came before it is there, and counted" {
  bell topic create cut
  { printf 'a\nb\n' && head -c 70000000 /dev/zero && printf '\nc\n'; } >"$BATS_TEST_TMPDIR/long"
  run --separate-stderr bell produce cut "$BATS_TEST_TMPDIR/long" -o json
  [[ $status == 1 && $stderr == *invalid_argument* && $stderr == *"split it"* ]]
  check_json '.records == 3 and .acked == 2 and .rejected == 1 and .unknown == 0'
  [[ $(bell consume cut --exit-at-end) == $'a\nb' ]]
  run --separate-stderr bell znode set /healthy -f - -o json < <(head -c 70000000 /dev/zero)
  [[ $stderr == *"give a smaller one"* ]]
  others_undisturbed
}

@test "unknown topics and partitions are named" {
  for command in produce consume; do
    run --separate-stderr bell "$command" nosuch <<<x
    [[ $status != 0 && $stderr == *"'nosuch' does not exist"* ]] || { echo "$command: $status $stderr"; false; }
    run --separate-stderr bell "$command" healthy --partition 2 --timeout 5s <<<x
    [[ $status != 0 && $stderr == *"0 to 1"* ]] || { echo "$command: $status $stderr"; false; }
  done
  others_undisturbed
}

@test "another program's bytes on any port" {
  mapfile -t addresses < <(bell dev status --dir "$CLUSTER_DIR" -o json |
    jq -r '.processes[] | .grpc, .peer, .admin | values')
  ((${#addresses[@]} == 11))
  bell consume healthy --partition 0 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  consumer=$!
  for address in "${addresses[@]}"; do
    for kind in random http text silence; do
      (
        exec 9<>"/dev/tcp/${address%:*}/${address#*:}"
        case $kind in
          random) head -c 200000 /dev/urandom >&9 ;;
          http) printf 'POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx' >&9 ;;
          text) printf 'stat\n%099999d' 0 >&9 ;;
          silence) ;;
        esac
        exec 9>&-
      ) 2>/dev/null || true # the server may close first
    done
  done
  others_undisturbed
  kill -0 "$consumer"
  kill "$consumer"
}

@test "an ensemble list that disagrees: an error that names both, and the ensemble goes on" {
  mapfile -t peers < <(bell dev status --dir "$CLUSTER_DIR" -o json |
    jq -r '.processes[] | select(.kind == "coord") | "\(.id)=\(.peer)"')
  bell dev kill coord-3 --dir "$CLUSTER_DIR"
  own=${peers[2]#3=}
  run --separate-stderr timeout 20 bell-coord --id 3 --data-dir "$CLUSTER_DIR/coord-3/data" \
    --listen 127.0.0.1:0 --listen-admin off --listen-zk off --listen-peer "$own" \
    --peer "${peers[0]}" --peer "${peers[1]}" --peer 3=127.0.0.1:1
  [[ $status == 1 && ${stderr_lines[-1]} == *"disagrees"*"3=$own"*"3=127.0.0.1:1"* ]] || {
    echo "exit $status: $stderr"
    false
  }
  [[ $(bell znode get /healthy) == yes ]]
  bell dev start coord-3 --dir "$CLUSTER_DIR"
  until bell cluster status --check; do sleep 0.1; done
  others_undisturbed
}

@test "an ensemble list that disagrees while it forms: an error that names both" {
  mapfile -t ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in sockets), sep="\n")')
  first=127.0.0.1:${ports[0]} second=127.0.0.1:${ports[1]}
  bell-coord --id 1 --data-dir "$BATS_TEST_TMPDIR/1" --listen 127.0.0.1:0 --listen-admin off \
    --listen-zk off --peer "1=$first" --peer "2=$second" --peer "3=127.0.0.1:1" >/dev/null 2>&1 3>&- &
  other=$!
  run --separate-stderr timeout 20 bell-coord --id 2 --data-dir "$BATS_TEST_TMPDIR/2" \
    --listen 127.0.0.1:0 --listen-admin off --listen-zk off --peer "1=$first" --peer "2=$second"
  kill "$other" || true  # it stops for the same reason
  wait "$other" || true
  [[ $status == 1 && ${stderr_lines[-1]} == *"disagrees"*"3=127.0.0.1:1"*"2=$second"* ]] || {
    echo "exit $status: $stderr"
    false
  }
  others_undisturbed
}

@test "flags from before the members changed: the server starts all the same" {
  mapfile -t peers < <(bell dev status --dir "$CLUSTER_DIR" -o json |
    jq -r '.processes[] | select(.kind == "coord") | "\(.id)=\(.peer)"')
  bell dev kill coord-3 --dir "$CLUSTER_DIR"
  bell-coord --id 3 --data-dir "$CLUSTER_DIR/coord-3/data" --listen 127.0.0.1:0 \
    --listen-admin off --listen-zk off --peer "${peers[0]}" --peer "${peers[2]}" \
    >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  server=$!
  until grep -q ready "$BATS_TEST_TMPDIR/out"; do sleep 0.1; done
  grpc=$(sed -n 's/.* grpc=\([^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/out" | tail -1)
  until [[ $(bell znode get /healthy --coord "$grpc" --timeout 1s) == yes ]]; do sleep 0.1; done
  kill "$server"
  wait "$server" || true
  bell dev start coord-3 --dir "$CLUSTER_DIR"
  until bell cluster status --check; do sleep 0.1; done
  others_undisturbed
}

@test "a full disk: writes are refused by name, reads go on, and writes when there is space" {
  disk=$BATS_TEST_TMPDIR/disk
  mkdir "$disk"
  mount -t tmpfs -o size=700m none "$disk" || skip "this machine forbids mounts"
  bell dev up --coords 1 --brokers 1 --dir "$disk"
  # shellcheck source=/dev/null
  . "$disk/env"
  bell topic create t
  bell produce t <<<before
  bell znode create /z before
  bell znode create /doomed x
  free=$(df --output=avail --block-size=1K "$disk" | tail -1)
  fallocate -l "$((free - 45000))K" "$disk/filler" # both servers keep a larger reserve
  run --separate-stderr bell produce t --timeout 2s <<<refused
  [[ $status == 5 && $stderr == *"disk"* ]] || { echo "produce: $status $stderr"; false; }
  run --separate-stderr bell znode set /z refused --timeout 2s
  [[ $status == 5 && $stderr == *"disk"* ]] || { echo "znode set: $status $stderr"; false; }
  [[ $(bell consume t --exit-at-end) == before ]]
  [[ $(bell znode get /z) == before ]] # new clients come, and make room
  bell znode delete /doomed
  run -8 bell cluster status --check
  [[ $output == *disk_low* ]] || { echo "$output"; false; }
  run -8 --separate-stderr bell cluster status --check -o json
  check_json '[.problems[] | select(.code == "disk_low").object] == ["coord-1", "broker-1"]'
  rm "$disk/filler"
  until bell produce t --timeout 1s <<<after; do sleep 0.1; done
  bell znode set /z after
  [[ $(bell consume t --exit-at-end) == $'before\nafter' && $(bell znode get /z) == after ]]
  bell dev status --dir "$disk" -o json | jq --exit-status .ready
}
