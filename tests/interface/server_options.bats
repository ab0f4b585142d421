# bell-coord and bell-broker: flags, configuration file, ready line, exit codes, data folders.
# shellcheck shell=bash disable=SC2154
bats_require_minimum_version 1.5.0

setup() {
  export PATH=${BELL_BIN:-$PWD/build/release/bin}:$PATH
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  for pid in "${servers[@]}"; do
    kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
  done
  return 0
}

servers=() # process ids

# serve PROGRAM FLAGS...: starts a server on free ports; returns when it serves, with its ready line
# in `ready` and its process id in `pid`.
serve() {
  local out
  out=$(mktemp ./ready.XXXX)
  local flags=(--listen 127.0.0.1:0 --listen-admin 127.0.0.1:0)
  if [[ $1 == bell-coord ]]; then flags+=(--listen-zk 127.0.0.1:0); fi
  "$@" "${flags[@]}" >"$out" 2>"$out.log" 3>&- &
  pid=$!
  servers+=("$pid")
  until [[ -s $out ]]; do
    kill -0 "$pid" || { cat "$out.log"; return 1; }
    sleep 0.02
  done
  ready=$(<"$out")
}

# serve_anywhere FLAGS...: a bell-coord whose address is not loopback; its log in `log`.
serve_anywhere() {
  bell-coord --id 1 --data-dir c --listen 0.0.0.0:0 --listen-admin off --listen-zk off \
    --allow-plaintext "$@" >ready 2>log 3>&- &
  servers+=("$!")
  until [[ -s ready ]]; do sleep 0.02; done
}

# field NAME: a field of the ready line.
field() {
  local rest=${ready#* "$1"=}
  echo "${rest%% *}"
}

# refused EXIT TEXT COMMAND...: the command ends so within 10 s, and the last line of stderr names it
# and the text.
refused() {
  local expected=$1 text=$2
  shift 2
  run --separate-stderr timeout 10 "$@"
  [[ $status == "$expected" && -z $output && ${stderr_lines[-1]} == "$1: error: "*"$text"* ]] || {
    echo "$*: exit $status, stdout '$output', stderr: $stderr"
    return 1
  }
}

@test "--version and --help" {
  for program in bell-coord bell-broker bell; do
    run -0 "$program" --version
    [[ $output =~ ^$program\ 0\.1\.0\ \(git\ [0-9a-f]+,\ [a-z]+\)$ ]]
    run -0 "$program" --help
    [[ $output == *Usage:* ]]
  done
}

@test "--check-config checks flags and file; flag beats file beats default" {
  cat >coord.toml <<'TOML'
id = 1
data-dir = "/var/lib/bellwether"
peer = ["1=a:2192", "2=b:2192", "3=c:2192"]
listen-peer = "127.0.0.1:2192"
log-level = "warn"
TOML
  run -0 bell-coord --config coord.toml --check-config
  run -0 bell-coord --config coord.toml --id 2 --print-config
  [[ $output == *'id = "2"'* && $output == *'log-level = "warn"'* ]]
  [[ $output == *'listen = "127.0.0.1:2191"'* && $output == *'"3=c:2192"'* ]]
  [[ ! -e /var/lib/bellwether ]]
  echo "$output" >printed.toml
  run -0 bell-coord --config printed.toml --print-config
  [[ $output == "$(<printed.toml)" ]]
  run -0 bell-broker --id 7 --data-dir d --coord a:1,b:2 --rack r1 --session-timeout 10s --check-config
}

@test "errors of the file name it, the line, and the nearest key" {
  toml() { printf '%s\n' 'id = 1' 'data-dir = "d"' "$@" >bad.toml; }
  for program in bell-coord bell-broker; do
    toml 'listn = "127.0.0.1:1"'
    refused 2 "bad.toml:3: listn: unknown key; did you mean listen?" $program --config bad.toml
    toml 'listen = ["127.0.0.1:1"]'
    refused 2 "bad.toml:3: listen: " $program --config bad.toml
    toml 'log-level = "loud"'
    refused 2 "bad.toml:3: log-level: 'loud'" $program --config bad.toml --check-config
    toml 'id = 2'
    refused 2 "bad.toml:3: " $program --config bad.toml
    toml 'listen = "no'
    refused 2 "bad.toml:3: " $program --config bad.toml
    refused 2 "none.toml" $program --config none.toml
  done
}

@test "errors of flags name the flag and what would be right" {
  for program in bell-coord bell-broker; do
    refused 2 "did you mean --listen?" $program --lisen 127.0.0.1:1
    refused 2 "--id: " $program --data-dir d
    refused 2 "--data-dir: " $program --id 1
    refused 2 "--id: 'x'" $program --id x --data-dir d
    refused 2 "--listen: " $program --id 1 --data-dir d --listen 127.0.0.1
    refused 2 "allow-plaintext" $program --id 1 --data-dir d --listen 10.1.2.3:1
    refused 2 "allow-plaintext" $program --id 1 --data-dir d --listen-admin 0.0.0.0:1
    refused 2 "--log-format: " $program --id 1 --data-dir d --log-format xml
  done
  refused 2 "allow-plaintext" bell-coord --id 1 --data-dir d --listen-zk 0.0.0.0:1
  refused 2 "--zk-4lw: " bell-coord --id 1 --data-dir d --zk-4lw srvr,nope
  refused 2 "--superdigest: " bell-coord --id 1 --data-dir d --superdigest password
  refused 2 "--id: " bell-coord --id 255 --data-dir d
  refused 2 "--peer: " bell-coord --id 1 --data-dir d --peer 2=a:1 --peer 3=b:1
  refused 2 "--peer: " bell-coord --id 1 --data-dir d --peer 1=a:1 --peer 1=b:1
  refused 2 "allow-plaintext" bell-coord --id 1 --data-dir d --peer 1=10.1.2.3:1
  refused 2 "--session-timeout: " bell-broker --id 1 --data-dir d --session-timeout 10
  refused 2 "--coord: " bell-broker --id 1 --data-dir d --coord nowhere
  refused 2 "--advertise: " bell-broker --id 1 --data-dir d --listen 0.0.0.0:1 --allow-plaintext
  refused 2 "--advertise: " bell-broker --id 1 --data-dir d --advertise here
  [[ ! -e d ]]
}

@test "the ready line, identity.json, LOCK, and exit 0 on SIGTERM and SIGINT" {
  serve bell-coord --id 1 --data-dir c
  [[ $ready =~ ^bell-coord:\ ready\ id=1\ grpc=127.0.0.1:[1-9][0-9]*\ peer=off\ zk=127.0.0.1:[1-9][0-9]*\ admin=127.0.0.1:[1-9][0-9]*\ data_dir=c\ pid=$pid$ ]]
  [[ -e c/LOCK && $(jq -c '[.format, .kind, .id]' c/identity.json) == '[1,"coord",1]' ]]
  coord=$(field grpc)
  run -0 bell --coord "$coord" cluster status -o json
  [[ $(jq .coord.ensemble_id <<<"$output") == $(jq .ensemble_id c/identity.json) ]]
  serve bell-broker --id 3 --data-dir b --coord "$coord"
  [[ $ready =~ ^bell-broker:\ ready\ id=3\ grpc=127.0.0.1:[1-9][0-9]*\ kafka=off\ admin=127.0.0.1:[1-9][0-9]*\ data_dir=b\ pid=$pid$ ]]
  [[ $(jq -c '[.format, .kind, .id]' b/identity.json) == '[1,"broker",3]' ]]
  kill -TERM "$pid"
  wait "$pid"
  kill -INT "${servers[0]}"
  wait "${servers[0]}"
}

@test "an address that isn't loopback works with --allow-plaintext, and is logged" {
  serve_anywhere --advertise 127.0.0.1:1
  grep -q "allow-plaintext" log
}

@test "an address that clients can't use is logged, with what to do" {
  serve_anywhere
  grep -q "allow-plaintext" log
  grep -q "give with --advertise the one that they should use id=1 address=0.0.0.0:" log
}

@test "a port in use is named" {
  serve bell-coord --id 1 --data-dir c
  coord=$(field grpc) admin=$(field admin) zk=$(field zk)
  refused 1 "--listen: cannot listen on $coord" \
    bell-coord --id 1 --data-dir c2 --listen "$coord" --listen-admin off --listen-zk off
  refused 1 "--listen-admin: cannot listen on $admin" bell-coord --id 1 --data-dir c2 \
    --listen 127.0.0.1:0 --listen-admin "$admin" --listen-zk off
  refused 1 "--listen-zk: cannot listen on $zk" bell-coord --id 1 --data-dir c2 \
    --listen 127.0.0.1:0 --listen-admin off --listen-zk "$zk"
  refused 1 "--listen-peer: cannot listen on $coord" bell-coord --id 1 --data-dir c2 \
    --peer "1=$coord" --listen 127.0.0.1:0 --listen-admin off --listen-zk off
  refused 1 "--listen: cannot listen on $coord" \
    bell-broker --id 1 --data-dir b --coord "$coord" --listen "$coord" --listen-admin off
  refused 1 "--listen-admin: cannot listen on $admin" \
    bell-broker --id 1 --data-dir b --coord "$coord" --listen 127.0.0.1:0 --listen-admin "$admin"
  run -0 bell --coord "$coord" znode create /undisturbed
}

@test "--tree-bytes-max refuses what grows until there is room again" {
  refused 2 "--tree-bytes-max: " bell-coord --id 1 --data-dir c --tree-bytes-max 512
  serve bell-coord --id 1 --data-dir c --tree-bytes-max 100KiB
  bell() { command bell --coord "$(field grpc)" "$@"; }
  bell znode create /large "$(head -c 102400 /dev/zero | tr '\0' x)"
  run --separate-stderr bell znode create /more -o json
  [[ $status == 5 ]]
  error=${stderr_lines[-1]}
  [[ $(jq -r '.error | "\(.code) \(.outcome)"' <<<"$error") == "resource_exhausted rejected" ]]
  [[ $(jq -r .error.message <<<"$error") == *"--tree-bytes-max"* ]]
  bell znode get /large >got
  bell znode delete /large
  bell znode create /more
  metrics=$(curl -sS "http://$(field admin)/metrics")
  [[ $metrics == *$'\nbell_tree_bytes_max 102400\n'* ]]
  [[ $metrics == *$'\nbell_writes_refused_tree_full_total 1\n'* ]]
}

@test "--slow-request says which requests take long, and 0 none" {
  refused 2 "--slow-request: " bell-coord --id 1 --data-dir c --slow-request 5
  serve bell-coord --id 1 --data-dir c --slow-request 1ns
  bell --coord "$(field grpc)" znode create /slow secret
  until grep -q "slow request session=0x.* client=.* kind=create path=/slow ms=" ready.*.log; do
    sleep 0.02
  done
  run -1 grep secret ready.*.log
  kill -TERM "$pid" && wait "$pid"
  rm ready.*
  serve bell-coord --id 1 --data-dir c --slow-request 0
  bell --coord "$(field grpc)" znode set /slow more
  kill -TERM "$pid" && wait "$pid"
  run -1 grep "slow request" ready.*.log
}

@test "a locked folder, and one of another id, kind or ensemble" {
  quiet=(--listen 127.0.0.1:0 --listen-admin off)
  serve bell-coord --id 1 --data-dir c
  coord=$(field grpc) coord_pid=$pid
  refused 1 "in use by process $coord_pid" bell-coord --id 1 --data-dir c "${quiet[@]}" \
    --listen-zk off
  serve bell-broker --id 1 --data-dir b --coord "$coord"
  refused 1 "in use by process $pid" bell-broker --id 1 --data-dir b --coord "$coord" "${quiet[@]}"
  refused 1 "pid $pid" bell-broker --id 1 --data-dir b2 --coord "$coord" "${quiet[@]}"
  [[ $(bell --coord "$coord" broker list -o json | jq -c '[.brokers[].id]') == "[1]" ]]
  kill -TERM "$pid" && wait "$pid"
  refused 1 "belongs to broker 1" bell-broker --id 2 --data-dir b --coord "$coord" "${quiet[@]}"
  refused 1 "belongs to broker 1" bell-coord --id 1 --data-dir b "${quiet[@]}" --listen-zk off
  serve bell-coord --id 1 --data-dir other
  refused 1 "belongs to ensemble $(jq -r .ensemble_id c/identity.json)" \
    bell-broker --id 1 --data-dir b --coord "$(field grpc)" "${quiet[@]}"
  kill -TERM "$coord_pid" && wait "$coord_pid"
  refused 1 "belongs to coord 1" bell-coord --id 2 --data-dir c "${quiet[@]}" --listen-zk off
}

@test "a folder that can't be written" {
  touch file
  for program in bell-coord bell-broker; do
    refused 1 "'file" $program --id 1 --data-dir file/d --listen 127.0.0.1:0 --listen-admin off
    refused 1 "/proc/d" $program --id 1 --data-dir /proc/d --listen 127.0.0.1:0 --listen-admin off
  done
}
