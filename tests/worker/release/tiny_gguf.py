"""A GGUF file of a tiny random Llama with any vocabulary: for tests of vocabularies alone."""

from pathlib import Path

import gguf
import numpy as np

from engine.worker.release.gguf.vocabulary import GgufVocabulary

_HIDDEN, _INNER = 32, 32


def write_tiny(file: Path, vocabulary: GgufVocabulary, name: str = "tiny") -> Path:
    """One layer, with a row in the embedding for each token. `name` is `general.name`."""
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name(name)
    writer.add_block_count(1)
    writer.add_context_length(2048)
    writer.add_embedding_length(_HIDDEN)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(_HIDDEN)
    writer.add_vocab_size(len(vocabulary.tokens))
    vocabulary.add_to(writer)
    rows = np.random.default_rng(0).standard_normal((len(vocabulary.tokens), _HIDDEN))
    writer.add_tensor("token_embd.weight", rows.astype(np.float32))
    ones = np.ones(_HIDDEN, np.float32)
    for norm in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{norm}.weight", ones)
    square = np.eye(_HIDDEN, dtype=np.float32)
    for matrix in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{matrix}.weight", square)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
