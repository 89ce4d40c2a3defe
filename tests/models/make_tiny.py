#!/usr/bin/env python3
"""Tiny GGUF models with random weights, for what no downloaded model of the tests has.

    python3 tests/models/make_tiny.py OUTDIR [NAME...]

They load and decode in milliseconds and speak nonsense. Seeded: the same file every time. The
weights are large enough that a changed rotation or a lost row changes the logits. Files that are
refused by their metadata alone are in tiny.py.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tiny import adapter, gguf, np  # noqa: E402

N_EMBD = 64
N_HEAD = 4
N_HEAD_KV = 2
D_HEAD = N_EMBD // N_HEAD
N_FF = 96
WORDS = [c for c in "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?"] + [
    "\u2581" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]


class Writer:
    """A model in the making: metadata first, then tensors by name and shape (rows, columns)."""

    def __init__(self, path, architecture, n_layer, n_ctx, n_head_kv=N_HEAD_KV):
        self.gguf = gguf.GGUFWriter(path, architecture)
        self.gguf.add_name("tiny")  # by some names libllama changes the vocabulary
        self.gguf.add_block_count(n_layer)
        self.gguf.add_context_length(n_ctx)
        self.gguf.add_embedding_length(N_EMBD)
        self.gguf.add_feed_forward_length(N_FF)
        self.gguf.add_head_count(N_HEAD)
        self.gguf.add_head_count_kv(n_head_kv)
        self.gguf.add_rope_dimension_count(D_HEAD)
        self.gguf.add_layer_norm_rms_eps(1e-5)
        self.random = np.random.default_rng(11)
        self._add_vocabulary()

    def _add_vocabulary(self):
        kind = gguf.TokenType
        tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)] + WORDS + ["\u2581"]
        types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256
        types += [kind.NORMAL] * (len(tokens) - len(types))
        self.gguf.add_tokenizer_model("llama")
        self.gguf.add_token_list(tokens)
        self.gguf.add_token_scores([-float(i) for i in range(len(tokens))])
        self.gguf.add_token_types(types)
        self.gguf.add_bos_token_id(1)
        self.gguf.add_eos_token_id(2)
        self.n_vocab = len(tokens)

    def weight(self, name, *shape):
        scale = 1.5 / np.sqrt(shape[-1])
        self.gguf.add_tensor(name + ".weight", (self.random.standard_normal(shape) * scale).astype(np.float32))

    def ones(self, name, n):
        self.gguf.add_tensor(name + ".weight", np.ones(n, dtype=np.float32))

    def vector(self, name, values):
        self.gguf.add_tensor(name + ".weight", np.asarray(values, dtype=np.float32))

    def close(self):
        self.gguf.write_header_to_file()
        self.gguf.write_kv_data_to_file()
        self.gguf.write_tensors_to_file()
        self.gguf.close()


def _attention(w, block):
    w.weight(block + "attn_q", N_EMBD, N_EMBD)
    w.weight(block + "attn_k", N_HEAD_KV * D_HEAD, N_EMBD)
    w.weight(block + "attn_v", N_HEAD_KV * D_HEAD, N_EMBD)
    w.weight(block + "attn_output", N_EMBD, N_EMBD)


def _gated_ffn(w, block):
    w.ones(block + "ffn_norm", N_EMBD)
    w.weight(block + "ffn_gate", N_FF, N_EMBD)
    w.weight(block + "ffn_up", N_FF, N_EMBD)
    w.weight(block + "ffn_down", N_EMBD, N_FF)


def llama(path):
    """The plain case, and the base of the adapters."""
    w = Writer(path, "llama", n_layer=2, n_ctx=2048)
    w.weight("token_embd", w.n_vocab, N_EMBD)
    w.ones("output_norm", N_EMBD)
    for i in range(2):
        block = f"blk.{i}."
        w.ones(block + "attn_norm", N_EMBD)
        _attention(w, block)
        _gated_ffn(w, block)
    w.close()


def phi3(path, original=512, trained=4096):
    """LongRoPE: short rotation factors up to `original` tokens of context, long ones above."""
    w = Writer(path, "phi3", n_layer=2, n_ctx=trained)
    w.gguf.add_rope_scaling_orig_ctx_len(original)
    w.gguf.add_rope_scaling_attn_factors(1.19)
    w.weight("token_embd", w.n_vocab, N_EMBD)
    w.ones("output_norm", N_EMBD)
    w.vector("rope_factors_long", np.linspace(1.1, 30, D_HEAD // 2))
    w.vector("rope_factors_short", np.linspace(1.0, 1.7, D_HEAD // 2))
    for i in range(2):
        block = f"blk.{i}."
        w.ones(block + "attn_norm", N_EMBD)
        w.weight(block + "attn_qkv", N_EMBD + 2 * N_HEAD_KV * D_HEAD, N_EMBD)
        w.weight(block + "attn_output", N_EMBD, N_EMBD)
        w.ones(block + "ffn_norm", N_EMBD)
        w.weight(block + "ffn_up", 2 * N_FF, N_EMBD)
        w.weight(block + "ffn_down", N_EMBD, N_FF)
    w.close()


def phi3_short(path):
    """LongRoPE factors, but trained no longer than the short ones reach."""
    phi3(path, original=4096, trained=4096)


def lfm2(path):
    """A hybrid: attention in layers 1 and 3, a short convolution (recurrent) in 0 and 2."""
    heads = [0, N_HEAD_KV, 0, N_HEAD_KV]
    w = Writer(path, "lfm2", n_layer=4, n_ctx=2048, n_head_kv=heads)
    w.gguf.add_shortconv_l_cache(3)
    w.weight("token_embd", w.n_vocab, N_EMBD)
    w.ones("token_embd_norm", N_EMBD)
    for i, n_head_kv in enumerate(heads):
        block = f"blk.{i}."
        w.ones(block + "attn_norm", N_EMBD)
        if n_head_kv == 0:
            w.weight(block + "shortconv.conv", N_EMBD, 3)
            w.weight(block + "shortconv.in_proj", 3 * N_EMBD, N_EMBD)
            w.weight(block + "shortconv.out_proj", N_EMBD, N_EMBD)
        else:
            w.ones(block + "attn_q_norm", D_HEAD)
            w.ones(block + "attn_k_norm", D_HEAD)
            _attention(w, block)
        _gated_ffn(w, block)
    w.close()


def gpt2(path):
    """Learned positions: the model has no row for a position behind its trained length."""
    w = Writer(path, "gpt2", n_layer=1, n_ctx=256, n_head_kv=N_HEAD)
    w.gguf.add_layer_norm_eps(1e-5)
    w.weight("token_embd", w.n_vocab, N_EMBD)
    w.weight("position_embd", 256, N_EMBD)
    block = "blk.0."
    for norm in ("output_norm", block + "attn_norm", block + "ffn_norm"):
        w.ones(norm, N_EMBD)
        w.gguf.add_tensor(norm + ".bias", np.zeros(N_EMBD, dtype=np.float32))
    for name, rows, columns in (("attn_qkv", 3 * N_EMBD, N_EMBD), ("attn_output", N_EMBD, N_EMBD),
                                ("ffn_up", N_FF, N_EMBD), ("ffn_down", N_EMBD, N_FF)):
        w.weight(block + name, rows, columns)
        w.gguf.add_tensor(block + name + ".bias", np.zeros(rows, dtype=np.float32))
    w.close()


def lora(path):
    """Fits `llama`."""
    adapter(path, rows=N_EMBD, scale=0.5)


def lora_unpaired(path):
    """Has the first half of a pair only."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((2, N_EMBD), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def truncated(path):
    """`llama` without its last 1,000 bytes."""
    llama(path)
    os.truncate(path, os.path.getsize(path) - 1000)


def not_gguf(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("this is text\n")


MAKERS = {f.__name__.replace("_", "-"): f for f in
          (llama, phi3, phi3_short, lfm2, gpt2, lora, lora_unpaired, truncated, not_gguf)}


def main(args):
    if not args or any(name not in MAKERS for name in args[1:]):
        sys.exit(f"usage: make_tiny.py OUTDIR [NAME...], names: {' '.join(MAKERS)}")
    os.makedirs(args[0], exist_ok=True)
    for name in args[1:] or MAKERS:
        path = os.path.join(args[0], name + ".gguf")
        part = f"{path}.{os.getpid()}"
        MAKERS[name](part)
        os.replace(part, path)  # another test may be making the same file


if __name__ == "__main__":
    main(sys.argv[1:])
