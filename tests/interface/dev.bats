# `bell dev`.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 1; }
teardown_file() { stop_cluster; }

dev() { bell dev "$@" --dir "$CLUSTER_DIR"; }

# is_gone PID: no such process, or one that has ended and is not yet reaped by its parent.
is_gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status"; }

@test "status prints the documented JSON" {
  run -0 dev status -o json
  check_json "keys_unsorted == [\"dir\", \"ready\", \"processes\"] and .ready and .dir == \"$CLUSTER_DIR\""
  check_json 'all(.processes[]; keys_unsorted == ["name", "kind", "id", "pid", "state", "grpc", "peer",
    "zk", "kafka", "admin", "data_dir", "log"] and .state == "running" and .pid > 0 and .kafka == null)'
  check_json '.processes[0].zk | test("^127.0.0.1:[1-9][0-9]*$")'
  check_json '.processes[1].zk == null'
  check_json '[.processes[].name] == ["coord-1", "broker-1"] and [.processes[].kind] == ["coord", "broker"]'
  check_json ".processes[1] | .data_dir == \"$CLUSTER_DIR/broker-1/data\"
    and .log == \"$CLUSTER_DIR/broker-1/log\" and .peer == null and .id == 1"
  check_json ".processes[0].grpc == \"$BELL_COORD\" and .processes[1].grpc == \"$BELL_BROKER\""
}

@test "kill returns when it is gone, start when it is ready" {
  pid=$(dev status -o json | jq '.processes[1].pid')
  run -0 dev kill broker-1
  is_gone "$pid"
  run -0 dev status -o json
  check_json '.ready == false and .processes[1].state == "stopped" and .processes[1].pid == null'
  run -0 dev start broker-1
  run -0 bell broker list -o json
  check_json '.brokers[0].state == "up"'
  run -0 dev kill broker-1 --signal 15
  run -0 dev start broker-1
}

@test "a server that is paused is running, but not ready" {
  dev kill coord-1 --signal 19
  run -0 dev status -o json
  dev kill coord-1 --signal 18 # whatever status said
  check_json '.ready == false and [.processes[].state] == ["running", "running"]'
  until dev status -o json | jq --exit-status .ready; do sleep 0.1; done
}

@test "what can't be done says what can" {
  run --separate-stderr dev kill coord-2 -o json
  check_error 3 not_found
  [[ $stderr == *"coord-1, broker-1"* ]]
  run --separate-stderr dev start broker-1 -o json
  check_error 4 failed_precondition
  run --separate-stderr bell dev status --dir "$BATS_TEST_TMPDIR/none" -o json
  check_error 3 not_found
  run --separate-stderr dev up --coords 3 --brokers 1 -o json
  check_error 4 failed_precondition
  run -2 --separate-stderr dev kill
  run -2 --separate-stderr dev kill coord-1 --signal 0
}

@test "up on a running cluster starts what is down, and its output can be captured" {
  dev kill broker-1
  output=$(dev up --coords 1 --brokers 1 -o json)
  check_json .ready
}

@test "down stops everything and keeps the data; up brings it back" {
  bell znode create /kept value
  pids=$(dev status -o json | jq '.processes[].pid')
  run -0 dev down
  for pid in $pids; do is_gone "$pid"; done
  run -0 dev status -o json
  check_json '.ready == false and all(.processes[]; .pid == null)'
  run -0 dev down
  run -0 dev up --coords 1 --brokers 1
  run -0 bell znode get /kept
  [[ $output == value ]]
}

@test "a relative folder works from another one; --port-base sets the ports" {
  cd "$BATS_TEST_TMPDIR"
  run -0 bell dev up --coords 1 --brokers 0 --dir rel -o json
  first=$(jq -r '.processes[0].grpc | split(":")[1]' <<<"$output")
  # shellcheck source=/dev/null
  (. rel/env && bell znode create /a)
  run -0 bash -c '. rel/env && bell cluster status --check -o json'
  check_json '.healthy and .brokers == {controller_id: null, controller_epoch: null, up: [], down: []}'
  run -0 bell dev down --dir rel
  run -0 bell dev up --coords 1 --brokers 0 --dir based --port-base "$first" -o json
  check_json ".processes[0].grpc == \"127.0.0.1:$first\""
  run -0 bell dev down --dir based
}

# A bell-coord that, started for the first time, finds the port it is to listen on taken: the listener
# that took it is a descriptor of its own.
programs_with_a_taken_port() {
  mkdir "$1"
  cp "$(command -v bell)" "$1"
  ln -s "$(command -v bell-broker)" "$1"
  cat >"$1/bell-coord" <<PROGRAM
#!/usr/bin/env python3
import os, pathlib, socket, sys
taken = pathlib.Path("$1/taken")
if not taken.exists():
    address = sys.argv[sys.argv.index("--listen") + 1]
    host, port = address.split(":")
    os.set_inheritable(socket.create_server((host, int(port))).detach(), True)
    taken.write_text(address)
os.execv("$(command -v bell-coord)", ["bell-coord", *sys.argv[1:]])
PROGRAM
  chmod +x "$1/bell-coord"
}

@test "up takes other ports when one was taken after it chose them; not when they were named" {
  local bin=$BATS_TEST_TMPDIR/bin dir=$BATS_TEST_TMPDIR/moved
  programs_with_a_taken_port "$bin"
  run -0 --separate-stderr "$bin/bell" dev up --coords 1 --brokers 1 --dir "$dir" -o json
  check_json ".ready and all(.processes[]; .grpc != \"$(<"$bin/taken")\")"
  run -0 bell dev down --dir "$dir"
  rm "$bin/taken"
  run --separate-stderr "$bin/bell" dev up --coords 1 --brokers 0 --dir "$dir-not" \
    --port-base "$(jq -r '.servers[0].grpc | split(":")[1]' "$dir/cluster.json")" -o json
  check_error 4 failed_precondition
  [[ $stderr == *"cannot listen on $(<"$bin/taken")"* ]]
}
