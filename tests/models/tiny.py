"""Tiny GGUF files for the tests: models that ZoomR refuses, and adapters. Seeded, a few KB each."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "out-python"))

import gguf  # noqa: E402  (PyPI's, in out-python/)
import numpy as np  # noqa: E402


def _writer(path, architecture):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    return writer


def _close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def model(path, architecture, causal=None, tensors=()):
    """A file of this architecture that goes no further than its metadata and these tensors."""
    writer = _writer(path, architecture)
    if causal is not None:
        writer.add_causal_attention(causal)
    for name in tensors:
        writer.add_tensor(name, np.ones(4, dtype=np.float32))
    _close(writer)
    return path


def adapter(path, architecture="llama", rows=576, alpha_type="f32", tensor="blk.0.attn_q.weight", scale=0.05):
    """A LoRA of rank 2 on one tensor of SmolLM2-135M (576 x 576), unless told otherwise."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    if alpha_type == "f32":
        writer.add_float32("adapter.lora.alpha", 2.0)
    else:
        writer.add_uint32("adapter.lora.alpha", 2)
    rng = np.random.default_rng(7)
    writer.add_tensor(tensor + ".lora_a", (rng.standard_normal((2, rows)) * scale).astype(np.float32))
    writer.add_tensor(tensor + ".lora_b", (rng.standard_normal((rows, 2)) * scale).astype(np.float32))
    _close(writer)
    return path
