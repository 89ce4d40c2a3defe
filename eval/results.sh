#!/usr/bin/env bash
# Runs the evaluations of docs/results.md, section by section. Samples go to out-results/; every call
# goes on where the last one stopped. More than a day on two cores; the order is that of what matters.
set -euo pipefail
cd "$(dirname "$0")/.."
out=out-results
mkdir -p "$out"
big=qwen2.5-coder-1.5b

run() { # NAME ARGS...: samples in NAME.jsonl
  local name=$1
  shift
  build/bin/zoomr eval -t 2 "$@" --samples-out "$out/$name.jsonl" --resume --report "$out/$name.html" >"$out/$name.md"
}

selecting=streaming-llm,h2o,r-kv,random,zoomr:select=paper,zoomr,oracle
quantised=full:ctk=q8_0:ctv=q8_0,full:ctk=q4_0:ctv=q4_0

chain() { run chain -m $big --task chain -n 1100 "$@"; }
chain --problems 10 --budget +144,+216,+72 --policy full,streaming-llm,zoomr
chain --problems 10 --budget +216 --policy $selecting,summary-only:summaries=injected
chain --problems 10 --budget +144 --policy oracle
chain --problems 5 --budget +216 --policy $quantised
late() { run late -m $big --task late -np 5 -n 900 --budget +128 "$@"; }
late --problems 10 --policy full,streaming-llm,zoomr
late --problems 5 --policy random,zoomr:select=paper,h2o,r-kv,oracle
run gsm -m $big --task gsm --problems 10 -np 5 -n 500 --budget +64 --policy full,$quantised,$selecting,summary-only:summaries=injected

# The texts are files of this repository as they were when the first of these was run.
git show ec89dae:DESIGN.md >"$out/prose.md"
git show ec89dae:src/engine/engine.cpp >"$out/code.cpp"
for model in smollm2-135m gemma-3-270m qwen2.5-coder-0.5b $big; do
  run "texts-$model" -m $model --task "$out/prose.md,$out/code.cpp,text" -n 1240 --budget +192 --policy $quantised,$selecting
done

run recall -m $big --task recall --problems 4 -n 60 --budget 1024 --policy full,streaming-llm,zoomr
python3 eval/tasks.py chain --steps 80 --problems 5 >"$out/chain-80.jsonl"
run chain-80 -m $big --task "$out/chain-80.jsonl" -n 2200 --budget +144 --policy full,streaming-llm,zoomr
chain --problems 10 --budget +144,+216 --policy zoomr:sure=2:second-look-name=2
python3 eval/tasks.py chain --steps 16 --problems 24 --seed 100 >"$out/chain-16.jsonl"
run chain-16 -m $big --task "$out/chain-16.jsonl" -n 500 --budget +96,+208 --policy zoomr:select=paper
for family in chain_sum gcd simple_equations needle_haystack time_intervals lcm leg_counting letter_counting number_sorting decimal_arithmetic; do
  python3 eval/tasks.py gsm --family $family --problems 5 >"$out/$family.jsonl"
  run "$family" -m $big --task "$out/$family.jsonl" --problems 4 -n 500 --policy full
done
