# stream-dump, and the stream reader behind all tools.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
  python3 - <<'END'
def text(s): return bytes([0xd9, len(s.encode())]) + s.encode()
def number(n): return n.to_bytes(1, "big")
def record(*pairs): return bytes([0x80 | len(pairs)]) + b"".join(text(k) + v for k, v in pairs)
header = record(("type", text("header")), ("blades", number(1)), ("kind", text("embedding")))
vector = b"\xc4\x08" + b"\x00\x00\x80\x3f" + b"\x00\x00\xc0\x7f"
one = record(("type", text("embedding")), ("id", text("a")), ("vector", vector), ("other", b"\xc4\x03abc"))
bad = record(("type", text("error")), ("id", text("b")), ("stage", text("x")), ("reason", text("y")))
def trailer(n, m): return record(("type", text("trailer")), ("records", number(n)), ("errors", number(m)))
def write(name, *parts): open(name, "wb").write(b"".join(parts))
write("good", header, one, bad, trailer(1, 1))
open("ends", "w").write("%d %d" % (len(header + one), len(header + one + bad))) # where records 2 and 3 begin
write("count", header, one, bad, trailer(2, 1))
write("errors", header, one, bad, trailer(1, 0))
write("version", record(("type", text("header")), ("blades", number(2)), ("kind", text("face"))), trailer(0, 0))
write("headless", one, trailer(1, 0))
write("type", header, record(("type", text("face"))), trailer(1, 0))
write("garbage", header, b"\xc1\xc1\xc1")
write("huge", header, b"\x81" + text("type") + b"\xc6\xff\xff\xff\xff")
write("deep", header, b"\x91" * 100 + b"\xc0")
write("wide", header, b"\xdd\xff\xff\xff\xff" + b"\xc0" * 1000)
write("kinds", header, trailer(0, 0), record(("type", text("header")), ("blades", number(1)), ("kind", text("face"))), trailer(0, 0))
write("keys", header, b"\x81\x01\x02", trailer(1, 0))
write("latin", header, record(("type", text("embedding")), ("id", b"\xa3a\xe9b")), trailer(1, 0))
END
}

@test "shows records as JSON lines, vectors as arrays, NaN as null" {
  run stream-dump good
  assert_status 0
  [ "${lines[0]}" = '{"type":"header","blades":1,"kind":"embedding"}' ]
  [ "${lines[1]}" = '{"type":"embedding","id":"a","vector":[1.0,null],"other":{"bytes":3}}' ]
  [ "${lines[2]}" = '{"type":"error","id":"b","stage":"x","reason":"y"}' ]
  [ "${#lines[@]}" = 3 ]
}

@test "--base64 shows all binary" {
  run stream-dump --base64 good
  [ "${lines[1]}" = '{"type":"embedding","id":"a","vector":{"base64":"AACAPwAAwH8="},"other":{"base64":"YWJj"}}' ]
}

@test "streams concatenate, as bytes and as operands" {
  cat good good >both
  run stream-dump --count both
  [ "$output" = "2 records, 2 errors" ]
  run stream-dump --count good both good
  [ "$output" = "4 records, 4 errors" ]
}

@test "--limit stops after so many records, errors among them, and reads no further" {
  run stream-dump -n 2 good good
  assert_status 0
  [ "${#lines[@]}" = 3 ]
  [[ ${lines[2]} == *'"error"'* ]]
  run stream-dump -n 1 count
  assert_status 0
  [ "${#lines[@]}" = 2 ]
}

@test "a stream without records shows its header" {
  head -c "$(grep -abo embedding good | sed -n 1p | cut -d: -f1)" good >empty
  printf 'embedding\x83\xa4type\xa7trailer\xa7records\x00\xa6errors\x00' >>empty
  run stream-dump empty
  assert_status 0
  [ "$output" = '{"type":"header","blades":1,"kind":"embedding"}' ]
}

@test "a stream cut at any byte is 65 and names the record" {
  size=$(stat -c %s good)
  read -r second third <ends || true
  for ((cut = 0; cut < size; cut++)); do
    head -c "$cut" good >short
    status=0
    stream-dump short >out 2>error || status=$?
    [ $status = 65 ] || { echo "cut at $cut: $status" >&2; return 1; }
    grep -q "^stream-dump: short: record $((1 + (cut >= second) + (cut >= third))): " error
  done
}

@test "--verify answers 1 for a damaged stream and 0 for a good one" {
  run stream-dump --verify good
  assert_status 0
  [ -z "$output" ]
  for bad in count errors version headless type garbage huge deep wide kinds keys; do
    run stream-dump --verify $bad
    assert_status 1
    run stream-dump $bad
    assert_status 65
    [[ $output == *"$bad: record "* ]]
  done
}

@test "a length of gigabytes allocates nothing" {
  [[ $BLADES_BUILD != *sanitize* ]] || skip 'address space is not limited under a sanitizer'
  run bash -c 'ulimit -v 400000; stream-dump huge'
  assert_status 65
}

@test "text that is not UTF-8 is shown with replacement characters" {
  run stream-dump latin
  assert_status 0
  [[ ${lines[1]} == *'"id":"a'$'\xef\xbf\xbd''b"'* ]]
}

@test "a missing input is 66, a full disk 74, a closed pipe silent" {
  run stream-dump missing
  assert_status 66
  [[ $output == *"missing: No such file"* ]]
  run bash -c 'stream-dump good >/dev/full'
  assert_status 74
  run bash -c 'stream-dump good good good | true; exit 0'
  [ -z "$output" ]
}

@test "-o appears whole or not at all" {
  run stream-dump -o out.json garbage
  assert_status 65
  [ "$(ls out.json* 2>/dev/null)" = "" ]
  run stream-dump -o out.json good
  assert_status 0
  [ "$(wc -l <out.json)" = 3 ]
  run stream-dump -o missing-folder/out.json good
  assert_status 73
}
