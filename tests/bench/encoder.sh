#!/bin/bash
# The encoder beside PyTorch and onnxruntime: one run, two threads, medians. Usage: tests/bench/encoder.sh FOLDER
# (of encoder_bench). onnxruntime comes from npm if there is one (npm install into FOLDER/onnx).
set -u
folder=$1
here=$(dirname "$0")
bench=$folder/encoder_bench
tuned=GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=68719476736:glibc.malloc.trim_threshold=68719476736

note() { printf '%s\n' "$*" >&2; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b != "" && b > 0) printf "%.2fx", a / b; else printf "-" }'; }
row() { printf '%-42s %12s %12s %9s   %s\n' "$@"; }
rate() { echo "${1% *}"; }
memory() { echo "${1#* }"; }
middle() { printf '%s\n' "$@" | sort -n | sed -n 2p; } # of three

onnx() { # images a second, or nothing with a note
  command -v node >/dev/null && command -v npm >/dev/null || { note "onnxruntime: no node and npm, left out"; return; }
  [ -d "$folder/onnx/node_modules/onnxruntime-node" ] ||
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder/onnx" onnxruntime-node@1.30 >/dev/null 2>&1 ||
    { note "onnxruntime: npm could not install it, left out"; return; }
  [ -f "$folder/onnx/resnet50.onnx" ] ||
    /usr/bin/python3 "$here/encoder_pytorch.py" export "$folder/onnx/resnet50.onnx" >/dev/null 2>&1 ||
    { note "onnxruntime: the model could not be exported, left out"; return; }
  cp "$here/encoder_onnx.js" "$folder/onnx/"
  (cd "$folder/onnx" && node encoder_onnx.js resnet50.onnx 16 7)
}

note "peak ..."
peak=$("$bench" peak)
note "training, batch 48 ..."
trains=() tuned_trains=()
for _ in 1 2 3; do # in turn: a machine is not as fast in one minute as in the next
  trains+=("$("$bench" train float32 48 5)")
  tuned_trains+=("$(env "$tuned" /usr/bin/python3 "$here/encoder_pytorch.py" train 48 3)")
done
ours=$(middle "${trains[@]}")
torch_tuned=$(middle "${tuned_trains[@]}")
ours16=$("$bench" train bf16 48 5)
lean=$("$bench" train float32 48 1 4)
torch=$(/usr/bin/python3 "$here/encoder_pytorch.py" train 48 2)
note "inference, batch 16 ..."
infers=() onnxs=()
for _ in 1 2 3; do
  infers+=("$("$bench" infer float32 16 9)")
  onnxs+=("$(onnx)")
done
infer=$(middle "${infers[@]}")
onnx=$(middle "${onnxs[@]}")
infer16=$("$bench" infer bf16 16 9)
torch_infer=$(/usr/bin/python3 "$here/encoder_pytorch.py" infer 16 5)

row "ResNet-50 at 224, 2 threads" "ours" "other" "ratio" "expected"
row "training 48, images/s, PyTorch" "$(rate "$ours")" "$(rate "$torch")" "$(ratio "$(rate "$ours")" "$(rate "$torch")")" "1.70x"
row "training 48, PyTorch with tuned malloc" "$(rate "$ours")" "$(rate "$torch_tuned")" "$(ratio "$(rate "$ours")" "$(rate "$torch_tuned")")" "1.25x"
row "training 48, bf16, our float32" "$(rate "$ours16")" "$(rate "$ours")" "$(ratio "$(rate "$ours16")" "$(rate "$ours")")" "1.60x"
gflops=$(awk -v r="$(rate "$ours")" 'BEGIN { printf "%.1f", r * 24.3 }')
row "training 48, GFLOP/s, peak by an FMA loop" "$gflops" "$peak" "$(ratio "$gflops" "$peak")" "0.80x"
row "inference 16, images/s, onnxruntime" "$(rate "$infer")" "${onnx% *}" "$(ratio "$(rate "$infer")" "${onnx% *}")" "1.05x"
row "inference 16, bf16, onnxruntime" "$(rate "$infer16")" "${onnx% *}" "$(ratio "$(rate "$infer16")" "${onnx% *}")" "1.70x"
row "inference 16, PyTorch" "$(rate "$infer")" "$(rate "$torch_infer")" "$(ratio "$(rate "$infer")" "$(rate "$torch_infer")")" ""
row "training 48, memory GB, PyTorch" "$(memory "$ours")" "$(memory "$torch")" "$(ratio "$(memory "$ours")" "$(memory "$torch")")" "at most 0.80x"
row "training 48, memory GB, bf16" "$(memory "$ours16")" "$(memory "$torch")" "$(ratio "$(memory "$ours16")" "$(memory "$torch")")" "at most 0.45x"
row "training 48, memory GB, all recomputed" "$(memory "$lean")" "$(memory "$torch")" "$(ratio "$(memory "$lean")" "$(memory "$torch")")" "below 0.50x"
row "all recomputed, images/s, our float32" "$(rate "$lean")" "$(rate "$ours")" "$(ratio "$(rate "$lean")" "$(rate "$ours")")" ""
if [ -x "$folder/prompts_bench" ]; then "$here/prompts.sh" "$folder"; fi
