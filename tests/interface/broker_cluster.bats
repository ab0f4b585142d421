# `bell broker`, `bell cluster`, and the servers' HTTP.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() {
  start_cluster 3 2
  bell topic create spread --partitions 4
}
teardown_file() { stop_cluster; }

# admin NAME: the admin address of a server.
admin() {
  bell dev status --dir "$CLUSTER_DIR" -o json | jq -r ".processes[] | select(.name == \"$1\").admin"
}

@test "broker list prints the documented JSON" {
  run -0 bell broker list -o json
  check_json 'keys_unsorted == ["controller_id", "brokers"] and (.controller_id | . == 1 or . == 2)'
  check_json '.brokers[0] | keys_unsorted == ["id", "state", "epoch", "grpc", "kafka", "rack",
    "started_ms", "leaders", "replicas"]'
  check_json '[.brokers[].id] == [1, 2] and all(.brokers[]; .state == "up" and .epoch > 0
    and .kafka == null and .rack == null and .started_ms > 1600000000000 and .leaders == 2
    and .replicas == 2)'
  [[ $(jq -r '[.brokers[].grpc] | join(",")' <<<"$output") == "$BELL_BROKER" ]]
  run -0 bell broker list
  [[ ${#lines[@]} == 3 && ${lines[0]} == ID* ]]
}

# zxids: where each coord server is; a session that comes or goes would take it on.
zxids() {
  bell cluster status -o json | jq --compact-output '[.coord.servers[].zxid]'
}

@test "brokers are found through coord when none is named, without a session" {
  end=$((SECONDS + 30))
  until [[ $(zxids | jq 'unique | length') == 1 ]]; do
    ((SECONDS < end)) || { echo "the servers are not at one zxid: $(zxids)"; return 1; }
    sleep 0.05
  done
  before=$(zxids)
  run -0 env --unset=BELL_BROKER bell broker list -o json
  check_json '[.brokers[].id] == [1, 2]'
  [[ $(zxids) == "$before" ]]
}

@test "cluster status prints the documented JSON; equal index means equal digest" {
  run -0 bell cluster status --check -o json
  check_json 'keys_unsorted == ["healthy", "problems", "coord", "brokers", "partitions"]
    and .healthy and .problems == []'
  check_json '.coord | keys_unsorted == ["ensemble_id", "leader_id", "term", "servers"]
    and ([.servers[].id] == [1, 2, 3]) and ([.servers[] | select(.role == "leader").id] == [.leader_id])'
  check_json 'all(.coord.servers[]; keys_unsorted == ["id", "grpc", "peer", "state", "role", "term",
    "commit_index", "applied_index", "zxid", "lag", "digest", "log_bytes", "version"]
    and .state == "up" and (.digest | startswith("0x")) and .version == "0.1.0" and .log_bytes > 0)'
  check_json '[.coord.servers[] | {applied_index, digest}] | group_by(.applied_index)
    | all(map(.digest) | unique | length == 1)'
  check_json '.brokers | keys_unsorted == ["controller_id", "controller_epoch", "up", "down"]
    and .up == [1, 2] and .down == [] and .controller_epoch >= 1'
  check_json '.partitions == {total: 4, online: 4, offline: 0, under_replicated: 0}'
}

@test "cluster upgrade: what the servers support; finalizing what is in force changes nothing" {
  run -0 bell cluster upgrade -o json
  check_json 'keys_unsorted == ["level", "target", "finalized", "obstacles", "servers"]
    and .level >= 1 and .target == .level and .finalized == false and .obstacles == []'
  check_json '[.servers[].id] == [1, 2, 3] and all(.servers[]; keys_unsorted == ["id", "state",
    "level_min", "level_max"] and .state == "up" and .level_min == 1 and .level_max >= 1)'
  run -0 bell cluster upgrade --finalize -o json
  check_json '.target == .level and .finalized == false'
  run -0 bell cluster upgrade
  [[ ${lines[0]} == "feature level "* && ${lines[2]} == SERVER* && ${#lines[@]} == 6 ]]
}

@test "cluster members: who is in, as the leader sees it" {
  run -0 bell cluster members -o json
  check_json 'keys_unsorted == ["leader_id", "term", "index", "changing", "members"]
    and .changing == false and [.members[].id] == [1, 2, 3]'
  check_json 'all(.members[]; keys_unsorted == ["id", "peer", "grpc", "voter", "leader", "state",
    "match_index", "lag"] and .voter and .state == "up")
    and [.members[] | select(.leader).id] == [.leader_id]'
  run -0 bell cluster members
  [[ ${lines[0]} == SERVER*ROLE*STATE*PEER*GRPC*LAG && ${#lines[@]} == 4 ]]
}

@test "cluster add, promote, remove: what is so already is no error and changes nothing" {
  members=$(bell cluster members -o json)
  peer=$(jq -r '.members[1].peer' <<<"$members")
  for change in "add 2=$peer" "promote 2" "remove 77"; do
    # shellcheck disable=SC2086  # words
    run -0 bell cluster $change -o json
    check_json "[.members[].id] == [1, 2, 3] and .index == $(jq .index <<<"$members")"
  done
}

@test "cluster add, promote, remove: refused with the reason" {
  run --separate-stderr bell cluster add 2=127.0.0.1:1 -o json
  check_error 4 failed_precondition
  run --separate-stderr bell cluster promote 77 -o json
  check_error 3 not_found
  run --separate-stderr bell cluster transfer-leader 77 -o json
  check_error 3 not_found
  for wrong in "add 4" "add 0=127.0.0.1:1" "add 4=127.0.0.1:0" "promote" "remove 255" "remove x"; do
    # shellcheck disable=SC2086  # words
    run --separate-stderr bell cluster $wrong
    [[ $status == 2 ]] || { echo "$wrong: $status $stderr"; false; }
  done
}

@test "cluster add and remove: a learner that was never started comes and goes" {
  run -0 bell cluster add 4=127.0.0.1:1 -o json
  check_json '.members[3] == {id: 4, peer: "127.0.0.1:1", grpc: null, voter: false, leader: false,
    state: "down", match_index: 0, lag: .members[3].lag}'
  run --separate-stderr bell cluster promote 4 -o json
  check_error 4 failed_precondition
  [[ ${stderr_lines[-1]} == *"doesn't answer"* ]]
  run -0 bell cluster remove 4 -o json
  check_json '[.members[].id] == [1, 2, 3]'
}

@test "cluster transfer-leader: to the one named, then to any other" {
  leader=$(bell cluster members -o json | jq .leader_id)
  run -0 bell cluster transfer-leader $((leader % 3 + 1)) -o json
  check_json ".leader_id == $((leader % 3 + 1))"
  run -0 bell cluster transfer-leader -o json
  check_json ".leader_id != $((leader % 3 + 1))"
  until bell cluster status --check; do sleep 0.1; done
}

@test "a broker that is away: not listed, listed by --all, its partitions offline, exit 8" {
  bell dev kill broker-2 --dir "$CLUSTER_DIR"
  until [[ $(bell broker list -o json | jq -c '[.brokers[].id]') == "[1]" ]]; do sleep 0.1; done
  run -0 bell broker list --all -o json
  check_json '.brokers[1] == {id: 2, state: "down", epoch: null, grpc: null, kafka: null, rack: null,
    started_ms: null, leaders: 0, replicas: 2}'
  run -8 --separate-stderr bell cluster status --check -o json
  check_json '.healthy == false and .brokers.up == [1] and .brokers.down == [2]
    and .partitions == {total: 4, online: 2, offline: 2, under_replicated: 0}'
  check_json 'all(.problems[]; keys_unsorted == ["code", "object", "why", "fix"])
    and ([.problems[].code] | unique) == ["broker_down", "partition_offline"]'
  run -0 bell cluster status -o json
  bell dev start broker-2 --dir "$CLUSTER_DIR"
  until bell cluster status --check; do sleep 0.1; done
}

# all_brokers_down: `cluster status --check` says so.
all_brokers_down() {
  run -8 --separate-stderr bell cluster status --check -o json
  check_json '.healthy == false and .brokers.up == [] and .brokers.down == [1, 2]
    and .partitions == {total: 4, online: 0, offline: 4, under_replicated: 0}'
  check_json '([.problems[] | select(.code == "broker_down").object] == ["broker-1", "broker-2"])
    and ([.problems[] | select(.code == "partition_offline").object]
      == ["spread/0", "spread/1", "spread/2", "spread/3"]) and (.problems | length) == 6'
}

@test "no broker left: down while coord still has them registered, and when it has not; exit 8" {
  bell dev kill broker-1 --dir "$CLUSTER_DIR"
  bell dev kill broker-2 --dir "$CLUSTER_DIR"
  all_brokers_down
  until bell znode ls /brokers/ids -o json | jq --exit-status '.children == []'; do sleep 0.1; done
  all_brokers_down
  check_json '.brokers.controller_id == null and .brokers.controller_epoch >= 1'
  bell dev start broker-1 --dir "$CLUSTER_DIR"
  bell dev start broker-2 --dir "$CLUSTER_DIR"
  until bell cluster status --check; do sleep 0.1; done
}

@test "a broker that is paused doesn't answer: down, though registered" {
  bell dev kill broker-2 --signal 19 --dir "$CLUSTER_DIR"
  run -8 --separate-stderr bell cluster status --check -o json
  bell dev kill broker-2 --signal 18 --dir "$CLUSTER_DIR"
  check_json '.brokers.up == [1] and .brokers.down == [2] and .partitions.offline == 2'
  until bell cluster status --check; do sleep 0.1; done
}

@test "a coord server that is away has nulls; the rest serves" {
  bell dev kill coord-3 --dir "$CLUSTER_DIR"
  until bell cluster status -o json | jq --exit-status .coord.leader_id; do sleep 0.1; done
  run -8 --separate-stderr bell cluster status --check -o json
  check_json '.coord.servers[2] | .id == 3 and .state == "down"
    and ([.grpc, .peer, .role, .term, .commit_index, .applied_index, .zxid, .lag, .digest, .log_bytes, .version]
      | all(. == null))'
  check_json '.problems | any(.code == "server_down" and .object == "coord-3")'
  bell znode create /while-away
  bell dev start coord-3 --dir "$CLUSTER_DIR"
  until bell cluster status --check; do sleep 0.1; done
}

@test "without a majority there is no leader, and requests end with 5 within their timeout" {
  bell dev kill coord-2 --dir "$CLUSTER_DIR"
  bell dev kill coord-3 --dir "$CLUSTER_DIR"
  run --separate-stderr bell znode create /minority --timeout 1s -o json
  [[ $status == 5 || $status == 6 ]]
  until bell cluster status -o json | jq --exit-status '.coord.leader_id == null'; do sleep 0.1; done
  run -8 --separate-stderr bell cluster status --check -o json
  check_json '.problems | any(.code == "no_leader")'
  check_json '.brokers.up == [1, 2] and .partitions.online == 4' # as the last leader left it
  run curl --silent --output "$BATS_TEST_TMPDIR/ready" --write-out '%{http_code}' \
    "http://$(admin coord-1)/readyz"
  [[ $output == 503 ]]
  bell dev start coord-2 --dir "$CLUSTER_DIR"
  bell dev start coord-3 --dir "$CLUSTER_DIR"
  until bell cluster status --check; do sleep 0.1; done
}

@test "metrics and health over HTTP" {
  for name in coord-1 broker-1; do
    for path in livez readyz 'readyz?verbose' metrics; do
      run -0 curl --silent --fail "http://$(admin $name)/$path"
    done
    [[ $output == *"# TYPE bell_"* ]]
    run curl --silent --output "$BATS_TEST_TMPDIR/none" --write-out '%{http_code}' \
      "http://$(admin $name)/nothing"
    [[ $output == 404 ]]
  done
  run -0 curl --silent "http://$(admin coord-1)/metrics"
  for metric in bell_raft_term bell_raft_is_leader bell_raft_leader_changes_total \
    bell_raft_log_sync_seconds_count bell_znodes bell_sessions bell_watches; do
    grep -q "^$metric " <<<"$output"
  done
  run -0 curl --silent "http://$(admin broker-1)/metrics"
  for metric in bell_partitions_offline bell_partitions_under_replicated; do
    grep -q "^$metric " <<<"$output"
  done
}
