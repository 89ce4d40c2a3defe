#!/usr/bin/env bash
# Runs the evaluations of docs/results.md. Samples go to out-results/; every call goes on where the
# last one stopped. Hours on two cores: the order is that of what matters.
set -euo pipefail
cd "$(dirname "$0")/.."
out=out-results
mkdir -p "$out"
model=qwen2.5-coder-1.5b

run() { # NAME ARGS...: samples in NAME.jsonl
  local name=$1
  shift
  build/bin/zoomr eval "$@" --samples-out "$out/$name.jsonl" --resume --report "$out/$name.html" >"$out/$name.md"
}

main=full,streaming-llm,zoomr:select=paper,zoomr
quantised=full:ctk=q8_0:ctv=q8_0,full:ctk=q4_0:ctv=q4_0

run chain -m $model --task chain --problems 10 -n 1100 --budget +216 --policy $main,oracle
run text-smollm2 -m smollm2-135m --task text -n 1500 --budget +256 --policy $quantised,streaming-llm,h2o,r-kv,random,zoomr:select=paper,zoomr,oracle
run chain -m $model --task chain --problems 10 -n 1100 --budget +144,+72 --policy streaming-llm,zoomr,oracle
python3 eval/tasks.py chain --steps 80 --problems 5 >"$out/chain-80-steps.jsonl"
run chain-80 -m $model --task "$out/chain-80-steps.jsonl" --problems 5 -n 2200 --budget +144 --policy full,streaming-llm,zoomr
python3 eval/tasks.py chain --steps 16 --problems 24 --seed 100 >"$out/chain-16-steps.jsonl"
run chain-16 -m $model --task "$out/chain-16-steps.jsonl" -n 500 --budget +96,+208 --policy zoomr:select=paper
run recall -m $model --task recall --problems 6 -n 120 --budget 1024 --policy full,streaming-llm,zoomr
run gsm -m $model --task gsm --problems 10 -n 500 --budget +64 --policy $main
run late -m $model --task late --problems 10 -n 900 --budget +128 --policy $main,oracle
run chain -m $model --task chain --problems 5 -n 1100 --budget +216 --policy $quantised,h2o,r-kv,random,summary-only:summaries=injected
run text-gemma3 -m gemma-3-270m --task text -n 1500 --budget +256 --policy streaming-llm,h2o,random,zoomr:select=paper,zoomr,oracle
run text-1.5b -m $model --task text -n 1500 --budget +256 --policy streaming-llm,zoomr:select=paper,zoomr,oracle
for name in qwen2.5-coder-0.5b $model; do
  run files-$name -m $name --task DESIGN.md,src/engine/engine.cpp -n 1240 --budget +192 --policy streaming-llm,zoomr,oracle
done
