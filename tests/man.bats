# The man pages as a reader sees them, in both programs that show them.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
}

rendered() { # PAGE: by each renderer, on lines that do not break
  { mandoc -T utf8 -O width=1000 "$1"; groff -k -m mdoc -T utf8 -rLL=1000n -rcR=1 "$1"; } |
    perl -CSD -pe 's/.\x08|\x1b\[[0-9;]*m//g'
}

@test "every page renders without a warning, and the JSON in it can be copied" {
  failed=0
  for page in "$BLADES_ROOT"/man/*.[157]; do
    rendered "$page" >text 2>warnings
    [ ! -s warnings ] || { failed=1; echo "$page: $(cat warnings)"; } >&2
    python3 - text <<'END' || { failed=1; echo "$page: see above" >&2; }
import json, re, sys

text = open(sys.argv[1]).read()
wrong = re.findall(r"\{[A-Za-z_]+[:,\"].*", text)  # quotes that the renderer took for its own
decoder = json.JSONDecoder()
for found in re.finditer(r'\{"', text):
    shown = text[found.start():]
    # An ellipsis, or a letter for a number, stands for a value.
    shown = re.sub(r",? *\.\.\.", "", shown.replace('"..."', '""'))
    shown = re.sub(r'(?<=":)N\b', "0", shown)
    if text[found.start() - 10:found.start()].endswith('"lambda":'):
        continue  # in a pattern of grep
    try:
        decoder.raw_decode(shown)
    except ValueError as error:
        wrong.append(f"{shown[:80]!r}: {error}")
print(*wrong, sep="\n", file=sys.stderr)
sys.exit(bool(wrong))
END
  done
  [ $failed = 0 ]
}

@test "quotes nest nowhere, and no heading is taken for a macro" {
  failed=0
  for page in "$BLADES_ROOT"/man/*.[157]; do
    rendered "$page" >text
    ! grep -n '‘[^’]*‘\|^ *<[a-z]*> ' text >found || { failed=1; echo "$page: $(cat found)"; } >&2
  done
  [ $failed = 0 ]
}

@test "no macro takes the words behind its own" {
  # one page a .Xr; prose behind an option, a name or a path begins a line of its own
  pattern='^\.Xr [^ ]+ [0-9]( [].,;:)]+)* [^].,;:)]|^\.(Fl|Ar|Pa|Ev|Va) [^ ]+ [.,;:] [a-z]+ [a-z]'
  printf '%s\n' '.Xr embed 1 , score 1 .' '.Fl x , but standard input' >wrong
  [ "$(grep -cE "$pattern" wrong)" = 2 ]
  run ! grep -nE "$pattern" "$BLADES_ROOT"/man/*.[157]
}
