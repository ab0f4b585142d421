# bell snapshot, bell-coord restore: files, JSON, exit codes.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 0; }
teardown_file() { stop_cluster; }

setup() {
  mkdir "$BATS_TEST_TMPDIR/files"  # beside what bats keeps
  cd "$BATS_TEST_TMPDIR/files" || return
}

server=""

teardown() {
  [[ -z $server ]] || { kill -9 "$server" && wait "$server"; } 2>/dev/null || true
}

@test "save prints what the file holds, verify the same" {
  bell znode create /saved hello
  run -0 --separate-stderr bell snapshot save file -o json
  check_json '.file == "file" and .znodes >= 2 and .zxid > 0 and .index > 0 and .sessions >= 0'
  check_json '(.ensemble_id | length) == 36 and (.digest | startswith("0x")) and .feature_level >= 1'
  check_json ".bytes == $(stat -c %s file)"
  saved=$output
  run -0 --separate-stderr bell snapshot verify file -o json
  [[ $output == "$saved" ]]
  run -0 bell snapshot verify file
  [[ ${lines[0]} =~ ^FILE.*ZXID.*ZNODES.*BYTES$ ]]
  [[ -z $(compgen -G 'file.partial*') ]]
}

@test "save never replaces a file unless told" {
  echo mine >file
  run --separate-stderr bell snapshot save file -o json
  check_error 4 already_exists
  [[ $(<file) == mine ]]
  run -0 bell snapshot save file --force
  run -0 bell snapshot verify file
}

@test "of several saves at a time to one name one succeeds, and the file is whole" {
  local saves=() succeeded=0
  for _ in 1 2 3 4; do
    bell snapshot save shared &
    saves+=($!)
  done
  for save in "${saves[@]}"; do
    if wait "$save"; then ((++succeeded)); fi
  done
  ((succeeded == 1))
  run -0 bell snapshot verify shared
  [[ -z $(compgen -G 'shared.partial*') ]]
}

@test "save removes what one that was killed has left" {
  echo part >file.partial-4194305
  echo other >file.partial-x
  echo other >another.partial-4194305
  run -0 bell snapshot save file
  local files=(*)
  [[ ${files[*]} == "another.partial-4194305 file file.partial-x" ]]
}

@test "save without a server or a folder leaves nothing" {
  run --separate-stderr bell --coord 127.0.0.1:1 --timeout 1s snapshot save file -o json
  check_error 5 unavailable
  run --separate-stderr bell snapshot save none/file -o json
  check_error 3 not_found
  run --separate-stderr bell snapshot save . -o json
  check_error 2 invalid_argument
  run --separate-stderr bell snapshot save /dev/null --force -o json
  check_error 2 invalid_argument
  [[ -c /dev/null ]]
  [[ -z $(ls) ]]
}

@test "verify tells damage from a missing file" {
  bell snapshot save file
  head -c -1 file >short
  run --separate-stderr bell snapshot verify short -o json
  check_error 1 data_loss
  echo "no snapshot" >other
  run --separate-stderr bell snapshot verify other -o json
  check_error 1 data_loss
  run --separate-stderr bell snapshot verify nothing -o json
  check_error 3 not_found
  run --separate-stderr bell snapshot verify . -o json
  check_error 2 invalid_argument
}

@test "restore makes a folder that a server starts from" {
  bell znode create /restored hello
  bell znode create /gone -e --for 30s 3>&- &
  holder=$!
  until bell znode stat /gone >/dev/null 2>&1; do sleep 0.05; done
  saved=$(bell snapshot save file -o json)
  kill "$holder"
  run -0 --separate-stderr bell-coord restore file --id 7 --data-dir data
  zxid=$(($(jq .zxid <<<"$saved") + (1 << 40)))
  [[ $output =~ ^bell-coord:\ restored\ id=7\ servers=1\ zxid=$zxid\ znodes=[0-9]+\ from_ensemble=$(jq -r .ensemble_id <<<"$saved")\ from_zxid=[0-9]+\ data_dir=data$ ]]

  bell-coord --id 7 --data-dir data --listen 127.0.0.1:0 --listen-admin off --listen-zk off \
    >ready 2>log 3>&- &
  server=$!
  until [[ -s ready ]]; do kill -0 "$server" || { cat log; return 1; }; sleep 0.02; done
  coord=$(sed 's/.* grpc=\([^ ]*\) .*/\1/' ready)
  run -0 --separate-stderr bell --coord "$coord" znode get /restored -o json
  check_json ".value == \"hello\" and .zxid > $zxid"
  run --separate-stderr bell --coord "$coord" znode get /gone -o json
  check_error 3 not_found
  run -0 bell --coord "$coord" cluster status -o json
  [[ $(jq .coord.ensemble_id <<<"$output") != $(jq .ensemble_id <<<"$saved") ]]
}

@test "restore refuses what it can't do" {
  bell snapshot save file
  run --separate-stderr bell-coord restore --id 1 --data-dir data
  [[ $status == 2 && ${stderr_lines[-1]} == "bell-coord: error: restore: FILE is missing;"* ]]
  run --separate-stderr bell-coord restore file --data-dir data
  [[ $status == 2 && ${stderr_lines[-1]} == *"--id: not given"* ]]
  run --separate-stderr bell-coord restore nothing --id 1 --data-dir data
  [[ $status == 1 && ! -e data ]]
  run -0 bell-coord restore file --id 1 --data-dir data
  run --separate-stderr bell-coord restore file --id 1 --data-dir data
  [[ $status == 1 && ${stderr_lines[-1]} == *"was used before"* ]]
  touch data/restoring
  run --separate-stderr timeout 10 bell-coord --id 1 --data-dir data --listen 127.0.0.1:0 \
    --listen-admin off --listen-zk off
  [[ $status == 1 && ${stderr_lines[-1]} == *"was not finished"* ]]
  run -0 bell-coord restore --help
  [[ $output == *"bell-coord restore FILE"* ]]
}
