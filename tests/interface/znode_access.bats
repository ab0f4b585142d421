# `bell znode acl` and `bell znode quota`.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 0; }
teardown_file() { stop_cluster; }

@test "acl get and set print the documented JSON, and text that set takes" {
  bell znode create /acl
  run -0 bell znode acl get /acl
  [[ $output == world:anyone:cdrwa ]]
  run -0 bell znode acl get /acl -o json
  check_json '.path == "/acl" and .zxid > 0 and .stat.aversion == 0 and (keys | length) == 4
    and .acl == [{"scheme": "world", "id": "anyone", "permissions": "cdrwa"}]'
  run -0 bell znode acl set /acl world:anyone:cdrwa digest:bob:aGFzaA==:r
  [[ $output == 1 ]]
  run -0 bell znode acl set /acl world:anyone:cdrwa,ip:10.0.0.0/8:w --version 1 -o json
  check_json '.path == "/acl" and .zxid > 0 and .stat.aversion == 2 and (keys | length) == 3'
  run -0 bell znode acl get /acl
  [[ $output == $'world:anyone:cdrwa\nip:10.0.0.0/8:w' ]]
}

@test "acl: wrong versions, ACLs and permissions have their exit codes" {
  bell znode create /mine
  run --separate-stderr bell znode acl set /mine world:anyone:r --version 7 -o json
  check_error 4 failed_precondition
  run --separate-stderr bell znode acl set /mine world:anyone -o json
  check_error 2 invalid_argument
  run --separate-stderr bell znode acl set /mine nobody:knows:r -o json
  check_error 2 invalid_argument
  run --separate-stderr bell znode acl get /none -o json
  check_error 3 not_found
  bell --auth digest:bob:secret znode acl set /mine auth::cdrwa
  run --separate-stderr bell znode acl set /mine world:anyone:r -o json
  check_error 7 permission_denied
  run -0 bell --auth digest:bob:secret znode acl set /mine world:anyone:cdrwa
}

@test "quota set, get and delete print the documented JSON" {
  bell znode create /q 12345
  run --separate-stderr bell znode quota get /q -o json
  check_error 3 not_found
  run -0 bell znode quota set /q --count 5 --hard-bytes 10
  [[ -z $output ]]
  run -0 bell znode quota get /q -o json
  check_json '.path == "/q" and .usage == {"count": 1, "bytes": 5}
    and .limits == {"count": 5, "bytes": null, "hard_count": null, "hard_bytes": 10}'
  run -0 bell znode quota set /q --hard-count 2 -o json
  check_json '.limits == {"count": 5, "bytes": null, "hard_count": 2, "hard_bytes": 10}'
  run -0 bell znode quota get /q
  [[ ${lines[1]} == *used*1*5* && ${lines[3]} == *"hard limit"*2*10* ]]
  run --separate-stderr bell znode set /q 12345678901 -o json
  check_error 5 resource_exhausted
  run --separate-stderr bell znode quota set /q -o json
  check_error 2 invalid_argument
  run --separate-stderr bell znode quota set /none --count 1 -o json
  check_error 3 not_found
  bell znode create /q/below
  run --separate-stderr bell znode quota set /q/below --count 1 -o json
  check_error 4 failed_precondition
  run -0 bell znode quota delete /q -o json
  check_json '. == {"path": "/q"}'
  run --separate-stderr bell znode quota delete /q -o json
  check_error 3 not_found
}
