# Loaded by every tests/interface/*.bats: one cluster of real processes per file, started through
# `bell dev`, and ways to look at what a command printed.
#
#   load cluster
#   setup_file() { start_cluster 1 1; }
#   teardown_file() { stop_cluster; }
#   @test "create prints the path" {
#     run -0 --separate-stderr bell znode create /a hello -o json
#     check_json '.path == "/a" and .zxid > 0'
#   }
#
# BELL_COORD and BELL_BROKER name the cluster, CLUSTER_DIR is its folder, bell is on the PATH.
# shellcheck shell=bash
# shellcheck disable=SC2154  # `run` sets status, output, stderr and stderr_lines

bats_require_minimum_version 1.5.0

# start_cluster COORDS BROKERS: returns when all of them serve.
start_cluster() {
  export PATH=${BELL_BIN:-$PWD/build/release/bin}:$PATH
  export CLUSTER_DIR=$BATS_FILE_TMPDIR/cluster
  bell dev up --coords "$1" --brokers "$2" --dir "$CLUSTER_DIR"
  # shellcheck source=/dev/null
  . "$CLUSTER_DIR/env"
}

stop_cluster() {
  bell dev down --dir "$CLUSTER_DIR"
}

# check_json FILTER: what `run` captured is one JSON document for which the jq filter is true.
check_json() {
  jq --exit-status "$1" <<<"$output" >/dev/null || {
    echo "not true: $1 of: $output"
    return 1
  }
}

# check_error EXIT CODE: what `run` captured ended in this exit code, with nothing on stdout and
# the interface sheet's error object, of that code, as the last line of stderr.
check_error() {
  if [[ $status == "$1" && -z $output ]] &&
    jq --exit-status --arg code "$2" --argjson exit "$1" \
      '.error.code == $code and .error.exit == $exit' <<<"${stderr_lines[-1]}" >/dev/null; then
    return 0
  fi
  echo "not exit $1 with error $2: exit $status, stdout '$output', stderr '$stderr'"
  return 1
}
