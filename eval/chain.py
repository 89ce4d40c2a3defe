#!/usr/bin/env python3
"""Chains of named steps: a task that cannot be answered without looking far back.

A problem lists N steps. The first ones are numbers, every other one adds or subtracts two earlier
values by their names. The model writes one line a step with the values filled in, so that it must
look up two of its own earlier lines for each new one; the values stand nowhere in the prompt.

  chain.py make --steps 40 --seed 1 > problem.json   one problem: {"prompt", "answer", "steps"}
  chain.py prompt problem.json                       its prompt alone
  chain.py score problem.json reply.txt              what the reply got right, as JSON
  chain.py table problem.json NAME=run.json ...      a markdown table of `zoomr run --json` results

Scoring (documented in docs/performance.md): a look-up is right when the number written for an
operand is the value that the reply itself gave to that name; it is far when that line lies more
than 8 lines back. A step that the reply leaves out has both of its look-ups wrong.
"""

import argparse
import json
import random
import re
import sys

NAMES = (
    "gem fox kite lamp rose drum leaf coin bell ship star moon tree fish bird lake sand rock wolf "
    "bear frog duck swan crab seed corn milk salt rice cake door ring sock boot coat hat cup fork "
    "desk book pen clay rope nail gate barn well road hill cave sail tent drop flag harp lion mule "
    "nest oven pear quilt rake soap tile vase wand yarn zinc ant bee cow dog elk gnat hen ibis jay"
).split()

EXAMPLE = """Here is a short example of four steps.
Step 1: sun = 12
Step 2: ink = 30
Step 3: oak = ink - sun
Step 4: tin = oak + ink
The answer to it:
Step 1: sun = 12.
Step 2: ink = 30.
Step 3: oak = ink - sun = 30 - 12 = 18.
Step 4: tin = oak + ink = 18 + 30 = 48.
Result: tin = 48."""

LOW, HIGH = 1, 99  # every value of a chain lies here
NEAR = 8  # lines back


def make(n_steps, seed):
    """One problem. Every value lies between LOW and HIGH; operands are drawn from all of the chain."""
    rng = random.Random(f"chain {n_steps} {seed}")
    names = rng.sample(NAMES, n_steps)
    steps = []
    values = []
    for i, name in enumerate(names):
        if i < 4:
            values.append(rng.randint(5, 49))
            steps.append({"name": name, "value": values[i]})
            continue
        while True:
            a, b = rng.sample(range(i), 2)
            op = rng.choice("+-")
            value = values[a] + values[b] if op == "+" else values[a] - values[b]
            if LOW <= value <= HIGH:
                break
        values.append(value)
        steps.append({"name": name, "op": op, "a": a, "b": b, "value": value})
    lines = []
    for i, step in enumerate(steps):
        if "op" in step:
            right = f"{names[step['a']]} {step['op']} {names[step['b']]}"
        else:
            right = str(step["value"])
        lines.append(f"Step {i + 1}: {step['name']} = {right}")
    prompt = (
        "Work out the value of each name, in order, one line a step, in exactly the form of the "
        "example.\n\n"
        f"{EXAMPLE}\n\nNow the task: {n_steps} steps.\n" + "\n".join(lines) + "\n"
        f"Answer all {n_steps} steps, then the line 'Result: {names[-1]} = ' with its value, and stop."
    )
    return {"task": "chain", "seed": seed, "prompt": prompt, "answer": str(values[-1]), "steps": steps}


LINE = re.compile(
    r"^\W*Step\s+(\d+)\s*:\s*\**(\w+)\**\s*=\s*(\w+)\s*([+-])\s*(\w+)\s*=\s*(-?\d+)\s*([+-])\s*(-?\d+)\s*=\s*(-?\d+)"
)
CONSTANT = re.compile(r"^\W*Step\s+(\d+)\s*:\s*\**(\w+)\**\s*=\s*(-?\d+)\s*\.?\s*$")
RESULT = re.compile(r"Result\s*:\s*\**\s*(?:\w+\s*=\s*)?(-?\d+)")


def score(problem, text):
    """Counts what the reply got right; a step counts once, the first time it is written."""
    steps = problem["steps"]
    said = {}  # name -> (value, line)
    seen = set()
    got = {"near": 0, "far": 0, "arithmetic": 0}
    of = {"near": 0, "far": 0, "arithmetic": 0}
    for i, step in enumerate(steps):
        if "op" in step:
            of["arithmetic"] += 1
            for operand in (step["a"], step["b"]):
                of["near" if i - operand <= NEAR else "far"] += 1
    for line in text.splitlines():
        constant = CONSTANT.match(line)
        if constant:
            i = int(constant[1]) - 1
            if 0 <= i < len(steps) and steps[i]["name"] == constant[2] and i not in seen:
                seen.add(i)
                said[constant[2]] = int(constant[3])
            continue
        match = LINE.match(line)
        if not match:
            continue
        i = int(match[1]) - 1
        if not 0 <= i < len(steps) or i in seen or "op" not in steps[i]:
            continue
        step = steps[i]
        seen.add(i)
        left, right = int(match[6]), int(match[8])
        for operand, value in ((step["a"], left), (step["b"], right)):
            kind = "near" if i - operand <= NEAR else "far"
            if said.get(steps[operand]["name"]) == value:
                got[kind] += 1
        result = left + right if match[7] == "+" else left - right
        got["arithmetic"] += int(match[9]) == result and match[7] == step["op"]
        said[step["name"]] = int(match[9])
    found = RESULT.findall(text)
    last = str(said.get(steps[-1]["name"], ""))
    answer = found[-1] if found else last
    return {
        "answer": answer,
        "right": answer == problem["answer"],
        "steps": len(seen),
        "steps_of": len(steps),
        "lookups": got["near"] + got["far"],
        "lookups_of": of["near"] + of["far"],
        "near": got["near"],
        "near_of": of["near"],
        "far": got["far"],
        "far_of": of["far"],
        "arithmetic": got["arithmetic"],
        "arithmetic_of": of["arithmetic"],
    }


def table(problem, runs):
    """A markdown table of runs, [(name, run --json object)], in their order."""
    head = ["policy", "answer", "look-ups right", "far ones", "peak resident", "KV MiB", "zooms in / out", "tokens", "tokens/s"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, run in runs:
        s = score(problem, run["text"])
        rows.append(
            [
                name,
                f"{s['answer'] or '-'} {'right' if s['right'] else 'wrong'}",
                f"{s['lookups']} of {s['lookups_of']}",
                f"{s['far']} of {s['far_of']}",
                str(run["peak_resident_tokens"]),
                f"{run['peak_kv_bytes'] / 2**20:.1f}",
                f"{run['zoom_ins']} / {run['zoom_outs']}",
                str(run["n_generated"]),
                f"{run['tokens_per_second']:.1f}",
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    c = commands.add_parser("make")
    c.add_argument("--steps", type=int, default=40)
    c.add_argument("--seed", type=int, default=1)
    commands.add_parser("prompt").add_argument("problem")
    c = commands.add_parser("score")
    c.add_argument("problem")
    c.add_argument("reply")
    c = commands.add_parser("table")
    c.add_argument("problem")
    c.add_argument("runs", nargs="+", metavar="NAME=FILE")
    args = parser.parse_args()
    if args.command == "make":
        if not 6 <= args.steps <= len(NAMES):
            parser.error(f"--steps is between 6 and {len(NAMES)}")
        print(json.dumps(make(args.steps, args.seed)))
    elif args.command == "prompt":
        sys.stdout.write(load(args.problem)["prompt"])
    elif args.command == "score":
        with open(args.reply, encoding="utf-8") as file:
            print(json.dumps(score(load(args.problem), file.read())))
    else:
        runs = [(name, load(path)) for name, path in (run.split("=", 1) for run in args.runs)]
        print(table(load(args.problem), runs))


if __name__ == "__main__":
    main()
