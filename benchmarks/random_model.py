#!/usr/bin/env python3
"""A GGUF of a known model's shape with random Q4_0 weights, to measure speed and memory without it.

    python3 benchmarks/random_model.py llama-8b OUT.gguf

What is computed and moved for a token depends on the shape alone. The text is nonsense, and no head
looks anything up: name the heads, --policy zoomr:heads=12.3+...
"""

import dataclasses
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "out-python"))

import gguf  # noqa: E402  (PyPI's, in out-python/)
import numpy as np  # noqa: E402


@dataclasses.dataclass
class Shape:
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_vocab: int
    n_ctx: int
    rope_base: float


SHAPES = {
    "llama-8b": Shape(32, 4096, 32, 8, 14336, 128256, 131072, 500000.0),  # Llama-3.1-8B's
    "llama-tiny": Shape(2, 256, 4, 2, 512, 1024, 32768, 10000.0),  # to try this file
}

Q4_0_BLOCK = 32  # weights: a half-precision scale, then 16 bytes of two nibbles each
Q4_0_DEVIATION = 4.6  # of nibbles drawn evenly from -8 to 7


def weights(random, rows, columns):
    """Q4_0 rows whose products keep the size of what goes in."""
    blocks = np.empty((rows, columns // Q4_0_BLOCK, 18), dtype=np.uint8)
    blocks[:, :, 2:] = np.frombuffer(random.bytes(rows * columns // 2), np.uint8).reshape(rows, -1, 16)
    scale = np.float16(1 / (Q4_0_DEVIATION * np.sqrt(columns)))
    blocks[:, :, :2] = np.frombuffer(scale.tobytes(), np.uint8)
    return blocks.reshape(rows, -1)


def vocabulary(n):
    """Bytes and letters, so that any text has tokens, then made-up words."""
    kind = gguf.TokenType
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256
    tokens += ["\u2581"] + [chr(c) for c in range(33, 127)] + ["\u2581" + chr(c) for c in range(33, 127)]
    tokens += [f"\u2581word{i}" for i in range(n - len(tokens))]
    return tokens, types + [kind.NORMAL] * (n - len(types))


def write(path, name, shape):
    random = np.random.default_rng(11)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"random {name}")
    writer.add_block_count(shape.n_layer)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_rope_dimension_count(shape.n_embd // shape.n_head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    tokens, types = vocabulary(shape.n_vocab)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(i) for i in range(shape.n_vocab)])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def matrix(tensor, rows, columns):
        writer.add_tensor(tensor + ".weight", weights(random, rows, columns),
                          raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    def norm(tensor):
        writer.add_tensor(tensor + ".weight", np.ones(shape.n_embd, dtype=np.float32))

    n_kv = shape.n_head_kv * shape.n_embd // shape.n_head
    matrix("token_embd", shape.n_vocab, shape.n_embd)
    norm("output_norm")
    matrix("output", shape.n_vocab, shape.n_embd)
    for i in range(shape.n_layer):
        block = f"blk.{i}."
        norm(block + "attn_norm")
        matrix(block + "attn_q", shape.n_embd, shape.n_embd)
        matrix(block + "attn_k", n_kv, shape.n_embd)
        matrix(block + "attn_v", n_kv, shape.n_embd)
        matrix(block + "attn_output", shape.n_embd, shape.n_embd)
        norm(block + "ffn_norm")
        matrix(block + "ffn_gate", shape.n_ff, shape.n_embd)
        matrix(block + "ffn_up", shape.n_ff, shape.n_embd)
        matrix(block + "ffn_down", shape.n_embd, shape.n_ff)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(args):
    if len(args) != 2 or args[0] not in SHAPES:
        sys.exit(f"usage: random_model.py SHAPE OUT.gguf, shapes: {' '.join(SHAPES)}")
    write(args[1], args[0], SHAPES[args[0]])


if __name__ == "__main__":
    main(sys.argv[1:])
