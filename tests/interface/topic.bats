# `bell topic`: every form of the interface sheet.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 1; }
teardown_file() { stop_cluster; }

@test "create prints the name, or name and id as JSON" {
  run -0 bell topic create plain
  [[ $output == plain ]]
  run -0 bell topic create sized --partitions 3 --replication 1 --config retention.ms=3600000 -o json
  check_json 'keys_unsorted == ["name", "topic_id"] and .name == "sized"
    and (.topic_id | test("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))'
}

@test "a topic that is there is a conflict, unless --if-not-exists" {
  id=$(bell topic create twice -o json | jq .topic_id)
  run --separate-stderr bell topic create twice -o json
  check_error 4 already_exists
  run -0 bell topic create twice --if-not-exists -o json
  check_json ".topic_id == $id"
}

@test "list and describe print the documented JSON" {
  bell topic create described --partitions 2 --config retention.bytes=1000000
  bell produce described --partition 1 <<<$'a\nb\nc'
  run -0 bell topic list -o json
  check_json 'keys_unsorted == ["topics"]
    and (.topics[] | select(.name == "described")) == {name: "described", partitions: 2, replication: 1}
    and (.topics | map(.name)) == (.topics | map(.name) | sort)'
  run -0 bell topic describe described -o json
  check_json 'keys_unsorted == ["name", "topic_id", "partitions", "configs"] and .name == "described"'
  check_json '.partitions[0] | keys_unsorted == ["partition", "state", "leader", "leader_epoch",
    "replicas", "isr", "log_start_offset", "high_watermark", "log_end_offset"]'
  check_json '.partitions[1] == {partition: 1, state: "online", leader: 1, leader_epoch: 0,
    replicas: [1], isr: [1], log_start_offset: 0, high_watermark: 3, log_end_offset: 3}'
  check_json '.partitions[0] | .partition == 0 and .high_watermark == 0'
  check_json '.configs | any(. == {name: "retention.ms", value: "604800000", source: "default"})
    and any(. == {name: "retention.bytes", value: "1000000", source: "topic"})'
}

@test "delete removes it; a new one of the same name has another id and no records" {
  id=$(bell topic create gone -o json | jq -r .topic_id)
  bell produce gone <<<x
  run -0 bell topic delete gone
  [[ -z $output ]]
  run --separate-stderr bell topic describe gone -o json
  check_error 3 not_found
  run --separate-stderr bell topic delete gone -o json
  check_error 3 not_found
  run -0 bell topic create gone -o json
  check_json ".topic_id != \"$id\""
  run -0 bell consume gone --exit-at-end
  [[ -z $output ]]
}

@test "more replicas than there can be are refused with the reason" {
  run --separate-stderr bell topic create replicated --replication 2 -o json
  check_error 4 failed_precondition
  [[ $stderr == *"replication 2 is not available yet"* ]]
  run -3 bell topic describe replicated
}

@test "an unknown setting names the nearest; a bad value says what would be right" {
  run --separate-stderr bell topic create bad --config retention.m=5 -o json
  check_error 2 invalid_argument
  [[ $stderr == *retention.ms* ]]
  for config in retention.ms=soon retention.ms max.message.bytes=-5 =5; do
    run --separate-stderr bell topic create bad --config "$config" -o json
    check_error 2 invalid_argument || { echo "--config $config"; false; }
  done
  run -3 bell topic describe bad
}

@test "bad names and numbers are usage errors" {
  for arguments in "create" "create a/b" "create .." "create a --partitions 0" "describe" \
    "create a --partitions 10001" "create a --replication 0" "create a --bogus" "list extra"; do
    # shellcheck disable=SC2086
    run --separate-stderr bell topic $arguments
    [[ $status == 2 && -z $output && ${stderr_lines[-1]} == "bell: error: "* ]] || {
      echo "bell topic $arguments: exit $status, $stderr"
      false
    }
  done
  run -2 --separate-stderr bell topic create "$(printf 'n%.0s' {1..250})"
  run -2 --separate-stderr bell topic descibe a
  [[ $stderr == *"did you mean 'describe'?"* ]]
}
