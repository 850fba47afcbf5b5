"""The base model: its shape, and how it is written to disk."""

import json
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.demo.making.pretrain.tokens import CONTEXT


def make_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A small Llama with random weights in float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=448,
        num_hidden_layers=5,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.02,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=1, eos_token_id=2, pad_token_id=0, max_new_tokens=256
    )
    return model


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the checkpoint in float16, in Hugging Face layout."""
    half = LlamaForCausalLM(model.config)
    half.half()  # type: ignore[no-untyped-call]
    half.load_state_dict(model.state_dict())
    half.generation_config = model.generation_config
    half.save_pretrained(folder)
    # Batches of answers leave their padding behind.
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)
    # Named as in every version of transformers, older and newer.
    config = folder / "tokenizer_config.json"
    table = json.loads(config.read_text("utf-8"))
    table["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.write_text(json.dumps(table, indent=2) + "\n", "utf-8")
    (folder / "model.safetensors").chmod(0o644)
