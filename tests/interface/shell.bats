# `bell shell` from a pipe.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 0; }
teardown_file() { stop_cluster; }

@test "zkCli's verbs work from a pipe" {
  run -0 bell shell <<'LINES'
# a comment
create /shell "two words"
create -s /shell/n- x
get /shell
set -v 0 /shell changed
get /shell
ls /shell
ls -R /shell
delete /shell/n-0000000000
sync /
deleteall /shell
quit
not reached
LINES
  [[ $output == $'/shell\n/shell/n-0000000000\ntwo words\nchanged\nn-0000000000\n/shell\n/shell/n-0000000000' ]]
}

@test "an ephemeral znode lives as long as the shell" {
  run -0 bell shell <<<$'create -e /mine\nls /'
  [[ $output == *mine* ]]
  run -3 bell znode get /mine
}

@test "a watch fires before the answer to the change" {
  run -0 bell shell <<<$'create /watched 0\nget -w /watched\nset /watched 1\nget /watched\ndeleteall /watched'
  [[ ${lines[2]} == "watch: changed /watched zxid="* && ${lines[3]} == 1 ]]
}

@test "the exit code is that of the last failing command; the rest goes on" {
  run --separate-stderr -3 bell shell <<<$'creat /x\nget /no/such\nls /'
  [[ $stderr == *"did you mean 'create'?"* ]]
  [[ ${stderr_lines[-1]} == "bell: error: get /no/such: "* ]]
}

@test "stat and get -s show every field" {
  run -0 bell shell <<<$'stat /'
  [[ ${#lines[@]} == 11 && ${lines[0]} == czxid* ]]
}

@test "history keeps the last 1,000 lines, numbered from the first" {
  for ((i = 0; i < 1004; ++i)); do echo "ls /none"; done >"$BATS_TEST_TMPDIR/lines"
  echo history >>"$BATS_TEST_TMPDIR/lines"
  run -3 --separate-stderr bell shell <"$BATS_TEST_TMPDIR/lines"
  [[ ${#lines[@]} == 1000 && ${lines[0]} == "6 ls /none" && ${lines[-1]} == "1005 history" ]]
}

@test "addWatch reports every change until removewatches" {
  run -0 bell shell <<'LINES'
create /many
addWatch /many
create /many/a 1
set /many/a 2
printwatches off
printwatches
set /many/a 3
printwatches on
removewatches /many
set /many/a 4
addWatch -m PERSISTENT /many
set /many/a 5
create /many/b 1
set /many 6
deleteall /many
LINES
  [[ $(grep -o '^watch: [a-z]* [^ ]*' <<<"$output" | LC_ALL=C sort) == "$(printf 'watch: %s\n' \
    'changed /many' 'changed /many/a' 'children /many' 'created /many/a' 'deleted /many')" ]]
  [[ $output == *"printwatches is off"* ]]
}

@test "an error of a watch is that of its line" {
  run -2 --separate-stderr bell shell <<<'addWatch no/path'
  run -2 --separate-stderr bell shell <<<'addWatch -m SOMETIMES /'
  run -3 --separate-stderr bell shell <<<'removewatches /never'
  [[ $stderr == *"addWatch has set none at /never"* ]]
}

@test "getAllChildrenNumber and getEphemerals" {
  run -0 bell shell <<'LINES'
create /family
create /family/a
create -e /family/a/mine
create -e /family/b
getAllChildrenNumber /family
getEphemerals /family/a
getEphemerals
deleteall /family
LINES
  [[ ${output#*/family/b$'\n'} == $'3\n/family/a/mine\n/family/a/mine\n/family/b' ]]
}

@test "close ends the session, connect begins another" {
  run -0 --separate-stderr bell shell <<LINES
create -e /session
close
connect
ls /
connect $BELL_COORD
version
LINES
  [[ $output != */session*session* && ${lines[-1]} == "bell 0.1.0 (git "* ]]
  run -4 --separate-stderr bell shell <<<$'close\nls /'
  [[ $stderr == *"ls: there is no session; open one with \`connect\`"* ]]
  run -5 --separate-stderr bell --timeout 1s shell <<<'connect 127.0.0.1:1'
}

@test "redo runs a line again, never itself" {
  run -0 bell shell <<<$'create -s /again- x\nredo 1\nredo 2\nhistory'
  [[ $output == $'/again-'*$'\n/again-'*$'\n/again-'*$'\n1 create -s /again- x\n2 create'*$'x\n3 create'*$'x\n4 history' ]]
  run -2 --separate-stderr bell shell <<<'redo 1'
  [[ $stderr == *"'1' is not the number of a line"* ]]
}

@test "ACLs are set at creation and later, and hide what they say" {
  run -3 --separate-stderr bell shell <<'LINES'
addauth digest bob:pw
create /acl open
create /acl/mine secret auth::cdrwa
getAcl /acl
getAcl /acl/mine
setAcl -v 0 /acl/mine auth::r,world:anyone:a
get /acl/mine
whoami
history
get /no/such
LINES
  [[ ${lines[2]} == world:anyone:cdrwa ]]
  [[ ${lines[3]} =~ ^digest:bob:[A-Za-z0-9+/]+=*:cdrwa$ ]]
  [[ ${lines[4]} == secret && ${lines[5]} == "ip: 127.0.0.1" && ${lines[6]} == "digest: bob" ]]
  [[ ${lines[7]} == "1 create /acl open" ]]
  run -7 --separate-stderr bell znode get /acl/mine -o json
  check_error 7 permission_denied
  run -0 bell --auth digest:bob:pw znode get /acl/mine
  [[ $output == secret ]]
  run -0 bell --auth digest:bob:pw znode stat /acl/mine -o json
  check_json '.stat.aversion == 1'
}

@test "a watch tells nothing of what an ACL hides" {
  bell shell <<<$'addauth digest bob:pw\ncreate /hidden\ncreate /hidden/s 1 auth::cdrwa'
  zxid=$(bell znode get /hidden -o json | jq .stat.czxid)
  bell --auth digest:bob:pw znode set /hidden/s 2
  bell znode create /hidden/t
  run -0 bell znode watch /hidden -R --from-zxid "$zxid" --count 1
  [[ ${lines[1]} == "created /hidden/t "* ]]
  run -0 bell --auth digest:bob:pw znode watch /hidden -R --from-zxid "$zxid" --count 3
  [[ ${lines[1]} == "created /hidden/s "* && ${lines[2]} == "changed /hidden/s "* ]]
}

@test "credentials that prove nothing are refused, without being repeated" {
  run -7 --separate-stderr bell shell <<<'addauth sasl secret'
  [[ $stderr != *secret* ]]
  run -2 --separate-stderr bell --auth secret znode get /
  [[ $stderr != *secret* ]]
}

@test "containers and znodes with a TTL" {
  run -0 bell shell <<<$'create -c /box\ncreate -t 60000 /lasts x\ncreate -s -t 60000 /lasts- x\nls /'
  [[ ${lines[0]} == /box && ${lines[1]} == /lasts && ${lines[2]} == /lasts-00* ]]
  run -2 bell shell <<<'create -c -e /both'
  run -2 bell shell <<<'create -t 0 /never'
}

@test "quotas are set, shown, obeyed and never nested" {
  run -0 bell shell <<'LINES'
create /quota
create /quota/a 123
setquota -N 3 /quota
setquota -b 100 /quota
listquota /quota
create /quota/b
LINES
  [[ ${lines[2]} == "limits  count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=3" ]]
  [[ ${lines[3]} == "usage   count=2,bytes=3" ]]
  run -5 --separate-stderr bell znode create /quota/c
  [[ $stderr == *"quota"* ]]
  run -4 --separate-stderr bell shell <<<'setquota -n 5 /quota/a'
  [[ $stderr == *"quotas can't be nested"* ]]
  run -0 bell shell <<<$'delquota -N /quota\ncreate /quota/c\ndelquota /quota\nsetquota -n 5 /quota/a'
  run -4 bell shell <<<'setquota -n 5 /quota'
  run -3 bell shell <<<'listquota /quota'
  run -2 bell shell <<<'setquota -n 5 /zookeeper/quota'
}
