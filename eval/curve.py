#!/usr/bin/env python3
"""Draws what thinking in little memory costs, as an SVG, from a table of docs/results.

  python3 eval/curve.py docs/results/chain-40.tsv -o docs/accuracy.svg      (needs matplotlib)

Columns: policy, budget (tokens beyond the prompt), problems, against_full (points), low, high (its 95 % interval, bootstrapped
over problems in pairs), as `zoomr eval` prints them.
"""
import argparse
import csv

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "zoomr"  # the same table gives the same file
import matplotlib.pyplot as plt

LOOKS = {
    "zoomr": ("ZoomR", "#0a7d5a", "o"),
    "zoomr:sure=2": ("ZoomR, every second look", "#7bb8a4", "v"),
    "oracle": ("oracle: sees what full KV attends to", "#8e5bd0", "D"),
    "zoomr:select=paper": ("the paper's rule", "#d97706", "s"),
    "streaming-llm": ("window (streaming-llm)", "#3b82c4", "^"),
}


def draw(rows, path):
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    axes.axhline(0, color="#444444", linewidth=1, linestyle=":")
    axes.text(222, 2, "full KV: 880 tokens", fontsize=9, color="#444444", ha="right")
    for policy, (name, colour, marker) in LOOKS.items():
        points = sorted((int(r["budget"]), float(r["against_full"]), float(r["low"]), float(r["high"]))
                        for r in rows if r["policy"] == policy)
        tokens, mean, low, high = zip(*points)
        bars = [[m - l for m, l in zip(mean, low)], [h - m for m, h in zip(mean, high)]]
        axes.errorbar(tokens, mean, yerr=bars, marker=marker, capsize=3, linewidth=1.6, label=name, color=colour)
    axes.set_xticks([72, 144, 216], ["72\n(1/12)", "144\n(1/6)", "216\n(1/4)"])
    axes.set_xlim(60, 228)
    axes.set_ylim(-85, 12)
    axes.set_xlabel("most tokens of the reply in the KV memory")
    axes.set_ylabel("look-ups right,\npoints against full KV")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(0.12, 0.55), fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("-o", "--out", default="accuracy.svg")
    options = parser.parse_args()
    with open(options.table, encoding="utf-8", newline="") as file:
        draw(list(csv.DictReader(file, delimiter="\t")), options.out)


if __name__ == "__main__":
    main()
