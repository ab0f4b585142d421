# Reads at a server that has lost its ensemble.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 3 0; }
teardown_file() { stop_cluster; }

@test "--stale-ok reads without a quorum; everything else is exit 5" {
  bell znode create /stale kept
  survivor=${BELL_COORD%%,*}
  until [[ $(bell --coord "$survivor" znode get /stale --stale-ok) == kept ]]; do sleep 0.05; done
  bell dev kill coord-2 --dir "$CLUSTER_DIR"
  bell dev kill coord-3 --dir "$CLUSTER_DIR"

  run -0 bell znode get /stale --stale-ok -o json
  check_json '.value == "kept" and .zxid > 0 and .stat.version == 0'
  run -0 bell --coord "$survivor" znode ls / --stale-ok
  [[ $output == stale ]]
  run --separate-stderr bell znode get /missing --stale-ok -o json
  check_error 3 not_found
  run --separate-stderr bell znode get /stale --timeout 2s -o json
  check_error 5 unavailable
}
