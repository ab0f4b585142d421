# `bell export` and `bell import`, from a file and over ZooKeeper's protocol: what they print and how they
# end. That a copy is exact is tests/integration/import_test.py.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() {
  start_cluster 1 0
  ZK=$(bell dev status --dir "$CLUSTER_DIR" -o json | jq -r '.processes[0].zk')
  export ZK
  bell znode create /app top
  bell znode create /app/text hello
  printf '\377\000' | bell znode create /app/bytes -f -
  bell znode create /app/null
  bell znode quota set /app --hard-count 10
}
teardown_file() { stop_cluster; }

@test "export prints a header, znodes with parents first, quotas and an end" {
  run -0 --separate-stderr bell export --path /app
  ((${#lines[@]} == 7))
  output=${lines[0]}
  check_json '.format == 1 and .kind == "bellwether-export" and .zxid > 0 and .path == "/app"
    and (.ensemble_id | length) == 36 and (keys | length) == 5'
  output=${lines[1]}
  check_json '.path == "/app" and .value == "top" and .mode == "persistent" and .ttl_ms == null
    and .stat.num_children == 3 and .acl[0].permissions == "cdrwa" and (keys | length) == 7'
  output=${lines[2]}
  check_json '.path == "/app/bytes" and .value == null and .value_base64 == "/wA="'
  output=${lines[3]}
  check_json '.path == "/app/null" and .value == null and .value_base64 == null'
  output=${lines[5]}
  check_json '.quota == "/app" and (.limits | contains("countHardLimit=10"))'
  output=${lines[6]}
  check_json '. == {"end": true, "znodes": 4, "bytes": 10, "quotas": 1}'
  [[ ${stderr_lines[-1]} == "4 znodes, 10 bytes, 1 quotas, zxid "* ]]
}

@test "export to a file replaces one only when told, and reports" {
  run -0 bell export "$BATS_TEST_TMPDIR/export" -o json
  check_json '.complete and .path == "/" and .znodes >= 5 and .quotas == 1 and .unreadable == 0
    and .hidden_acls == 0 and (keys | length) == 11'
  run --separate-stderr bell export "$BATS_TEST_TMPDIR/export" -o json
  check_error 4 already_exists
  run -0 bell export "$BATS_TEST_TMPDIR/export" --force
  run --separate-stderr bell export --path /none -o json
  check_error 3 not_found
  run --separate-stderr bell export --path /zookeeper -o json
  check_error 2 invalid_argument
}

@test "what may not be read is counted, and the exit code says it" {
  bell znode create /locked
  bell znode create /locked/secret x
  bell --auth digest:bob:secret znode acl set /locked/secret auth::cdrwa
  run -1 --separate-stderr bell export "$BATS_TEST_TMPDIR/part" --path /locked -o json
  check_json '.complete == false and .znodes == 1 and .unreadable == 1'
  run -0 bell --auth digest:bob:secret export "$BATS_TEST_TMPDIR/whole" --path /locked -o json
  check_json '.complete and .znodes == 2'
}

@test "import of an export makes the same, once" {
  bell export --path /app >"$BATS_TEST_TMPDIR/export"
  run -0 bell import "$BATS_TEST_TMPDIR/export" --into /copy -o json
  check_json '.complete and .created == 4 and .unchanged == 0 and .quotas == 1 and .left_out == []
    and .subtrees == [{"path": "/copy/app/bytes", "read": 1, "copied": 1, "found": 1},
                      {"path": "/copy/app/null", "read": 1, "copied": 1, "found": 1},
                      {"path": "/copy/app/text", "read": 1, "copied": 1, "found": 1}]'
  run -0 bell import - --into /copy -o json <"$BATS_TEST_TMPDIR/export"
  check_json '.complete and .created == 0 and .unchanged == 4'
  run -0 bell znode get /copy/app/bytes -o json
  check_json '.value_base64 == "/wA=" and .stat.version == 0'
  bell znode set /copy/app/text changed
  run -1 --separate-stderr bell import "$BATS_TEST_TMPDIR/export" --into /copy -o json
  check_json '.left_out == [{"path": "/copy/app/text", "reason": "conflict",
    "message": .left_out[0].message}] and .left_out_by_reason == {"conflict": 1}'
  run -0 bell import "$BATS_TEST_TMPDIR/export" --into /copy --overwrite -o json
  check_json '.replaced == 1 and .complete'
  run -0 bell znode get /copy/app/text
  [[ $output == hello ]]
}

@test "a damaged export is told from a whole one" {
  bell export --path /app >"$BATS_TEST_TMPDIR/export"
  sed -i 3d "$BATS_TEST_TMPDIR/export"
  run -1 --separate-stderr bell import "$BATS_TEST_TMPDIR/export" --into /damaged -o json
  [[ ${stderr_lines[-1]} == *"lines before it are missing"* ]]
  echo nothing >"$BATS_TEST_TMPDIR/other"
  run --separate-stderr bell import "$BATS_TEST_TMPDIR/other" -o json
  check_error 1 data_loss
  run --separate-stderr bell import "$BATS_TEST_TMPDIR/none" -o json
  check_error 3 not_found
}

@test "import zookeeper reads a server's port for ZooKeeper's clients" {
  run -0 --separate-stderr bell import zookeeper "$ZK" --path /app --into /zk --dry-run -o json
  check_json '.dry_run and .zxid == null and .created == 4 and .path == "/app" and .into == "/zk"'
  run -0 --separate-stderr bell import zookeeper "$ZK" --path /app --into /zk -o json
  check_json '.complete and .created == 4 and .quotas == 1 and .kinds_unknown == 4
    and .zxid > .source_zxid_begin and (keys | length) == 20'
  run -0 bell znode quota get /zk/app -o json
  check_json '.limits.hard_count == 10 and .usage.count == 4'
  run -0 --separate-stderr bell import zookeeper "$ZK" --path /app --into /zk
  [[ ${lines[1]} =~ ^4\ +10\ +0\ +0\ +4\ +1$ ]]
}

@test "import zookeeper: what is wrong has its exit code" {
  run --separate-stderr bell import zookeeper 127.0.0.1:1 --timeout 1s -o json
  check_error 5 unavailable
  run --separate-stderr bell import zookeeper "$ZK" --path /none -o json
  check_error 3 not_found
  run --separate-stderr bell import zookeeper "$ZK" --path app -o json
  check_error 2 invalid_argument
  run --separate-stderr bell import zookeeper "$ZK" --source-auth sasl:x -o json
  check_error 7 unauthenticated
  run --separate-stderr bell import zookeeper "$ZK" --source-auth secret -o json
  check_error 2 invalid_argument
  run --separate-stderr bell import zookeeper "$ZK" --source-data "$BATS_TEST_TMPDIR" -o json
  check_error 3 not_found
  run --separate-stderr bell import -o json
  check_error 2 invalid_argument
}
