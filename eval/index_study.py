#!/usr/bin/env python3
"""How to find the lines that a head attends to most without looking at every key in full.

    python3 eval/index_study.py DIR --heads 18.7,18.6 --rope-base 100000 [--neox]

DIR is what `zoomr eval --record` wrote. For every query: the three lines with the largest mean share
of these heads' attention (at least 0.5 %, not among the newest 256 tokens), and how many of them are
among the best 8, 16 and 32 lines by what is cheaper to know than all products. Needs numpy.
"""

import argparse

import numpy as np
from record import Record

FIRST, NEWEST = 8, 256  # tokens that no choice is about: they are looked at anyway
SHORTLISTS = (8, 16, 32)


def rotate(rows, positions, base, neox):
    """RoPE by these positions (negative ones take it out): pairs are halves (neox) or neighbours."""
    d = rows.shape[-1]
    angle = np.asarray(positions, float)[..., None] * base ** (-np.arange(d // 2) * 2.0 / d)
    first, second = (slice(0, d // 2), slice(d // 2, d)) if neox else (slice(0, d, 2), slice(1, d, 2))
    turned = np.empty(rows.shape)
    turned[..., first] = rows[..., first] * np.cos(angle) - rows[..., second] * np.sin(angle)
    turned[..., second] = rows[..., first] * np.sin(angle) + rows[..., second] * np.cos(angle)
    return turned


def means(rows, lines):
    return np.array([rows[begin:end].mean(0) for begin, end in lines])


class HeadKeys:
    """The keys that one query head reads, and what is kept of each line."""

    def __init__(self, run, layer, head, lines, rope):
        self.scale = run.meta["layers"][layer]["scale"]
        self.keys = np.array(run.keys(layer, run.key_head(layer, head)), float)
        free = rotate(self.keys, -np.arange(len(self.keys)), *rope)
        self.rope, self.line_mean, self.free_mean = rope, means(self.keys, lines), means(free, lines)
        self.centre_mean = rotate(self.free_mean, lines.mean(1) - 0.5, *rope)
        self.mean, self.spread = self.keys.mean(0), self.keys.std(0)

    def estimates(self, query, at, lines):
        """[lines] of log weight, by each method; the first one is exact."""
        query, n = query.astype(float) * self.scale, len(lines)
        size = np.log(lines[:, 1] - lines[:, 0])
        exact = self.line_weights(self.keys[: at + 1] @ query, lines)
        yield "exact", exact
        yield "mean key", size + self.line_mean[:n] @ query
        yield "position-free mean key", size + self.free_mean[:n] @ rotate(query[None], [-at], *self.rope)[0]
        yield "position-free, turned to its line", size + self.centre_mean[:n] @ query
        order = np.argsort(-np.abs(query) * self.spread)
        for part in (8, 4, 2):
            some, rest = np.split(order, [len(order) // part])
            logits = self.keys[: at + 1][:, some] @ query[some] + self.mean[rest] @ query[rest]
            yield f"1/{part} of the dimensions", self.line_weights(logits, lines)

    @staticmethod
    def line_weights(logits, lines):
        peak = logits.max()
        sums = np.append(0, np.cumsum(np.exp(logits - peak)))
        return np.log(np.maximum(sums[lines[:, 1]] - sums[lines[:, 0]], 1e-30)) + peak


def study(run, heads, rope, every):
    lines = np.array([line for line in run.meta["lines"] if line[1] <= run.meta["n_decoded"]])
    keys = {head: HeadKeys(run, *head, lines, rope) for head in heads}
    found, n_asked = {}, 0
    for i in range(0, len(run.positions), every):
        at = int(run.positions[i])
        closed = lines[lines[:, 1] <= at + 1]
        asked = (closed[:, 0] >= FIRST) & (closed[:, 1] <= at - NEWEST)
        if asked.sum() < 3:
            continue
        shares = {}
        for head in heads:
            query = np.array(run.queries(*head)[i])
            logits = keys[head].keys[: at + 1] @ query * keys[head].scale
            log_all = np.log(np.exp(logits - logits.max()).sum()) + logits.max()
            for name, weights in keys[head].estimates(query, at, closed):
                own = weights[asked]
                total = log_all if name == "exact" else np.log(np.exp(own - own.max()).sum()) + own.max()
                shares[name] = shares.get(name, 0) + np.exp(own - total) / len(heads)
        exact = shares.pop("exact")
        best = [line for line in np.argsort(-exact)[:3] if exact[line] >= 0.005]
        n_asked += len(best)
        for name, share in shares.items():
            order = np.argsort(-share)
            for n in SHORTLISTS:
                found[name, n] = found.get((name, n), 0) + len(set(best) & set(order[:n]))
    print(f"{n_asked} lines asked for, among {len(lines)}")
    for name in dict.fromkeys(name for name, _ in found):
        print(f"{name:34}", *(f"{found[name, n] / n_asked:6.3f}" for n in SHORTLISTS))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record")
    parser.add_argument("--heads", required=True)
    parser.add_argument("--rope-base", type=float, required=True)
    parser.add_argument("--neox", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    heads = [tuple(map(int, head.split("."))) for head in args.heads.split(",")]
    study(Record(args.record), heads, (args.rope_base, args.neox), args.every)


if __name__ == "__main__":
    main()
