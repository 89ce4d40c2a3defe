"""Reads what `zoomr eval --record DIR` wrote; needs numpy alone.

  run = Record("DIR")
  run.meta["pieces"]      the tokens as text; also tokens, lines, n_prompt, layers, expected
  run.keys(layer, head)   [n_decoded, d] as cached, after RoPE; the head of a query head: run.key_head
  run.queries(22, 7)      [n_queries, d]; row i is of the token at run.positions[i]
"""

import json
import os

import numpy as np


class Record:
    def __init__(self, folder):
        with open(os.path.join(folder, "meta.json"), encoding="utf-8") as file:
            self.meta = json.load(file)
        self.positions = np.array(self.meta["queries"]["positions"])
        self._rows = {}
        for kind in ("keys", "queries"):
            path = os.path.join(folder, kind + ".f32")
            self._rows[kind] = np.memmap(path, "<f4", "r").reshape(-1, self.meta[kind]["row"])

    def _head(self, kind, layer, head):
        for item in self.meta[kind]["heads"]:
            if (item["layer"], item["head"]) == (layer, head):
                return self._rows[kind][:, item["offset"] : item["offset"] + item["d"]]
        raise KeyError(f"{kind} of head {layer}.{head} were not recorded")

    def keys(self, layer, head):
        return self._head("keys", layer, head)

    def queries(self, layer, head):
        return self._head("queries", layer, head)

    def key_head(self, layer, head):
        shape = self.meta["layers"][layer]
        return head // (shape["n_head"] // shape["n_head_kv"])
