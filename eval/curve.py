#!/usr/bin/env python3
"""Draws steps right against memory from the samples of `zoomr eval`, as an SVG.

  python3 eval/curve.py docs/results/chain.jsonl -o docs/accuracy.svg      (needs matplotlib)

A point is a policy at a budget: the mean over its problems of the share of right steps, against the mean of the peak
resident tokens beyond the prompt. Only problems that every point has are counted, so that all answer the same questions.
Bars are 95 % intervals, bootstrapped over problems.
"""
import argparse
import collections
import json

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "zoomr"  # the same samples give the same file
import matplotlib.pyplot as plt
import numpy

COLOURS = {"full": "#444444", "zoomr": "#0a7d5a", "oracle": "#8e5bd0", "zoomr:select=paper": "#d97706",
           "streaming-llm": "#3b82c4"}
NAMES = {"full": "full KV", "zoomr": "ZoomR", "zoomr:select=paper": "paper's rule", "streaming-llm": "window"}


def points(lines):
    """{policy: [(tokens, share, low, high)]}, ascending by tokens."""
    cells = collections.defaultdict(dict)
    for line in lines:
        sample = json.loads(line)
        steps = sample["steps"]
        beyond = sample["peak_resident_tokens"] - sample["n_prompt"]
        cells[sample["policy"], sample["budget_asked"]][sample["problem"]] = (beyond, steps["right"] / steps["of"])
    common = set.intersection(*(set(problems) for problems in cells.values()))
    random = numpy.random.default_rng(1)
    curves = collections.defaultdict(list)
    for (policy, _), problems in cells.items():
        kept = [problems[p] for p in sorted(common)]
        tokens = numpy.mean([tokens for tokens, _ in kept])
        shares = numpy.array([share for _, share in kept])
        means = random.choice(shares, (2000, len(shares))).mean(axis=1)
        curves[policy].append((tokens, shares.mean(), *numpy.percentile(means, [2.5, 97.5])))
    return {policy: sorted(row) for policy, row in curves.items()}, len(common)


def draw(curves, n_problems, path):
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    for policy, row in curves.items():
        tokens, shares, low, high = 100 * numpy.array(row).T
        tokens /= 100
        axes.errorbar(tokens, shares, yerr=[shares - low, high - shares], marker="o", capsize=3, linewidth=1.6,
                      label=NAMES.get(policy, policy), color=COLOURS.get(policy))
    if "full" in curves:
        axes.axhline(100 * curves["full"][0][1], color=COLOURS["full"], linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_xticks([72, 144, 216, 432, 864], ["72", "144", "216", "432", "864"])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.set_xlabel("most tokens in the KV memory beyond the prompt")
    axes.set_ylabel("look-ups right, %")
    axes.set_title(f"Chains of 40 steps, {n_problems} problems, Qwen2.5-Coder-1.5B", fontsize=10)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="+", help="files of --samples-out")
    parser.add_argument("-o", "--out", default="accuracy.svg")
    options = parser.parse_args()
    lines = [line for path in options.samples for line in open(path, encoding="utf-8")]
    draw(*points(lines), options.out)


if __name__ == "__main__":
    main()
