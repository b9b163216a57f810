# stream-dump, and the stream reader behind all tools.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
  python3 - <<'END'
import struct
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
write("reals", header, record(("type", text("embedding")), ("id", text("r")), *((k, b"\xcb" + struct.pack(">d", x)) for k, x in
    (("a", 1e-5), ("b", 0.0125), ("c", 0.1 + 0.2), ("d", 3.0), ("e", 1e300), ("f", -2.5e-7)))), trailer(1, 0))
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

@test "options that ask for different things are 64, and a damaged stream is never called whole" {
  for options in "--verify --header" "--verify --count" "--verify -n 1" "--verify --base64" "--count --header" \
    "--count -n 1" "--count --base64" "--header -n 1"; do
    # shellcheck disable=SC2086
    run stream-dump $options count
    assert_status 64
    [[ $output == *"--${options:2:5}"*" do not go together"* ]]
  done
  run stream-dump --header --base64 good
  assert_status 0
}

@test "what is no stream is called by its name, with what to do" {
  printf '\xff\xd8\xff\xe1 and so on' >a.jpg
  printf '\x89PNG\r\n\x1a\nIHDR' >a.png
  printf 'RIFF0000WEBPVP8 ' >a.webp
  printf '{"type":"embedding"}' >a.json
  printf '\x08\0\0\0\0\0\0\0{"a":1} ' >a.safetensors
  gzip <good >a.gz
  check() { # FILE TEXT...
    for input in "$1" - "good $1"; do # as a file, from a pipe, behind a stream
      # shellcheck disable=SC2086
      run bash -c "cat '$1' | stream-dump $input"
      assert_status 65
      [[ $output == *": is $2, not a stream: $3"* ]] || { echo "$input: $output" >&2; return 1; }
    done
    run pretext-batch --tasks "$BLADES_ROOT/examples/tasks/reference.json" "$1" # which maps its files
    assert_status 65
    [[ $output == *"$1: is $2, not a stream: $3"* ]]
  }
  check a.jpg "a JPEG image" "give it to exif-extract first"
  check a.png "a PNG image" "give it to exif-extract first"
  check a.webp "a WebP image" "give it to exif-extract first"
  check a.json "JSON text" "face-locate -a takes annotations"
  check a.safetensors "a safetensors file (a model or detector)" "give it by its option"
  check a.gz "compressed by gzip" "decompress it first"
}

@test "a stream of the wrong kind: which is needed, and what makes it" {
  run face-locate --whole good
  assert_status 65
  [[ $output == "face-locate: good: record 1: an 'embedding' stream, but a 'photo' stream is needed: run exif-extract" ]]
  run stream-dump kinds
  [[ $output == *": a 'face' stream follows an 'embedding' stream"* ]]
}

@test "numbers are printed in as many digits as they need" {
  run stream-dump reals
  assert_status 0
  [ "${lines[1]}" = '{"type":"embedding","id":"r","a":1e-5,"b":0.0125,"c":0.30000000000000004,"d":3.0,"e":1e300,"f":-2.5e-7}' ]
}

@test "an output that is full is called by its name" {
  for i in {1..60}; do cat good; done >many
  run stream-dump -o /dev/full many
  assert_status 74
  [[ $output == "stream-dump: /dev/full: No space left on device" ]]
}
