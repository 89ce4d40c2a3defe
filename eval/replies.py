#!/usr/bin/env python3
"""Shows the replies that `zoomr eval --samples-out` wrote, one row each, as markdown.

  replies.py samples.jsonl
"""

import json
import sys


def row(s):
    steps = s["steps"]
    far = steps.get("far", {"right": 0, "of": 0})
    return [
        s["policy"],
        f"{s['answer'] or '-'} {'right' if s['right'] else 'wrong'}",
        f"{steps['right']} of {steps['of']}",
        f"{far['right']} of {far['of']}",
        str(s["peak_resident_tokens"]),
        f"{s['peak_kv_bytes'] / 2**20:.1f}",
        f"{s['zoom_ins']} / {s['zoom_outs']}",
        str(s["n_generated"]),
        f"{s['n_generated'] / s['seconds']:.1f}",
    ]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        samples = [s for s in map(json.loads, file) if "right" in s]
    if not samples:
        sys.exit(f"no scored sample in {sys.argv[1]}")
    head = ["policy", "answer", "look-ups right", "far ones", "peak resident", "KV MiB", "zooms in / out", "tokens", "t/s"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1), *map(row, samples)]
    print("\n".join("| " + " | ".join(cells) + " |" for cells in rows))
    print(f"\nthe right answer: {samples[0]['expected']}")


if __name__ == "__main__":
    main()
