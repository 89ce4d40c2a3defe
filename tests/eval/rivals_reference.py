#!/usr/bin/env python3
"""Straightforward h2o and r-kv on a recorded run: what tests/unit/rivals_test.cpp compares ours with.

  rivals_reference.py RECORD > tests/data/rivals.json

RECORD was made by `zoomr eval -m smollm2-135m --task late -n 80 --record RECORD --record-heads
5.0,5.1,5.2,20.0,20.1,20.2`. Written from the papers, token by token, without any of our code but the
reader; numpy.
"""

import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "eval"))
from record import Record  # noqa: E402

N = 56  # tokens
PROMPT = 6  # of them pinned
ROOM = 30  # most that may stay after a step
SINK = 4
HEADS = [(5, 0), (5, 1), (5, 2), (20, 0), (20, 1), (20, 2)]


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def h2o(keys, queries, groups, scale):
    """keys: {kv head: [N, d]}, queries: {head: [N, d]}. Kept positions after every token."""
    resident, mass, kept = [], np.zeros(N), []
    for t in range(N):
        resident.append(t)
        for head, q in queries.items():
            mass[resident] += softmax(keys[groups[head]][resident] @ q[t] * scale)
        if len(resident) > ROOM:
            stay = set(range(max(PROMPT, SINK)))
            room = max(1, ROOM - len(stay))
            stay |= set(range(t + 1 - max(1, room // 2), t + 1))
            others = sorted((p for p in resident if p not in stay), key=lambda p: (-mass[p], -p))
            stay |= set(others[: ROOM - len(stay)])
            resident = [p for p in resident if p in stay]
        kept.append(list(resident))
    return kept


def r_kv(keys, queries, groups, scale):
    resident, kept = [], []
    for t in range(N):
        resident.append(t)
        if len(resident) > ROOM:
            held = [p for p in resident if p >= PROMPT]
            room = ROOM - PROMPT
            target = room - min(128, room // 4)
            window, past = held[-8:], held[:-8]
            total = np.zeros(len(past))
            for kv, k in keys.items():
                importance = np.zeros(len(past))
                seen = range(max(0, t - 7), t + 1)
                for s in seen:
                    of_group = [k[past] @ q[s] * scale for head, q in queries.items() if groups[head] == kv]
                    importance += softmax(np.max(of_group, axis=0)) / len(seen)
                pooled = [importance[max(0, i - 3) : i + 4].max() for i in range(len(past))]
                unit = k[held] / (np.linalg.norm(k[held], axis=1, keepdims=True) + 1e-8)
                cosine = unit @ unit.T
                np.fill_diagonal(cosine, 0)
                for i in range(len(held)):
                    alike = np.nonzero(cosine[i] > 0.5)[0]
                    cosine[i, alike[-1] if len(alike) else 0] = 0
                redundancy = softmax(cosine.mean(axis=0))[: len(past)]
                total += 0.1 * np.array(pooled) - 0.9 * redundancy
            best = np.argsort(-total, kind="stable")[: target - len(window)]
            stay = set(window) | {past[i] for i in best} | set(range(PROMPT))
            resident = [p for p in resident if p in stay]
        kept.append(list(resident))
    return kept


def main():
    run = Record(sys.argv[1])
    first = 1  # the row before it is the prompt's last token
    positions = run.positions[first : first + N]
    queries = {h: np.round(run.queries(*h)[first : first + N].astype(np.float64), 3) for h in HEADS}
    groups = {h: (h[0], run.key_head(*h)) for h in HEADS}
    keys = {kv: np.round(run.keys(*kv)[positions].astype(np.float64), 3) for kv in sorted(set(groups.values()))}
    scale = run.meta["layers"][HEADS[0][0]]["scale"]
    json.dump(
        {
            "n": N,
            "prompt": PROMPT,
            "room": ROOM,
            "sink": SINK,
            "layers": run.meta["layers"],
            "heads": HEADS,
            "key_heads": sorted(set(groups.values())),
            "keys": [[float(x) for kv in keys for x in keys[kv][t]] for t in range(N)],
            "queries": [[float(x) for h in HEADS for x in queries[h][t]] for t in range(N)],
            "kept": {"h2o": h2o(keys, queries, groups, scale), "r-kv": r_kv(keys, queries, groups, scale)},
        },
        sys.stdout,
        separators=(",", ":"),
    )
    print()


if __name__ == "__main__":
    main()
