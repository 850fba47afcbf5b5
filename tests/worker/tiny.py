"""A tiny model and tokenizer, made on the spot: for tests that need no knowledge."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TOKENIZER: Any = PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

TEXT = [
    "What emotion is in this text? i miss my dog",
    "sadness joy love anger fear surprise",
    "The capital of France is Paris. Two and two make four.",
    "### Instruction:\n\n### Response:\n system user assistant\n",
]


WORDS = ("<|im_start|>", "<|im_end|>", "<|pad|>", "<s>", "</s>")


def make_tokenizer(
    template: str | None = CHATML, words: tuple[str, ...] = WORDS, **special: str
) -> Any:
    """A byte-level BPE of about 300 entries. `special` overrides the special tokens; "" is none."""
    names = {"eos_token": "<|im_end|>", "pad_token": "<|pad|>"} | special
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(words),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    fast: Any = TOKENIZER(
        tokenizer_object=tokenizer, **{name: word for name, word in names.items() if word}
    )
    fast.chat_template = template
    return fast


def make_model(vocabulary: int = 300, seed: int = 0) -> Any:
    """A random Llama whose greedy answers differ from prompt to prompt."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.4,
    )
    model: Any = LlamaForCausalLM(config)
    return model.eval()


def save_checkpoint(path: Path, seed: int = 0, template: str | None = CHATML) -> Path:
    """The two of them as a checkpoint directory. It hardly ever ends an answer by itself."""
    tokenizer = make_tokenizer(template)
    model = make_model(len(tokenizer), seed)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] = 0
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def save_adapter(path: Path, base: Path, seed: int = 1, **settings: Any) -> Path:
    """A LoRA adapter with random weights, so strong that it changes what the base says."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    chosen: dict[str, Any] = {
        "task_type": "CAUSAL_LM",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "v_proj", "down_proj"],
    }
    config = LoraConfig(**(chosen | settings))
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base), config)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    with torch.no_grad():
        for weight in trained:
            weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(str(path))
    return path


def save_encoder(path: Path, kind: str = "bert", seed: int = 0, positions: int = 64) -> Path:
    """A random BERT or RoBERTa of three layers, its tokenizer with [CLS] and [SEP].

    Weights are numpy's, whose random numbers do not depend on the version of torch.
    """
    import numpy as np
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    words = ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]")
    tokenizer = make_tokenizer(
        None, words, eos_token="", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        unk_token="[UNK]", mask_token="[MASK]",
    )  # fmt: skip
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $0 [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    tokenizer.model_max_length = positions
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "pad_token_id": tokenizer.pad_token_id,
        # RoBERTa's positions begin after its pad token's id.
        "max_position_embeddings": positions + (2 if kind == "roberta" else 0),
    }
    model: Any = (
        RobertaModel(RobertaConfig(**sizes))
        if kind == "roberta"
        else BertModel(BertConfig(**sizes))
    )
    generator = np.random.default_rng(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if "LayerNorm" not in name:
                drawn = generator.normal(0, 0.2, tuple(weight.shape))
                weight.copy_(torch.from_numpy(drawn))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
