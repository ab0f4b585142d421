# `bell produce` and `bell consume`: every form of the interface sheet.
# shellcheck shell=bash disable=SC2154
load cluster
setup_file() { start_cluster 1 1; }
teardown_file() { stop_cluster; }

# consumed TOPIC FLAGS...: what is there now.
consumed() { bell consume "$@" --exit-at-end; }

@test "one record per line, byte for byte; the last line may lack its newline" {
  bell topic create lines
  printf 'a\n\n b\\n \xff\x00\r\nlast' >"$BATS_TEST_TMPDIR/in"
  run -0 --separate-stderr bell produce lines "$BATS_TEST_TMPDIR/in"
  [[ -z $output && $(jq .records <<<"${stderr_lines[-1]}") == 4 ]]
  consumed lines | cmp - <(cat "$BATS_TEST_TMPDIR/in" && echo)
  bell topic create none
  run -0 bell produce none -o json </dev/null
  check_json '.records == 0 and .acked == 0'
}

@test "the summary and the report have the documented JSON" {
  bell topic create summed
  run -0 bell produce summed - -o json --report "$BATS_TEST_TMPDIR/report" <<<$'one\ntwo'
  check_json 'keys_unsorted == ["topic", "records", "acked", "rejected", "unknown", "bytes", "seconds"]'
  check_json '.topic == "summed" and .records == 2 and .acked == 2 and .rejected == 0
    and .unknown == 0 and .bytes == 6 and .seconds >= 0'
  run -0 cat "$BATS_TEST_TMPDIR/report"
  [[ ${#lines[@]} == 2 ]]
  output=${lines[1]}
  check_json 'keys_unsorted == ["line", "status", "partition", "offset", "timestamp_ms", "error"]
    and .line == 2 and .status == "acked" and .partition == 0 and .offset == 1
    and .timestamp_ms > 1600000000000 and .error == null'
  run -0 --separate-stderr bell produce summed --report - <<<three
  check_json '.line == 1 and .offset == 2'
  run -2 bell produce summed --report - -o json <<<four
}

@test "keys, headers, partition and line numbers" {
  bell topic create shaped --partitions 3
  bell produce shaped --key-separator : --header source=test --header a=b=c --line-header line=7 \
    --partition 2 <<<$'k:v:w\nno key'
  run -0 consumed shaped -o json
  output=${lines[0]}
  check_json 'keys_unsorted == ["topic", "partition", "offset", "timestamp_ms", "leader_epoch",
    "key", "key_base64", "value", "value_base64", "headers"]'
  check_json '.topic == "shaped" and .partition == 2 and .offset == 0 and .leader_epoch == 0
    and .key == "k" and .key_base64 == null and .value == "v:w" and .value_base64 == null'
  check_json '.headers == [{key: "source", value: "test", value_base64: null},
    {key: "a", value: "b=c", value_base64: null}, {key: "line", value: "7", value_base64: null}]'
  output=${lines[1]}
  check_json '.key == null and .key_base64 == null and .value == "no key"
    and .headers[2].value == "8"'
  printf '\xff' | bell produce shaped --partition 0
  run -0 consumed shaped --partition 0 -o json
  check_json '.value == null and .value_base64 == "/w==" and .headers == []'
}

@test "records of one key go to one partition, the same as Kafka's" {
  bell topic create keyed --partitions 6
  seq 60 | sed 's/\(.*\)/\1:x/' | bell produce keyed --key-separator :
  seq 60 | sed 's/\(.*\)/\1:y/' | bell produce keyed --key-separator :
  run -0 bash -c 'bell consume keyed --exit-at-end --format "%k %p\n" | sort -u | wc -l'
  [[ $output == 60 ]]
  bell topic create murmur --partitions 100
  bell produce murmur --key-separator : <<<'21:x'
  run -0 consumed murmur --format '%p'
  [[ $output == 40 ]] # toPositive(murmur2("21") = -973932308) modulo 100, from Kafka's tests
}

@test "compression does not show" {
  for compression in none lz4 zstd; do
    bell topic create "packed-$compression"
    seq 20000 | bell produce "packed-$compression" --compression "$compression"
    consumed "packed-$compression" | cmp - <(seq 20000)
  done
  run -2 --separate-stderr bell produce packed-none --compression gzip </dev/null
}

@test "--from begins at the beginning, the end, an offset, -N and a time" {
  bell topic create places
  bell produce places <<<$'0\n1\n2\n3'
  time=$(bell consume places --exit-at-end --format '%T\n' | tail -1)
  until (($(date +%s%3N) > time + 1)); do :; done
  bell produce places <<<$'4\n5'
  run -0 consumed places --from beginning
  [[ $output == $'0\n1\n2\n3\n4\n5' ]]
  run -0 consumed places --from 4
  [[ $output == $'4\n5' ]]
  run -0 consumed places --from -1
  [[ $output == 5 ]]
  run -0 consumed places --from -100
  [[ ${lines[0]} == 0 ]]
  run -0 consumed places --from "@$((time + 1))"
  [[ $output == $'4\n5' ]]
  run -0 consumed places --from end
  [[ -z $output ]]
  run -0 bell consume places --from 1 --count 2
  [[ $output == $'1\n2' ]]
  run -1 --separate-stderr consumed places --from 7
  [[ $stderr == *"0 to 6"* ]]
  run -2 --separate-stderr consumed places --from yesterday
}

@test "consume follows until told; --timeout and --count end it" {
  bell topic create followed
  bell consume followed --count 2 >"$BATS_TEST_TMPDIR/out" 3>&- &
  bell produce followed <<<one
  until [[ -s $BATS_TEST_TMPDIR/out ]]; do sleep 0.05; done
  bell produce followed <<<two
  wait $!
  [[ $(<"$BATS_TEST_TMPDIR/out") == $'one\ntwo' ]]
  run -0 bell consume followed --timeout 300ms
  [[ $output == $'one\ntwo' ]]
  run -5 --separate-stderr bell consume followed --timeout 300ms --count 3
  [[ $output == $'one\ntwo' && ${stderr_lines[-1]} == "bell: error: "* ]]
}

@test "a consumer ends with 130 on SIGINT and prints what it got" {
  bell topic create interrupted
  bell produce interrupted <<<one
  set -m # else a background job ignores SIGINT
  bell consume interrupted >"$BATS_TEST_TMPDIR/out" 3>&- &
  set +m
  until [[ -s $BATS_TEST_TMPDIR/out ]]; do sleep 0.05; done
  kill -INT $!
  status=0
  wait $! || status=$?
  ((status == 130))
}

@test "--format and --null" {
  bell topic create formats
  bell produce formats --key-separator : --header h=1 --partition 0 <<<$'k:v\nx'
  run -0 consumed formats --format '%t %p %o %k %v %h %%\t.\n' --null NULL
  [[ $output == $'formats 0 0 k v h=1 %\t.\nformats 0 1 NULL x h=1 %\t.' ]]
  bell consume formats --exit-at-end --format '%v\0' | cmp - <(printf 'v\0x\0')
  run -2 consumed formats --format %v -o json
  run -2 --separate-stderr consumed formats --format %q
}
