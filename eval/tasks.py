#!/usr/bin/env python3
"""Makes the built-in tasks of `zoomr eval`: JSON Lines, one problem a line (docs/evaluation.md).

  tasks.py chain [--steps 40] [--problems 20] [--seed 1]    chains of named steps
  tasks.py late [--problems 20] [--seed 1]                  ten small problems, then one about an early one
  tasks.py recall [--entries 200] [--problems 20] [--seed 1]  a long prompt of notes, a fact in it asked for
  tasks.py gsm [--family NAME] [--problems 20] [--seed 1]   reasoning-gym's families (pip install reasoning-gym)

The same arguments give the same bytes; eval/tasks/ holds what the defaults give.
"""

import argparse
import json
import random
import sys

NAMES = (
    "gem fox kite lamp rose drum leaf coin bell ship star moon tree fish bird lake sand rock wolf "
    "bear frog duck swan crab seed corn milk salt rice cake door ring sock boot coat hat cup fork "
    "desk book pen clay rope nail gate barn well road hill cave sail tent drop flag harp lion mule "
    "nest oven pear quilt rake soap tile vase wand yarn zinc ant bee cow dog elk gnat hen ibis jay"
).split()
# Of chains that are too long for those; apart from them, so that shorter chains stay as they are.
MORE_NAMES = "pig goat ram owl moth slug yak fern moss reed plum fig".split()
CHAIN_SHORT = 60  # steps; a longer chain draws from both
CHAIN_LONGEST = 80  # of the 97 values each step takes one that no other has

CHAIN_EXAMPLE = """Here is a short example of four steps.
Step 1: sun = 7 + 5
Step 2: ink = 11 + 19
Step 3: oak = ink - sun
Step 4: tin = oak + ink
The answer to it:
Step 1: sun = 7 + 5 = 12.
Step 2: ink = 11 + 19 = 30.
Step 3: oak = ink - sun = 30 - 12 = 18.
Step 4: tin = oak + ink = 18 + 30 = 48.
Result: tin = 48."""

CHAIN_FIRST = 10  # steps that add two numbers; the later ones use earlier values
CHAIN_LEAST, CHAIN_MOST = 3, 99  # every value; no two are equal, so that a value tells whose it is


def chain(n_steps, seed):
    """N named steps, one a line. No value stands in the prompt: the reply must look up two of its own
    lines for each later step."""
    rng = random.Random(f"chain {n_steps} {seed}")
    names = rng.sample(NAMES if n_steps <= CHAIN_SHORT else NAMES + MORE_NAMES, n_steps)
    steps, values = [], []
    for i, name in enumerate(names):
        while True:
            if i < CHAIN_FIRST:
                x, y = rng.randint(2, 29), rng.randint(2, 29)
                value, step = x + y, {"x": x, "y": y}
            else:
                (a, b), op = rng.sample(range(i), 2), rng.choice("+-")
                value = values[a] + values[b] if op == "+" else values[a] - values[b]
                step = {"op": op, "a": a, "b": b}
            if CHAIN_LEAST <= value <= CHAIN_MOST and value not in values:
                break
        values.append(value)
        steps.append({"name": name, **step, "value": value})

    def right(step):
        if "op" in step:
            return f"{names[step['a']]} {step['op']} {names[step['b']]}"
        return f"{step['x']} + {step['y']}"

    listed = "\n".join(f"Step {i + 1}: {s['name']} = {right(s)}" for i, s in enumerate(steps))
    prompt = (
        "Work out the value of each name, in order, one line a step, in exactly the form of the "
        f"example.\n\n{CHAIN_EXAMPLE}\n\nNow the task: {n_steps} steps.\n{listed}\n"
        f"Answer all {n_steps} steps, then the line 'Result: {names[-1]} = ' with its value, and stop."
    )
    return {"id": str(seed), "scorer": "chain", "prompt": prompt, "answer": str(values[-1]), "steps": steps}


PEOPLE = "Anna Boris Clara David Elena Felix Greta Henry Irene Jonas Katya Louis Maria Nils Olga Peter".split()
RECALL_PEOPLE = PEOPLE + "Rosa Simon Tanja Ulrich Vera Walter Yvonne Zoltan".split()
THINGS = "apples pens shells stamps coins cards beads nuts books plums".split()

LATE_FORMS = (
    ("{p} has {a} {t} and buys {b} more, then gives {c} away. How many {t} does {p} have?", lambda a, b, c: a + b - c),
    ("{p} packs {a} boxes of {b} {t} each and loses {c} {t}. How many {t} are left?", lambda a, b, c: a * b - c),
    ("{p} shares {a} bags of {b} {t} and adds {c} {t}. How many {t} are there in all?", lambda a, b, c: a * b + c),
    ("{p} sees {a} {t} on Monday, {b} on Tuesday and {c} on Wednesday. How many {t} in all?", lambda a, b, c: a + b + c),
)


def late(seed):
    """Ten small problems in one answer, then a question whose answer needs an early one's."""
    rng = random.Random(f"late {seed}")
    people = rng.sample(PEOPLE, 10)
    things = rng.sample(THINGS, 10)
    lines, steps, values = [], [], []
    for i in range(10):
        form, value_of = rng.choice(LATE_FORMS)
        a, b, c = rng.randint(3, 12), rng.randint(3, 12), rng.randint(1, 3)
        value = value_of(a, b, c)
        values.append(value)
        lines.append(f"Problem {i + 1}: " + form.format(p=people[i], t=things[i], a=a, b=b, c=c))
        steps.append({"label": f"Problem {i + 1}", "value": str(value)})
    early, more = rng.randrange(0, 3), rng.randint(2, 9)
    prompt = (
        "Solve these ten problems one after the other. For each write one line that begins with "
        "'Problem N:', shows the work in one or two short sentences, and ends with the number. After "
        "the tenth, answer the last question on a line that begins with 'Answer:'.\n\n"
        + "\n".join(lines)
        + f"\nLast question: take the result of problem {early + 1}, the {things[early]} of {people[early]}, "
        f"and add {more} to it. What is it?"
    )
    return {"id": str(seed), "scorer": "steps", "prompt": prompt, "answer": str(values[early] + more), "steps": steps}


PLACES = "shed attic cellar kitchen garage barn office hall".split()
COLOURS = "red green blue white black brown grey yellow".split()
NOTES = (
    "The {c} {p} was swept and the door left open until evening.",
    "Rain fell on the {p} all morning, and nobody went out.",
    "A {c} cart stood beside the {p}, and its owner was not found.",
    "The lock of the {c} {p} was oiled and the key hung up again.",
    "Two windows of the {p} were painted {c} before the frost came.",
)


def recall(n_entries, seed):
    """A prompt of some 17 tokens an entry: notes, among them what each of 24 people keeps; one is asked for."""
    rng = random.Random(f"recall {seed}")
    told = dict(zip(sorted(rng.sample(range(n_entries), len(RECALL_PEOPLE))), rng.sample(RECALL_PEOPLE, len(RECALL_PEOPLE))))
    values = rng.sample(range(11, 100), len(RECALL_PEOPLE))
    kept = {person: (value, rng.choice(THINGS)) for person, value in zip(told.values(), values)}
    lines = []
    for i in range(n_entries):
        colour, place = rng.choice(COLOURS), rng.choice(PLACES)
        if i in told:
            value, thing = kept[told[i]]
            lines.append(f"Entry {i + 1}: {told[i]} keeps {value} {thing} in the {colour} {place}.")
        else:
            lines.append(f"Entry {i + 1}: " + rng.choice(NOTES).format(c=colour, p=place))
    far = [i for i in told if n_entries // 10 <= i < n_entries * 7 // 10]  # neither first nor last
    person = told[rng.choice(far)]
    value, thing = kept[person]
    prompt = (
        "Read this list, then answer the question below it.\n\n"
        + "\n".join(lines)
        + f"\n\nQuestion: how many {thing} does {person} keep, and where? Answer in one sentence, then write the "
        "line 'Answer: ' with the number alone."
    )
    return {"id": str(seed), "scorer": "answer", "prompt": prompt, "answer": str(value)}


def gsm(family, n_problems, seed):
    """reasoning-gym's problems in words; the answer is scored."""
    import reasoning_gym

    problems = []
    for i, item in enumerate(reasoning_gym.create_dataset(family, size=n_problems, seed=seed)):
        prompt = (
            item["question"].strip()
            + "\nThink step by step, one short sentence a line. End with the line 'Answer: ' and the answer alone."
        )
        problems.append({"id": str(i + 1), "scorer": "answer", "prompt": prompt, "answer": str(item["answer"])})
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("chain", "late", "recall", "gsm"))
    parser.add_argument("--problems", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first problem; the others follow")
    parser.add_argument("--steps", type=int, default=40, help="of a chain")
    parser.add_argument("--entries", type=int, default=200, help="of a recall")
    parser.add_argument("--family", default="gsm_symbolic", help="of reasoning-gym")
    args = parser.parse_args()
    if args.problems < 1:
        parser.error("--problems is at least 1")
    if not CHAIN_FIRST + 2 <= args.steps <= CHAIN_LONGEST:
        parser.error(f"--steps is between {CHAIN_FIRST + 2} and {CHAIN_LONGEST}")
    if not 100 <= args.entries <= 5000:
        parser.error("--entries is between 100 and 5000")
    seeds = range(args.seed, args.seed + args.problems)
    if args.task == "chain":
        problems = [chain(args.steps, seed) for seed in seeds]
    elif args.task == "late":
        problems = [late(seed) for seed in seeds]
    elif args.task == "recall":
        problems = [recall(args.entries, seed) for seed in seeds]
    else:
        problems = gsm(args.family, args.problems, args.seed)
    for problem in problems:
        sys.stdout.write(json.dumps(problem) + "\n")


if __name__ == "__main__":
    main()
