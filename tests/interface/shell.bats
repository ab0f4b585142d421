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
