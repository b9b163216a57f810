# Detectors: gmm-fit, mlp-fit, score, evaluate, tsne, blades-score on made embeddings.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
  make="$BLADES_ROOT/tests/embeddings.pl"
}

embeddings() { # the same four sources for every test
  "$make" 200 12 photographic photos >photos
  "$make" 60 12 photographic other 0 5 >other
  "$make" 80 12 generated gan 1 2 >gan
  "$make" 70 12 generated diffusion 0.2 7 >diffusion
}


@test "gmm-fit leaves generated faces out and says so; the detector tells them apart" {
  embeddings
  cat photos gan | gmm-fit -k 2 -o detector 2>said
  grep -q 'left out 80 faces labelled generated' said
  gmm-fit -q -k 2 -o alone photos
  score -d detector photos gan >a
  score -d alone photos gan >b
  stream-dump a | grep -c '"generated":true' >all
  [ "$(cat all)" -gt 75 ]
  [ "$(score -d detector photos | stream-dump | grep -c '"generated":true')" -lt 20 ]
  [ "$(stream-dump a | grep '"type":"score"' | md5sum)" = "$(stream-dump b | grep '"type":"score"' | md5sum)" ]
}

@test "the false alarm rate is that of the calibration faces" {
  embeddings
  gmm-fit -q -k 2 --calibrate fit --far 0.1 -o detector photos
  [ "$(score -d detector photos | stream-dump | grep -c '"generated":true')" = 20 ]
  gmm-fit -q -k 2 --calibrate other --far 0.05 -o detector photos
  [ "$(score -d detector other | stream-dump | grep -c '"generated":true')" = 3 ]
  run ! gmm-fit -q -k 2 --calibrate gan -o detector photos
}

@test "the same detector whatever the threads; another seed holds out other photos" {
  embeddings
  for kind in full diagonal tied; do
    gmm-fit -q -k 3 --covariance $kind -j 1 -o one photos
    gmm-fit -q -k 3 --covariance $kind -j 3 -o three photos
    cmp one three
  done
  gmm-fit -q -k 3 --covariance tied --seed 5 -o other.seed photos
  run ! cmp -s one other.seed
  for kind in mlp linear knn; do
    mlp-fit -q --classifier $kind --epochs 5 -j 1 -o one photos gan
    mlp-fit -q --classifier $kind --epochs 5 -j 3 -o three photos gan
    cmp one three
  done
}

@test "few faces: clear messages, and a fit where one is possible" {
  "$make" 10 40 '' few >few
  run -65 gmm-fit -q -o detector few
  [[ "$output" == *"too few for 10 components"*"smaller -k"* ]]
  gmm-fit -q -k 2 -o detector few
  score -d detector few | stream-dump --count | grep -q '^10 records, 0 errors'
  "$make" 1 40 photographic one >one
  gmm-fit -q -k 1 -o detector one
  "$make" 0 40 photographic none >none
  run -65 gmm-fit -q -k 1 -o detector none
  run -65 mlp-fit -q -o detector few
  [[ "$output" == *"labelled photographic"* ]]
}

@test "a range of components: the lowest BIC" {
  "$make" 300 8 photographic photos 0 1 3 >photos
  gmm-fit -k 1:5 --covariance diagonal -o detector photos 2>said
  [ "$(grep -c BIC said)" = 5 ]
  grep -q '3 diagonal components fitted' said
  run -64 gmm-fit -k 5:2 photos
  run -64 gmm-fit -k 0 photos
  run -64 gmm-fit -k 3x photos
}

@test "gmm-fit: few faces for the dimension: covariances are shrunk, said so, and hold for other faces" {
  "$make" 60 40 photographic few 0 1 1 >few
  "$make" 200 40 photographic others 0 2 1 >others
  mean() { # DETECTOR: mean log-likelihood of the other faces
    score -d "$1" others | stream-dump | sed -n 's/.*"score":\([^,]*\),.*/\1/p' | awk '{ s += $1 } END { print s / NR }'
  }
  for kind in full tied; do
    gmm-fit -k 1 --covariance $kind -o auto few 2>said
    grep -Eq 'covariances are shrunk by [0-9.]+ %, as the faces are few ' said
    gmm-fit -k 1 --covariance $kind --shrinkage none -o none few 2>said
    run ! grep -q shrunk said
    awk -v a="$(mean auto)" -v b="$(mean none)" 'BEGIN { exit !(a > b + 1) }'
  done
  gmm-fit -k 3 --shrinkage 0 -o none few 2>said
  grep -q '3 of 3 components have fewer faces than the 40 dimensions' said
  gmm-fit -k 1 -o auto others 2>said
  run ! grep -q shrunk said
  gmm-fit -k 1 --shrinkage 1 -o sphere few 2>said
  grep -q 'shrunk by 100.0 %' said
  gmm-fit -k 1 --covariance diagonal --shrinkage 0.5 -o diagonal few 2>said
  run ! grep -q shrunk said
  for wrong in 1.5 -0.1 some ''; do run -64 gmm-fit -k 1 --shrinkage "$wrong" few; done
}

@test "gmm-fit: one rule of shrinkage for all numbers of components that are compared" {
  "$make" 60 12 photographic photos >photos # enough for one component and for two, not for five
  gmm-fit -k 2 -o two photos 2>said
  run ! grep -q shrunk said
  gmm-fit -k 1:5 -o auto photos 2>auto.said
  gmm-fit -k 1:5 --shrinkage oas -o oas photos 2>oas.said
  [ "$(grep -c BIC auto.said)" = 5 ]
  diff <(grep BIC auto.said) <(grep BIC oas.said)
  grep -Eq 'shrunk by .* %, as the faces are few for 5 components \(' auto.said
}

@test "gmm-fit: --init sets the number of components; options that change nothing are told" {
  embeddings
  gmm-fit -q -k 3 --covariance diagonal -o start photos
  run -64 gmm-fit -q -k 2 --init start --covariance diagonal -o detector photos
  [ "${lines[0]}" = 'gmm-fit: --components 2: start begins 3 components: leave the option out' ]
  run -64 gmm-fit -q -k 1:3 --init start --covariance diagonal -o detector photos
  gmm-fit -q -k 3 --init start --covariance diagonal --no-provenance -o given photos
  gmm-fit --init start --covariance diagonal --no-provenance --starts 5 --shrinkage 0.1 --calibrate fit --held-out-fraction 0.2 -o detector photos 2>said
  [ "$(sed -n 's/gmm-fit: \(--.*\) changes nothing with \(.*\)/\1 \2/p' said)" = "--starts --init
--shrinkage --covariance diagonal
--held-out-fraction --calibrate fit" ]
}

@test "messages count in English" {
  "$make" 3 4 photographic photos >photos
  "$make" 1 4 photographic one >one
  gmm-fit -k 1 -o detector photos 2>said
  grep -q '1 full component fitted to 2 faces: ' said
  grep -q '1 face is few for a false alarm rate' said
  run ! grep -E '\b1 (components|faces|images|iterations|times)\b' said
  gmm-fit -k 1 --calibrate fit -o detector one 2>said
  grep -q '1 full component fitted to 1 face: ' said
  run ! grep 'fewer components would do' said
  gmm-fit -k 1:2 --shrinkage none -o detector photos 2>said
  grep -q '1 component: BIC' said
  run -65 gmm-fit -k 2 -o detector one
  [[ "$output" == *'1 face to fit to (0 held out) is too few for 2 components'* ]]
  run -65 tsne -q --perplexity 2 one
  [[ "$output" == *'1 face is too few'* ]]
  "$make" 2 4 photographic two >two
  tsne --perplexity 1 -o points two 2>said
  grep -q 'divergence 0.000000 after 1500 iterations' said
}

@test "gmm-fit says what it did to components that collapsed" {
  "$make" 40 5 photographic photos >photos
  for i in 1 2 3; do "$make" 1 5 photographic "same$i" 0 9; done >same # one face three times
  cat photos same >both
  gmm-fit -k 12 --regularisation 0 --shrinkage none --calibrate fit -o detector both 2>said
  grep -q 'covariances collapsed [0-9]* times and were regularised more' said
  [ "$(grep -c collapsed said)" = 1 ]
  gmm-fit -v -k 12 --regularisation 0 --shrinkage none --calibrate fit -o detector both 2>said
  grep -q 'covariance of component [0-9]* collapsed: regularised by another' said
  gmm-fit -v -k 20 --regularisation 0.01 --calibrate fit -o detector both 2>said
  [ "$(grep -c 'component [0-9]* lost its points: re-seeded' said)" -gt 0 ]
  gmm-fit -k 20 --regularisation 0.01 --calibrate fit -o detector both 2>said
  [ "$(grep -c 'components lost their points [0-9]* times and were re-seeded' said)" = 1 ]
  run ! grep 'lost its points' said
  score -d detector both | stream-dump | grep -c '"score":' >count
  [ "$(cat count)" = 43 ]
}

@test "gmm-fit leaves out labels that it does not know, and calibrates on its own model alone" {
  embeddings
  "$make" 50 12 fake fakes 1 2 >fakes
  gmm-fit -k 2 -o detector photos fakes 2>said
  grep -q 'left out 50 faces whose label is neither' said
  gmm-fit -q -k 2 --no-provenance -o alone photos
  gmm-fit -q -k 2 --no-provenance -o with photos fakes 2>said
  cmp alone with
  grep -q 'left out 50' said # also under -q
  "$make" 50 12 photographic mouth 1 2 | perl -pe 's/\xda\0\x06source/\xda\0\x0cmanipulation/g' >manipulated
  gmm-fit -k 2 --no-provenance -o with photos manipulated 2>said
  cmp alone with
  grep -q 'left out 50 manipulated faces' said
  run ! gmm-fit -q -k 2 --calibrate fakes -o detector photos
}

@test "a detector file with any byte changed is refused or still scores" {
  embeddings
  "$make" 20 12 photographic few >few
  for kind in full diagonal tied mlp linear knn; do
    case $kind in
      mlp | linear | knn) mlp-fit -q --classifier $kind --hidden 3 --epochs 2 -o detector few gan ;;
      *) gmm-fit -q -k 2 --covariance $kind -o detector few ;;
    esac
    size=$(stat -c %s detector)
    for i in $(seq 1 $((1 + SPARSENESS / 3)) 25); do
      at=$(((i <= 15 ? i * 53 % 900 : i * 7919) % size))
      perl -e 'local $/; open F, "<", "detector"; $_ = <F>; substr($_, $ARGV[0], 1) ^= chr(1 << $ARGV[0] % 7); print' $at >hostile
      status=0
      score -q -d hostile few >scores 2>said || status=$?
      [ $status = 0 ] || [ $status = 65 ] || { echo "$kind, byte $at: status $status" >&2; cat said >&2; return 1; }
      [ $status = 0 ] || [ -s said ]
    done
  done
}

@test "score passes keys and error records on, and reports what it cannot score" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  "$make" 3 5 photographic narrow >narrow
  run -65 --separate-stderr score -d detector narrow -o scores
  [ "$(score -d detector narrow --max-errors 3 2>said | stream-dump | grep -c '"reason":"its vector has 5 values, but 12 are needed"')" = 3 ]
  grep -q 'no face was scored: this detector can score none of the input$' said
  score -q -d detector narrow --max-errors 3 --text 2>said | grep -qx 'narrow/00000.jpg: could not be examined: its vector has 5 values, but 12 are needed'
  run -65 gmm-fit -q -k 1 -o none photos narrow
  [ "$output" = 'gmm-fit: narrow: record 201 (narrow/00000.jpg): its vector has 5 values, but 12 are needed' ]
  score -d detector --set by=me gan | stream-dump | sed -n 2p >line
  grep -q '"source":"gan"' line
  grep -q '"by":"me"' line
  grep -q '"p_value":' line
  run ! grep -q vector line
  run -64 score gan
  run -66 score -d nothing gan
  run -65 score -d gan gan
  head -c 3000 detector >cut
  run -65 score -d cut gan
}

@test "score --text speaks to people; --fail-on-generated exits 1" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  run -1 score -d detector --text --fail-on-generated gan
  [ "${#lines[@]}" = 80 ]
  [[ "${lines[0]}" == "gan/00000.jpg: looks generated (log-likelihood "*"none of 20 known photographs looks as odd)" ]]
  score -d detector --text --fail-on-generated --threshold -1e9 gan >out
  run ! grep -v 'looks like a photograph' out
  run -64 score -d detector --threshold 1,5 gan
  [ "${lines[0]}" = "score: --threshold: '1,5' is not a number" ]
}

@test "every kind of classifier finds the generated faces" {
  embeddings
  for kind in mlp linear knn; do
    mlp-fit -q --classifier $kind -o detector photos gan
    found=$(score -d detector gan | stream-dump | grep -c '"generated":true')
    wrong=$(score -d detector photos | stream-dump | grep -c '"generated":true' || true)
    [ "$found" -gt 72 ]
    [ "$wrong" -lt 20 ]
  done
  mlp-fit -o detector photos gan 2>said # a fifth of each class is held out
  grep -q 'fitted to 224 faces: .* on 56 faces' said
  grep -q 'p-values from 40 held-out photographic faces' said
  mlp-fit -q --far 0.1 --held-out-fraction 0.5 -o detector photos diffusion
  score -d detector photos | stream-dump --header | grep -q '"higher":"generated"'
}

@test "mlp-fit stops early, keeps the best epoch, and weighs the classes" {
  "$make" 300 8 photographic photos 0 1 >photos
  "$make" 30 8 generated gan 0.12 2 >gan
  mlp-fit -v --epochs 500 --lr 1e-2 -o balanced photos gan 2>said
  [ "$(grep -c 'mlp-fit: epoch ' said)" -lt 300 ]
  kept=$(sed -n 's/.*: epoch \([0-9]*\) of \([0-9]*\) kept.*/\1 \2/p' said)
  [ $((${kept% *} + 10)) = "${kept#* }" ] # ten more without a better one
  best=$(sed -n 's/.*epoch \([0-9]*\): loss .*, held out \([0-9.]*\),.*/\2 \1/p' said | sort -k1,1n -k2,2n | head -1)
  [ "${best#* }" = "${kept% *}" ]
  mlp-fit -q --epochs 500 --lr 1e-2 --no-balance -o unbalanced photos gan
  found() { score -d "$1" gan | stream-dump | grep -c '"generated":true' || true; }
  [ "$(found balanced)" -gt "$(found unbalanced)" ]
  mlp-fit -q --far 0.02 --held-out-fraction 0.5 -o strict photos gan
  wrong=$(score -d strict photos | stream-dump | grep -c '"generated":true' || true)
  [ "$wrong" -le 15 ]
}

@test "mlp-fit --classifier linear converges by itself; what ends too early is said" {
  "$make" 600 32 photographic photos 0 1 32 >photos
  "$make" 300 32 generated gan 0.06 2 32 >gan
  mlp-fit --classifier linear -o detector photos gan 2>said
  run ! grep 'not converged' said
  loss() { sed -n 's/.*held-out loss \([0-9.]*\),.*/\1/p' said; }
  own=$(loss)
  mlp-fit --classifier linear --epochs 5000 --lr 3e-3 -o detector photos gan 2>said
  awk -v a="$own" -v b="$(loss)" 'BEGIN { exit !(a < 1.005 * b) }'
  mlp-fit -q --classifier linear --epochs 5 -o detector photos gan 2>said
  [ "$(cat said)" = 'mlp-fit: not converged: raise --epochs (5)' ]
}

@test "mlp-fit --classifier knn: equally near faces count alike, whichever comes first" {
  for i in $(seq 20); do "$make" 1 7 photographic p$i 0 9; done >photos
  for i in $(seq 20); do "$make" 1 7 generated g$i 0 9; done >gan
  "$make" 1003 7 photographic others 0 2 >others # the copies lie in another block
  "$make" 1003 7 generated more 0 3 >more
  for order in 'photos gan' 'gan photos' 'others photos more gan' 'gan more photos others'; do
    mlp-fit -q --classifier knn -o detector $order
    score -d detector gan | stream-dump | sed -n 's/.*"score":\([0-9.]*\).*/\1/p' | sort -u >out
    [ "$(wc -l <out)" = 1 ] # about one half: how many copies are held out differs
    awk '{ exit !($1 > 0.45 && $1 < 0.55) }' out
  done
}

@test "mlp-fit says what it leaves out, and which options change nothing" {
  embeddings
  "$make" 50 12 photographic mouth 1 2 | perl -pe 's/\xda\0\x06source/\xda\0\x0cmanipulation/g' >manipulated
  run -65 mlp-fit -q -o detector manipulated gan
  [[ "$output" == 'mlp-fit: 0 faces are labelled photographic, 50 manipulated ones left out: at least two photos '* ]]
  idle() { # CLASSIFIER OPTIONS...
    mlp-fit --classifier "$1" "${@:2}" -o detector photos gan 2>&1 | sed -n 's/mlp-fit: \(--.*\) changes nothing with --classifier .*/\1/p' | tr '\n' ' '
  }
  [ "$(idle knn --no-balance --hidden 3 --epochs 2 --lr 1)" = '--hidden --epochs --lr --no-balance ' ]
  [ "$(idle linear --no-balance --hidden 3 --epochs 2 --neighbours 3)" = '--hidden --neighbours ' ]
  [ "$(idle mlp --no-balance --hidden 3 --epochs 2 --weight-decay 0)" = '' ]
}

@test "evaluate: tables in every format, a table's column, pairs, equal sizes" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  score -d detector photos other gan diffusion >scores
  evaluate --name OC scores >text
  grep -q 'AUC by generator' text
  grep -q '^OC ' text
  grep -q 'mean' text
  evaluate --table auc --format tsv scores >auc
  [ "$(head -1 auc)" = "$(printf 'method\tdiffusion\tgan\tmean\tmean low\tmean high')" ]
  evaluate --table confusion --format latex scores | grep -q '^gmm & .*\\\\$'
  evaluate --format json scores | grep -q '"positive": "generated"'
  stream-dump scores | sed -n 's/.*"id":"\([^"]*\)","score":\([^,]*\),.*/\1\t\2/p' >column.tsv
  evaluate --table auc --format tsv --column same=column.tsv --higher same=photographic scores >both
  [ "$(sed -n 2p both | cut -f2-4)" = "$(sed -n 3p both | cut -f2-4)" ]
  evaluate --table summary --pair gan=other --per-class 50 scores | grep -Eq '^gan +50 +50 '
  run -64 evaluate --pair gan=nobody scores
  run -65 evaluate scores scores
  [[ "$output" == *"comes twice"* ]]
}

@test "evaluate counts failed and missing images by source" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  "$make" 4 3 generated gan 0 1 2 odd >narrow
  score -q -d detector --max-errors 9 photos gan narrow >scores
  evaluate scores >text
  grep -Eq '^gan +generated +80 .* 4$' text
  stream-dump scores | sed -n 's/.*"id":"\(photos[^"]*\)","score":\([^,]*\),.*/\1\t\2/p' | tail -n +3 >column.tsv
  printf 'elsewhere\t1\n' >>column.tsv
  evaluate --column part=column.tsv --format json scores 2>said >json
  grep -q '"missing": 82' json
  grep -q '"unknown": 1' json
  grep -q 'part: 82 faces are missing' said
}

@test "evaluate reads pipes, and counts scores that are no numbers as failed" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  score -d detector photos gan >scores
  evaluate --table auc --format tsv --method a=scores --method b=<(cat scores) >out
  [ "$(sed -n 2p out | cut -f2-)" = "$(sed -n 3p out | cut -f2-)" ]
  mkfifo pipe
  head -c -20 scores >cut
  cat cut >pipe &
  run evaluate --method a=pipe
  assert_status 65
  [[ "$output" == "evaluate: a: pipe: record "* ]]
  run evaluate --method a=- <cut
  assert_status 65
  [[ "$output" == "evaluate: a: standard input: record "* ]]
  stream-dump scores | sed -n 's/.*"id":"\([^"]*\)","score":\([^,]*\),.*/\1\t\2/p' >column.tsv
  awk -F'\t' -v OFS='\t' 'NR == 1 { $2 = "nan" } NR == 2 { $2 = "" } NR == 201 { $2 = "NA" } 1' column.tsv >holes.tsv
  evaluate --format json --column b=- scores <holes.tsv >json 2>said
  grep -q 'b: 3 images failed' said
  grep -q '"failed": 3' json
  grep -q '"failed": 2' json
  grep -q '"failed": 1' json
  run ! grep -q '"missing": [1-9]' json
  printf 'photos/00000.jpg\t1\nphotos/00001.jpg\tinf\n' >infinite.tsv
  run -65 evaluate --column b=infinite.tsv scores
  [[ "$output" == *"'inf' is no score"* ]]
  run -64 evaluate --name a --threshold a=1,5 scores
  [ "${lines[0]}" = "evaluate: --threshold: '1,5' is not a number" ]
  score -d detector gan >generated
  run -0 --separate-stderr evaluate generated
  [[ "$stderr" == *"there are no photographic faces"* ]]
}

@test "evaluate --compare: paired differences on the faces that both detectors have" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  score -d detector photos gan diffusion >good
  "$make" 200 12 photographic photos 0 8 >photos2 # the same names, other vectors: what it says is chance
  "$make" 80 12 generated gan 0 8 >gan2
  "$make" 70 12 generated diffusion 0 9 >diffusion2
  score -d detector photos2 gan2 diffusion2 >chance
  evaluate --table differences --format tsv --method good=good --method chance=chance --compare chance >out
  [ "$(cut -f1-3 out | tail -n 3)" = "$(printf 'good - chance\t%s\t350\n' diffusion gan mean)" ]
  awk -F'\t' '$2 != "generator" && !($5 < $4 && $4 < $6) { bad = 1 } $2 != "generator" { n++ } END { exit bad || n != 3 }' out
  [ "$(sed -n '/\tmean\t/p' out | cut -f7)" = higher ]
  # against itself nothing differs, in any replicate; the other way round all signs change
  evaluate --table differences --format tsv --method a=good --method b=good >same
  [ "$(sed -n '/\tmean\t/p' same | cut -f4-7)" = "$(printf '0\t0\t0\topen')" ]
  evaluate --table differences --format tsv --method chance=chance --method good=good --compare good >turned
  [ "$(sed -n '/\tmean\t/p' turned | cut -f7)" = lower ]
  paste <(sed -n '/\tmean\t/p' out) <(sed -n '/\tmean\t/p' turned) | awk -F'\t' '{ exit !($4 + $15 < 1e-9 && $4 + $15 > -1e-9) }'
  # one that lacks faces is compared on the rest alone
  stream-dump good | sed -n 's/.*"id":"\([^"]*\)","score":\([^,]*\),.*/\1\t\2/p' | sed '1~3d' >part.tsv
  evaluate --table differences --format tsv --method good=good --method part=part.tsv --higher part=photographic \
    --compare good 2>/dev/null >part
  [ "$(sed -n '/\tmean\t/p' part | cut -f3-6)" = "$(printf '233\t0\t0\t0')" ]
  run -64 evaluate --compare nobody good
  sed 's/$/\tgenerated\tgan/; 1i id\tscore\tlabel\tsource' part.tsv >contrary.tsv
  run -65 evaluate --method good=good --method contrary=contrary.tsv
  [[ "$output" == *"is generated (gan) here and generated (diffusion) in good"* ]]
}

@test "evaluate --run: means over runs, in the replicates as well" {
  embeddings
  for seed in 1 2 3; do
    mlp-fit -q --classifier linear --epochs 1 --seed $seed -o detector photos gan
    score -d detector -o run$seed photos gan diffusion
    evaluate --format json --name one -o one$seed.json run$seed
  done
  evaluate --format json --method one=run1 --run one=run2 --run one=run3 -o mean.json
  python3 - <<'END'
import json
ones = [json.load(open(f"one{i}.json"))["methods"][0] for i in (1, 2, 3)]
mean = json.load(open("mean.json"))["methods"][0]
assert mean["runs"] == 3 and ones[0]["runs"] == 1
rows = lambda m: m["generators"] + [m["mean"], m["overall"]]
for k in range(4):
    for metric in ("auc", "ap", "accuracy"):
        values = [rows(m)[k][metric]["value"] for m in ones]
        assert abs(rows(mean)[k][metric]["value"] - sum(values) / 3) < 1e-12, (k, metric)
    assert rows(mean)[k].get("generated") == rows(ones[0])[k].get("generated")
assert len({m["mean"]["auc"]["value"] for m in ones}) == 3
for k, source in enumerate(mean["sources"]):
    assert abs(source["called_generated"] - sum(m["sources"][k]["called_generated"] for m in ones) / 3) < 1e-12
auc = mean["mean"]["auc"]
assert auc["low"] < auc["value"] < auc["high"]
END
  # a run again changes nothing, neither values nor intervals
  evaluate --format json --method one=run2 --run one=run2 -o twice.json
  python3 - <<'END'
import json
one, twice = (json.load(open(name))["methods"] for name in ("one2.json", "twice.json"))
assert one[0].pop("runs") == 1 and twice[0].pop("runs") == 2
assert one == twice
END
  # paired differences: from the same runs in another order there are none
  evaluate --table differences --format tsv --method a=run1 --run a=run2 --method b=run2 --run b=run1 >same
  [ "$(sed -n '/\tmean\t/p' same | cut -f4-7)" = "$(printf '0\t0\t0\topen')" ]
  # one that lacks faces is compared with both runs on the rest alone
  to_table() { stream-dump "$1" | sed -n 's/.*"id":"\([^"]*\)","score":\([^,]*\),.*/\1\t'"$2"'\2/p' | sed 's/--//'; }
  to_table run1 '' | sed '1~3d' >part.tsv
  evaluate --table differences --format tsv --method both=run1 --run both=run2 --method part=part.tsv --compare part >part 2>err.txt
  [ "$(sed -n '/\tmean\t/p' part | cut -f3)" = 233 ]
  awk -F'\t' '/\tmean\t/ { exit !($4 != 0 && $5 < $4 && $4 < $6) }' part
  # what higher scores of a table mean holds for all its runs
  to_table run1 - >turned1.tsv
  to_table run2 - >turned2.tsv
  evaluate --table auc --format tsv --method one=run1 --method t=turned1.tsv --run t=turned2.tsv --higher t=photographic >turned
  evaluate --table auc --format tsv --method one=run1 --method t=run1 --run t=run2 >plain
  cmp turned plain
  run -64 evaluate --method one=run1 --run other=run2
  run -64 evaluate --method one=run1 --run one=run2 --roc roc.tsv
  run -65 evaluate --method one=run1 --run one=part.tsv
  [[ "$output" == *"part.tsv: the faces are not those of run1"* ]]
}

@test "evaluate: LaTeX with names that LaTeX would read" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  "$make" 20 12 generated 'a_b & 50% #1 {x} ~^\$' 1 2 >gan
  score -d detector photos gan >scores
  evaluate --name 'my_OC' --format latex scores >tex
  grep -qF 'a\_b \& 50\% \#1 \{x\} \~{}\^{}\textbackslash{}\$ & 200 & 20 &' tex
  grep -qF '\caption{my\_OC' tex
  [ "$(grep -c '^\\begin{tabular}' tex)" = "$(grep -c '^\\end{tabular}' tex)" ]
}

@test "evaluate: the same intervals whatever the threads, others with another seed" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  score -d detector photos diffusion >scores
  evaluate --format tsv -j 1 scores >one
  evaluate --format tsv -j 3 scores >three
  cmp one three
  evaluate --format tsv --seed 9 scores >other
  run ! cmp -s one other
  evaluate --roc roc --histogram histogram scores >/dev/null
  awk 'NF == 3 && $1 ~ /^[0-9]/ {if ($1 < last && last < 1) bad = 1; last = $1; rows++} END {exit bad || rows < 50}' roc
  [ "$(awk 'NF == 4 && $3 ~ /^[0-9]+$/ {sum += $3} END {print sum}' histogram)" = 270 ]
}

@test "evaluate: a generator without faces has no accuracy, and no mean hides it" {
  rows() { # SCORE HARD-SCORE
    printf 'id\tscore\tgenerated\tlabel\tsource\n'
    for i in 1 2 3 4; do
      printf 'p%s\t0\t0\treal\tphotos\neasy%s\t1\t1\tfake\teasy\nhard%s\t%s\t0\tfake\thard\n' $i $i $i "$1"
    done
  }
  rows 0 >tries.tsv
  rows NA >fails.tsv
  evaluate -q --table accuracy --format tsv --method tries=tries.tsv --method fails=fails.tsv >out
  [ "$(cut -f1-4 out)" = "$(printf 'method\teasy\thard\tmean\ntries\t1\t0.5\t0.75\nfails\t1\tnan\tnan')" ]
  evaluate -q --table differences --method tries=tries.tsv --method fails=fails.tsv >out
  grep -Eq '^tries - fails +hard +8 +- +- +- +- +- +-$' out
  grep -Eq '^tries - fails +mean +8 +- +- +- +- +- +-$' out
}

@test "evaluate --per-class: intervals of the faces taken, the same draws for every detector" {
  # photographs all right, generated faces all wrong: whichever are drawn, half are right
  { printf 'id\tscore\tgenerated\tlabel\tsource\n'
    seq 300 | awk -v OFS='\t' '{ print "p" $1, $1 % 7, 0, "real", "ab" ($1 % 2)
      print "g" $1, $1 % 9, 0, "fake", "gan"; if ($1 < 20) print "d" $1, $1 % 5, 0, "fake", "diffusion" }'; } >one.tsv
  evaluate --table accuracy --format tsv --method one=one.tsv --per-class 20 >out
  [ "$(sed -n 2p out)" = "$(printf 'one\t0.5\t0.5\t0.5\t0.5\t0.5')" ]
  # the same in another order, known by id: no difference in any replicate; only faces taken are counted
  sed 1d one.tsv | cut -f1,2 | sort -R --random-source=one.tsv >other.tsv
  evaluate --table differences --format tsv --method one=one.tsv --method other=other.tsv --per-class 20 >out
  [ "$(cut -f2-7 out | tail -n 3)" = "$(for row in diffusion gan mean; do printf '%s\t59\t0\t0\t0\topen\n' $row; done)" ]
}

@test "evaluate: tables that begin with an empty line, runs without labels" {
  printf 'id\tscore\tlabel\tsource\n1\t3\treal\tphotos\n2\t1\treal\tphotos\n3\t2\tfake\tgan\n4\t4\tfake\tgan\n' >labelled.tsv
  printf '\n1\t0.5\n2\t0.1\n3\t0.2\n4\t0.7\n' >plain.tsv # scores in the same order
  printf '\n\nid\tscore\n1\t0.5\n2\t0.1\n3\t0.2\n4\t0.7\n' >named.tsv
  for table in plain named; do
    evaluate --table auc --format tsv --method a=labelled.tsv --method b=$table.tsv >out
    [ "$(sed -n 2p out | cut -f2-)" = "$(sed -n 3p out | cut -f2-)" ]
  done
  evaluate --table auc --format tsv --method a=labelled.tsv >one
  evaluate --table auc --format tsv --method a=labelled.tsv --run a=plain.tsv >both
  cmp one both
}

@test "evaluate: words for labels and decisions, and none that it does not understand" {
  printf 'id\tscore\tlabel\tsource\n1\t1\tphotographic\tphotos\n2\t2\tReal\tphotos\n3\t3\tFAKE\tgan\n4\t4\tsynthetic\tgan\n' >known.tsv
  table() { # COLUMN VALUES...
    printf 'id\tscore\t%s\n' "$1"
    shift
    paste <(seq $#) <(seq $#) <(printf '%s\n' "$@")
  }
  table generated False no True 1 >said.tsv
  evaluate --table accuracy --format tsv --method a=known.tsv --method b=said.tsv | grep -q "^b$(printf '\t')1$(printf '\t')1"
  table generated 0 0 1 2 >said.tsv
  run -65 evaluate --method a=known.tsv --method b=said.tsv
  [[ "$output" == "evaluate: b: said.tsv: line 5: 'generated' is '2'"* ]]
  # no source: that of the face, if the label is the same
  table label real Photographic generated fake >labels.tsv
  evaluate --table auc --format tsv --method a=known.tsv --method b=labels.tsv | grep -q "^b$(printf '\t')1$(printf '\t')1"
  table label real fake generated fake >labels.tsv
  run -65 evaluate --method a=known.tsv --method b=labels.tsv
  [[ "$output" == "evaluate: b: labels.tsv: line 3: the face '2' is generated here, but photographic (photos) "* ]]
  table label real 0 1 1 >labels.tsv
  run -65 evaluate --method b=labels.tsv
  [[ "$output" == "evaluate: b: labels.tsv: line 3: the label '0' is none of photographic, real, generated, fake, synthetic" ]]
}

@test "evaluate: an id that comes twice, scored or failed, is named with its place" {
  printf 'id\tscore\tlabel\n1\t1\treal\n2\t2\tfake\n1\tNA\treal\n' >twice.tsv
  run -65 evaluate --method a=twice.tsv
  [ "$output" = "evaluate: twice.tsv: line 4: the id '1' comes twice" ]
  "$make" 3 2 photographic photos >photos
  "$make" 5 2 generated gan >gan
  mlp-fit -q --classifier linear --epochs 1 -o detector photos gan
  score -d detector -o one photos
  score -d detector -o two gan photos
  run -65 evaluate one two
  [[ "$output" == "evaluate: two: record 9: the id 'photos/00000.jpg' comes twice" ]]
}

@test "evaluate refuses what is no table: too many columns, NUL bytes, sources that are images; letters of any script are" {
  seq -s "$(printf '\t')" 65 >wide.tsv
  run -65 evaluate --method a=wide.tsv
  [[ "$output" == *"wide.tsv: line 1 has more than 64 columns" ]]
  printf 'id\tscore\tlabel\na\0b\t0.5\tgenerated\n' >nul.tsv
  run -65 evaluate --method a=nul.tsv
  [[ "$output" == *"nul.tsv: line 2 holds a NUL byte"* ]]
  { printf 'id\tscore\tlabel\tsource\n'; seq 1001 | awk -v OFS='\t' '{ print $1, $1, $1 % 2 ? "real" : "fake", "image" $1 }'; } >many.tsv
  run -65 evaluate --method a=many.tsv
  [[ "$output" == *"many.tsv: line 1002: more than 1000 sources, 'image1001' among them: "* ]]
  head -n 1001 many.tsv >fewer.tsv
  evaluate --bootstrap 2 --table auc --format tsv --method a=fewer.tsv | sed -n 2p >out
  [ "$(tr '\t' '\n' <out | grep -c .)" = 504 ]
  printf '\xde\x90\t1\n\xde\x91\t2\n' >letters.tsv # Thaana, which begins as a msgpack map might
  run -65 evaluate --method a=letters.tsv
  [[ "$output" == *"no face has a label"* ]]
}

@test "evaluate refuses a table with two columns of one name that it reads" {
  printf 'id\tscore\tlabel\tnote\tnote\na\t1\treal\tx\ty\nb\t2\tfake\tx\ty\n' >good
  evaluate -q --bootstrap 0 --method a=good >table
  for names in 'id score Score' 'ID label score id' 'id score label generated source GENERATED'; do
    { printf '\n%s\n' "$names"; echo 'a 1 2 3 4 5'; } | tr ' ' '\t' >bad
    run -65 evaluate --bootstrap 0 --method a=bad
    twice=$(tr ' ' '\n' <<<"${names,,}" | sort | uniq -d)
    [ "$output" = "evaluate: a: bad: line 2: two columns are named '$twice'" ]
  done
}

@test "evaluate leaves manipulated faces out, and says how many" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  "$make" 50 12 photographic mouth 1 2 | perl -pe 's/\xda\0\x06source/\xda\0\x0cmanipulation/g' >manipulated
  score -d detector photos gan >plain
  score -d detector photos gan manipulated >with
  evaluate --name a --format json plain >plain.json
  evaluate --name a --format json with 2>said >with.json
  [ "$(cat said)" = 'evaluate: a: left out 50 manipulated faces' ]
  diff plain.json with.json >changed || [ $? = 1 ]
  [ "$(grep -c '^[<>]' changed)" = 2 ]
  grep -q '^> *"manipulated": 50,' changed
  evaluate -q --name a with | grep -qx '50 manipulated faces were left out'
  score -d detector manipulated >alone
  run -65 evaluate -q alone
  [ "$output" = 'evaluate: there is no face but manipulated ones, which are left out' ]
}

@test "evaluate: a table whose names have capitals, with a byte order mark and lines of Windows" {
  printf 'id\tscore\tlabel\tsource\n1\t3\treal\tphotos\n2\t1\treal\tphotos\n3\t2\tfake\tgan\n4\tna\tfake\tgan\n' >plain.tsv
  printf '\xef\xbb\xbfID\tScore\tLABEL\tSource\r\n\r\n1\t3\tReal\tphotos\r\n2\t1\tREAL\tphotos\r\n3\t2\tFake\tgan\r\n4\tNa\tFake\tgan\r\n' >odd.tsv
  for table in plain odd; do evaluate --format json --method a=$table.tsv -o $table.json 2>$table.said; done
  cmp plain.json odd.json
  cmp plain.said odd.said
  grep -q '1 image failed and is not counted' odd.said
}

@test "evaluate: faces without a decision are no faces called photographic" {
  rows() { # DECISION of the last photograph
    printf 'id\tscore\tlabel\tgenerated\n1\t1\treal\t0\n2\t2\treal\t%s\n3\t3\tfake\t1\n4\t4\tfake\t1\n' "$1"
  }
  rows '' >some.tsv
  rows 0 >all.tsv
  cut -f1-3 all.tsv >none.tsv
  called() { sed -n 's/.*"called_generated": \(.*\),/\1/p' "$1" | tr '\n' ' '; }
  evaluate --format json --method a=all.tsv >json 2>said
  [ "$(called json)" = '0 2 ' ]
  [ ! -s said ]
  evaluate --format json --method a=some.tsv >json 2>said
  [ "$(called json)" = 'null 2 ' ]
  [[ "$(cat said)" == 'evaluate: a: 1 of 4 faces has no decision: accuracy'*'left out'* ]]
  evaluate --format json --method a=none.tsv >json 2>said
  [ "$(called json)" = 'null null ' ]
  [ ! -s said ]
  evaluate --format json --method a=some.tsv --threshold a=2.5 >json 2>said
  [ "$(called json)" = '0 2 ' ]
  [ ! -s said ]
}

@test "evaluate: scores of two detectors or models are not those of one" {
  embeddings
  gmm-fit -q -k 2 -o detector photos
  mlp-fit -q --classifier linear --epochs 3 -o probe photos gan 2>/dev/null
  score -d detector -o one photos
  score -d probe -o two gan
  run -65 evaluate one two
  [ "$output" = 'evaluate: two: scores by two different detectors (gmm and linear) are not those of one detector: use --method NAME=FILE for each' ]
  cat one two >both
  run -65 evaluate --method a=both
  [[ "$output" == *'gmm and linear'* ]]
  modelled() { perl -0777 -pe 's/(\xda\0\x04kind)/\xda\0\x05model\xda\0\x01'"$1"'$1/; s/^\xde\0(.)/"\xde\0" . chr(1 + ord $1)/e' "$2"; }
  score -d probe -o one <(modelled a photos)
  score -d probe -o two <(modelled b gan)
  run -65 evaluate one two
  [[ "$output" == *'two different models (a and b)'* ]]
  evaluate -q one <(score -d probe gan) >text # one that does not say
  score -d detector -o one photos
  score -d detector --threshold -3 -o two gan
  run -0 --separate-stderr evaluate -q --table auc --name a one two
  [[ "$stderr" == 'evaluate: a: scores with different thresholds ('*' and -3) '* ]]
  score -d detector -o two gan
  run -0 --separate-stderr evaluate --table auc --name a one two
  [ -z "$stderr" ]
}

@test "evaluate says why there is nothing to evaluate" {
  "$make" 20 12 photographic photos >photos
  gmm-fit -q -k 1 --calibrate fit -o detector photos
  nothing() { # LABEL COUNT
    "$make" "$2" 12 "$1" photos >faces
    score -d detector -o scores faces 2>/dev/null
    run -65 evaluate -q scores
  }
  nothing photographic 0
  [ "$output" = 'evaluate: there is no face' ]
  nothing '' 5
  [[ "$output" == 'evaluate: no face has a label: '* ]]
  nothing Photographic 5
  [ "$output" = 'evaluate: no face has the label photographic or generated, 5 have others' ]
  "$make" 5 12 fake gan >gan
  score -d detector -o scores photos gan
  run -0 --separate-stderr evaluate -q --name a --table auc scores
  [[ "$stderr" == *'evaluate: a: left out 5 faces whose label is neither photographic nor generated'* ]]
}

@test "evaluate --higher is for tables alone" {
  "$make" 3 2 photographic photos >photos
  "$make" 5 2 generated gan >gan
  mlp-fit -q --classifier linear --epochs 1 -o detector photos gan
  score -d detector -o scores photos gan
  run -64 evaluate --method a=scores --higher a=photographic
  [[ "$output" == "evaluate: --higher a=photographic: not a table: "* ]]
}

@test "evaluate: names that are no UTF-8 stay apart in JSON; histograms of the largest numbers" {
  printf 'id\tscore\tlabel\tsource\n1\t1e308\treal\tphotos\n2\t-1e308\tfake\tcaf\xe9\n3\t0\tfake\tcaf\xe8\n' >odd.tsv
  evaluate --method a=odd.tsv --format json --histogram histogram --bins 4 -o json
  grep -qF '"generator": "caf\\xe8"' json
  grep -qF '"generator": "caf\\xe9"' json
  [ "$(grep -A 4 photos histogram)" = "$(printf '"a / photos"\n-1e+308\t-5e+307\t0\t0\n-5e+307\t0\t0\t0\n0\t5e+307\t0\t0\n5e+307\t1e+308\t1\t1')" ]
  run ! grep -E 'nan|inf' histogram
}

@test "the report holds every generator, whatever its name; names are no HTML" {
  mkdir -p out 'a&b<i>"c'
  { printf 'id\tscore\tgenerated\tlabel\tsource\n1\t1\t0\treal\tphotos\n'
    printf '%s\t2\t1\tfake\t%s\n' 2 '#1' 3 'sd<b>' 4 mean; } >table.tsv
  evaluate -q --bootstrap 0 --method 'A<B=table.tsv' --method '#C=table.tsv' --table summary --format tsv -o out/result.tsv
  cp "$BATS_TEST_TMPDIR/table.tsv" 'a&b<i>"c/ x.jpg'
  "$BLADES_ROOT/pipelines/report" out 'T & <x>' 'a <b>note</b>' 'a&b<i>"c' >page.html
  [ "$(grep -c '^<tr><td>#1</td><td>100.0</td>' page.html)" = 2 ]
  [ "$(grep -c '^<tr><td>sd&lt;b&gt;</td><td>100.0</td>' page.html)" = 2 ]
  [ "$(grep -c '^<tr><td>mean</td>' page.html)" = 2 ] # the generator
  [ "$(grep -c '^<tr class="mean"><td>mean</td>' page.html)" = 2 ]
  [ "$(grep -c '</tbody></table>' page.html)" = 2 ]
  grep -qx '<h3>A&lt;B</h3>' page.html
  grep -qx '<h3>#C</h3>' page.html
  grep -qx '<title>T &amp; &lt;x&gt;</title>' page.html
  grep -qx '<h1>T &amp; &lt;x&gt;</h1>' page.html
  grep -qF '<h3>a&amp;b&lt;i&gt;&quot;c</h3>' page.html
  grep -qF '<img alt="a&amp;b&lt;i&gt;&quot;c" src="data:image/jpeg;base64,' page.html
  grep -q '<b>note</b>' page.html
}

@test "no id comes twice in a report, and every reference has its id" {
  command -v gnuplot >/dev/null || skip "no gnuplot"
  embeddings
  gmm-fit -q -k 2 -o detector photos
  score -q -d detector photos gan | evaluate -q --name " id='a" --bootstrap 0 --roc roc --histogram histogram >table
  mkdir out
  for name in oc bc; do "$BLADES_ROOT/pipelines/plot-evaluation" roc histogram out/$name; done
  "$BLADES_ROOT/pipelines/report" out title note >page.html
  tags() { grep -o '<[^>]*' page.html | grep -oE "$1" | tr -d "\"'"; }
  tags "[[:space:]]id=[\"'][^\"']*" | sed 's/.id=//' | sort >ids
  [ "$(wc -l <ids)" -gt 80 ]
  [ -z "$(uniq -d ids)" ]
  tags "(href=[\"']|url\()#[^\"')]*" | sed 's/.*#//' | sort -u >references
  [ "$(wc -l <references)" -gt 16 ]
  [ -z "$(comm -13 ids references)" ]
  count=$(cat out/*.svg | grep -c "id='a / gan")
  [ "$count" -gt 0 ]
  [ "$(grep -c "id='a / gan" page.html)" = "$count" ] # text stays as it is
}

@test "tsne: the same points whatever the threads; keys kept; a plot" {
  embeddings
  tsne -q --iterations 100 --perplexity 10 -j 1 -o one photos gan
  tsne -q --iterations 100 --perplexity 10 -j 3 -o three --svg plot.svg photos gan
  cmp <(stream-dump one | tail -n +2) <(stream-dump three | tail -n +2)
  stream-dump --count one | grep -q '^280 records, 0 errors'
  stream-dump one | sed -n 2p | grep -q '"x":.*"y":.*"label":"photographic","source":"photos"'
  grep -q '</svg>' plot.svg
  grep -q 'gan, generated (80)' plot.svg
  "$make" 5 4 generated "$(printf 'a&b<c]]>\xff and a name of its own that is long')" >odd
  tsne -q --method pca --svg odd.svg -o points odd
  grep -q '>a&amp;b&lt;c\]\]&gt;? and a name of…, generated (5)<' odd.svg
  tsne --method pca photos >points
  stream-dump --header points | grep -q variance_share
  stream-dump points | tail -n +2 | sed 's/.*"x":\([^,]*\),"y":\([^,]*\),.*/\1 \2/' | # the first component is the long one
    awk '{ x += $1 * $1; y += $2 * $2 } END { exit !(NR == 200 && y > 0 && x > 1.02 * y) }'
  "$make" 5 4 photographic five >five
  run -65 tsne -q --perplexity 30 five
  [[ "$output" == *"too few for a perplexity"* ]]
}

@test "tsne passes error records on, each in its place" {
  load fixture
  fixture
  for i in 1 2 3; do echo "no image $i" >bad$i.jpg; done
  embed -q --max-errors 3 -m model.safetensors --set label=photographic -o some bad1.jpg photos bad2.jpg bad3.jpg 2>/dev/null
  tsne --method pca -o points some 2>said
  grep -q '3 images had failed before' said
  stream-dump --count points | grep -q '^12 records, 3 errors'
  ids() { stream-dump "$1" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p'; }
  cmp <(ids some) <(ids points)
  diff <(stream-dump some | grep '"type":"error"') <(stream-dump points | grep '"type":"error"')
}

@test "gmm-fit, mlp-fit and tsne find out that the output cannot be written before they read" {
  mkdir folder
  for tool in gmm-fit mlp-fit tsne "tsne -o points --svg"; do
    for output in nowhere/o folder; do
      [[ $tool == *--svg ]] && line="$tool $output" || line="$tool -o $output"
      # shellcheck disable=SC2086
      run $line missing
      assert_status 73
      [[ $output == "${tool%% *}: nowhere/o: No such file or directory" || $output == "${tool%% *}: folder: Is a directory" ]]
    done
    [[ $tool == *--svg ]] || [[ $(script -qec "$tool missing" /dev/null) == *"refusing to write"* ]]
  done
  [ "$(ls -A . folder | wc -l)" = 4 ] # the two names, an empty line, and folder
}

@test "streams cut short are refused by name" {
  embeddings
  head -c 5000 photos >cut
  for tool in "gmm-fit -k 2 -o out" "mlp-fit -o out" tsne; do
    run -65 $tool -q cut
    [[ "$output" == *record* ]]
  done
}

@test "embed: the same vectors whatever the threads, the batch, and the way faces come in" {
  load fixture
  fixture
  LC_ALL=C ls photos/*.jpg >list
  embed -q --no-provenance -m model.safetensors -j 1 --batch 1 -o one --files-from list
  for choice in "-j 3 --batch 5" "-j 2 --batch 12" "-j 1 --batch 64"; do
    embed -q --no-provenance -m model.safetensors $choice -o other photos
    cmp one other
  done
  stream-dump --count one | grep -q '^12 records, 0 errors'
  [ "$(stream-dump one | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')" = "$(cat list)" ]
  stream-dump one | tail -n +2 | sed -n 's/.*"vector":\[\([^]]*\)\].*/\1/p' |
    awk -F, '{ s = 0; for (i = 1; i <= NF; i++) s += $i * $i; if (NF != 16 || s < 0.9999 || s > 1.0001) bad = 1; n++ } END { exit bad || n != 12 }'
  # boxes of a photo stream: one face, two faces, none
  exif-extract -q photos/*.jpg | face-locate -q --annotations faces.json -o boxed
  embed -q -m model.safetensors -o faces boxed
  stream-dump --count faces | grep -q '^12 records'
  stream-dump faces | grep -q '"id":"photos/[^"]*#0"'
  # several faces of one photo, more than a batch holds
  python3 - <<'END'
import json
rows = [json.loads(line) for line in open("faces.json")]
for row in rows:
    box = row["faces"][0]["box"]
    row["faces"] = [{"box": [box[0] + i, box[1], box[2], box[3] - i]} for i in range(5)]
open("crowds.json", "w").writelines(json.dumps(row) + "\n" for row in rows)
END
  exif-extract -q photos/*.jpg | face-locate -q --annotations crowds.json -o boxed
  for batch in 2 64; do embed -q -m model.safetensors --batch $batch -o crowd.$batch boxed; done
  cmp crowd.2 crowd.64
  stream-dump --count crowd.2 | grep -q '^60 records, 0 errors'
  # a face that failed does not move the others
  head -c 200 photos/"$(basename "$(head -1 list)")" >photos/000000-cut.jpg
  run -65 embed -q -m model.safetensors -o failed photos
  embed -q --no-provenance --max-errors 1 -m model.safetensors -o failed photos
  stream-dump --count failed | grep -q '^12 records, 1 error'
  diff <(stream-dump one) <(stream-dump failed | grep -v '"type":"error"')
}

@test "embed: an image file is opened to tell whether it is a stream, and to be read" {
  command -v strace >/dev/null || skip "no strace"
  load fixture
  fixture
  case $BLADES_BUILD in *sanitize*) skip "sanitizers cannot be traced" ;; esac
  strace -f -e trace=openat -o calls embed -q -m model.safetensors -o out photos || skip "nothing can be traced here"
  local last
  last=$(ls photos/*.jpg | tail -n 1)
  [ "$(grep -c "$last" calls)" = 2 ]
}

@test "embed: faces of photos become what training saw, step by step" {
  load fixture
  fixture
  vectors() { stream-dump "$1" | grep "$2" | grep -o '"vector":[^]]*'; }
  exif-extract -q photos/*.jpg | face-locate -q --annotations faces.json -o boxed
  # sides of the crop: where faces are manipulated, stored, batched; then the middle
  local -A steps=(
    ["--size 64|--shift 8"]='224 antialias 64 antialias 56'
    ["--size 72|--size 48 --shift 7"]='224 antialias 72 antialias 55 antialias 48'
    ["--size 64 --working-size 64|--size 32"]='64 antialias 32 antialias 32'
    ["--size 48 --resampling bilinear|--size 40"]='224 bilinear 48 bilinear 40 antialias 40'
  )
  for options in "${!steps[@]}"; do
    face-manipulate -q ${options%|*} -o made boxed
    pretext-batch -q --tasks tasks.json --batch 4 ${options#*|} -o batches made
    blades-train -q --arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 16 --steps 1 -o other batches
    embed -q -m other -o of.photos boxed
    embed -q -m other -o of.faces made
    [ "$(stream-dump of.photos | head -n 1 | grep -oE '"(side|size|resampling)":[^,}]+' | cut -d: -f2 |
      tr -d '"' | paste -sd ' ')" = "${steps[$options]}" ]
    [ "$(vectors of.photos '' | wc -l)" = 12 ]
    cmp <(vectors of.photos '') <(vectors of.faces '/photographic"')
  done
  face-manipulate -q --scale 1.5 -o wide boxed
  embed -m other -o of.faces wide 2>err.txt
  grep -q 'cropped at 1.5 times .* at 1.3; .*--scale 1.3' err.txt
}

@test "blades-score: photos in, words out, an exit status" {
  load fixture
  fixture
  status=0
  "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors photos >out || status=$?
  [ $status -le 1 ]
  [ "$(grep -c ': looks ' out)" = 12 ]
  # thresholds that no photo, and that all but one, fall below
  gmm-fit -q -k 2 --regularisation 1e-3 --calibrate fit --far 0 -o lenient embeddings.msgpack
  gmm-fit -q -k 2 --regularisation 1e-3 --calibrate fit --far 1 -o strict embeddings.msgpack
  run -0 "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d lenient photos
  [ "$(grep -c 'looks like a photograph' <<<"$output")" = 12 ]
  run -1 "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d strict photos
  [ "$(grep -c 'looks generated' <<<"$output")" = 11 ]
  BLADES_MODEL=model.safetensors BLADES_DETECTOR=detector.safetensors \
    run -0 "$BLADES_ROOT/pipelines/blades-score" -h
  # boxes: the same as embed and score with them, a line a face
  status=0
  "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors -a faces.json photos >boxed || status=$?
  exif-extract -q photos/*.jpg | face-locate -q --annotations faces.json | embed -q -m model.safetensors |
    score -q -d detector.safetensors --text >want
  [ $status -le 1 ] && cmp boxed want && [ "$(grep -c '#0: looks ' boxed)" = 12 ]
  grep -v "$(basename "$(ls photos | head -1)")" faces.json >fewer.json
  run -65 "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors -a fewer.json photos
  [ "$(grep -c ': could not be examined' <<<"$output")" = 1 ]
  status=0
  "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors -c 0.8 photos >central || status=$?
  [ $status -le 1 ] && [ "$(grep -c ': looks ' central)" = 12 ]
  run ! cmp -s central out
  run -66 "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors -a nothing.json photos
  run -66 "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors photos/nothing.jpg
  echo no image >photos/broken.jpg
  run -65 "$BLADES_ROOT/pipelines/blades-score" -m model.safetensors -d detector.safetensors photos
  [[ "$output" == *"broken.jpg: could not be examined"* ]]
  run -64 "$BLADES_ROOT/pipelines/blades-score"
  HOME=$PWD XDG_DATA_HOME= run -66 "$BLADES_ROOT/pipelines/blades-score" -m nothing -d detector.safetensors photos
}

@test "that no face was examined is no success" {
  load fixture
  fixture
  photo=$(ls photos | head -1)
  echo '{"path":"elsewhere.jpg","faces":[{"box":[0,0,9,9]}]}' >other.json
  exif-extract -q "photos/$photo" -o one
  run -0 --separate-stderr face-locate -q -a other.json -o located one
  [[ "$stderr" == "face-locate: no annotation fits a photo: "*"'elsewhere.jpg'"*"'photos/$photo'"* ]]
  run -0 --separate-stderr embed -m model.safetensors -o none located
  [[ "$stderr" == *"embed: 1 photo has no faces: run face-locate"* ]]
  run -65 --separate-stderr embed -m model.safetensors --faceless error -o errors located
  [[ "$stderr" == *"embed: photos/$photo: no face"* ]]
  embed -q -m model.safetensors --faceless error --max-errors 1 -o errors located
  stream-dump --count errors | grep -q '^0 records, 1 error'
  run -0 --separate-stderr score -q -d detector.safetensors --text none
  [[ "$stderr" == "score: no face was scored"* ]]
  run -65 score -q -d detector.safetensors --text --fail-on-generated none
  [[ "$output" == "score: no face was scored"* ]]
  # a folder is not searched for every kind of annotation
  mkdir folder
  cp other.json folder/annotations.jsonl
  run -0 --separate-stderr face-locate -q -a folder -o located one
  [[ "$stderr" == "face-locate: folder: no .pts or .npy files in this folder"*"-a folder/annotations.jsonl" ]]
  # nothing is said where one fits
  run -0 --separate-stderr face-locate -q -a faces.json -a other.json -o located one
  [ -z "$stderr" ]
}

@test "embed says how many files of a folder it leaves out for their names" {
  load fixture
  fixture
  mkdir -p folder/below
  cp photos/000000.jpg folder/below/A.JPG
  embed -m model.safetensors -o plain folder 2>said
  [ ! -s said ]
  touch folder/b.txt folder/below/a.bmp folder/.hidden
  embed -m model.safetensors -o same folder photos/000001.jpg 2>said
  [ "$(cat said)" = "embed: folder: names not ending in .jpg, .jpeg, .png or .webp are left out: 2, the first folder/b.txt" ]
  embed -q -m model.safetensors -o same folder 2>said
  [ ! -s said ]
  cmp plain same
}

@test "embed names the files that it cannot use" {
  load fixture
  fixture
  echo text >bad.jpg
  run -65 --separate-stderr embed -m model.safetensors -o e bad.jpg photos/*.jpg
  [[ "$stderr" == "embed: bad.jpg: "* && "$stderr" == *"1 error record written" ]]
  run -66 --separate-stderr embed -m model.safetensors -o e missing.jpg photos/*.jpg bad.jpg
  [[ "$stderr" == *"embed: missing.jpg: "*"No such file or directory"*"embed: bad.jpg: "* ]]
}
