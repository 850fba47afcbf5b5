"""Checkpoint folders with small tokenizers of every kind that a GGUF file can hold; no weights."""

import json
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from engine.worker.tokenizers.pre_tokenizers import PreTokenizer

_FAST: Any = PreTrainedTokenizerFast
TEXT = [
    "I've told you: they'll say he's right, WE'RE not, it'D be HERE; don't. hello  world   again",
    "1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 3.14 1,000,000 x86 10th",
    "line\nline\n\nline\r\n\r\n\tif (x != y) {\n    return a[i++] == &b;\n}\n\n\n// $5 + 5% = ~^|`",
    "hétérogène naïve Übergröße дом домой что 今天天气很好 日本語のテキスト 안녕하세요 مرحبا שלום",
    "camelCaseWord HTTPServer iPhone дОМ ДОм ÉTÉé éTÉ a/b/c http://x.y/?q=1&r=2 ...!!!??? ---",
    "😀👩\u200d💻🏳\ufe0f\u200d🌈 e\u0301 ก็",
    "       seven spaces, \t\ttabs \u00a0 no-break \u3000 wide ½ ② Ⅷ ١٢٣ १२३",
]
PROBES = [
    *TEXT,
    *("7" * count for count in range(1, 11)),
    *(f"a{'8' * count}b {'9' * count}" for count in (2, 3, 4, 7)),
    *("\n" * count for count in range(1, 6)),
    *(" " * count for count in range(1, 9)),
    *("x" + " " * count + "y" + "\n" * count + "z" + "\t" * count for count in range(1, 5)),
    " \n \n\n  \t\n", "\r\n", "\r\r\n \r", "it's It'S 'tis ''s 'll'VE", "你好，世界！123元",
    "👨\u200d👩\u200d👧 👍🏽 1\ufe0f\u20e3", "a\u0300\u0301b\u0323", "ไทย ภาษา",
    "<|im_start|>user\nhi<|im_end|>", "<s>[INST] x [/INST]</s>", "", " ", "a", "A1b2C3",
    "ⅧⅨ ½¾ ①②③", "__init__(self, *args)", "E=mc^2; $x_1$ ≈ 3×10⁸", "x <tool> y",
]  # fmt: skip
MARKS = ("<|im_start|>", "<|im_end|>", "<s>", "</s>")


def save_byte_level(folder: Path, row: PreTokenizer, *, rows: int = 0, **extra: Any) -> Path:
    """A byte-level BPE that is cut by `row`, though its merges were learned without any cut: a
    wrong cut shows. `rows` of the embedding; `extra` goes to the tokenizer's config."""
    built = Tokenizer(models.BPE(ignore_merges=row.whole_words))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=[AddedToken(mark, special=True) for mark in MARKS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=12,
        show_progress=False,
    )
    built.train_from_iterator(TEXT * 4, trainer)
    built.decoder = decoders.ByteLevel()
    built.pre_tokenizer = pre_tokenizer(row)
    return _save(folder, built, rows, eos_token="<|im_end|>", bos_token="<s>", **extra)


def pre_tokenizer(row: PreTokenizer) -> Any:
    """The rules of a row as the library has them."""
    rules: list[Any] = []
    for kind, *pattern in row.steps:
        if kind == "gpt2":
            rules.append(pre_tokenizers.ByteLevel(add_prefix_space=False))
        elif kind == "digits":
            rules.append(pre_tokenizers.Digits(individual_digits=pattern[0] == "one by one"))
        else:
            rules.append(pre_tokenizers.Split(Regex(pattern[0]), "isolated"))
    if ("gpt2",) not in row.steps:
        rules.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return rules[0] if len(rules) == 1 else pre_tokenizers.Sequence(rules)


def save_sentence_pieces(
    folder: Path,
    *,
    legacy: bool = True,
    runs: int = 0,
    rows: int = 0,
    scheme: str = "",
    **extra: Any,
) -> Path:
    """A BPE with byte fallback whose merges are all that its pieces allow, as those that come from
    SentencePiece. `legacy`: Llama 2's leading space; else none, as Gemma's. `runs` of up to so many
    spaces are pieces of one score, as Llama's: their merges come last, and by turns."""
    learner = Tokenizer(models.BPE())
    learner.train_from_iterator(
        [text.replace(" ", "▁") for text in TEXT * 4],
        trainers.BpeTrainer(vocab_size=700, show_progress=False, max_token_length=8),
    )
    learned = json.loads(learner.to_str())["model"]["vocab"]
    pieces = ["<unk>", *MARKS, *(f"<0x{byte:02X}>" for byte in range(256))]
    singles = sorted(piece for piece in learned if len(piece) == 1)
    longer = [piece for piece in sorted(learned, key=lambda one: learned[one]) if len(piece) > 1]
    tied = ["▁" * count for count in range(2, runs + 1)]
    longer = [piece for piece in longer if not (tied and set(piece) == {"▁"})]
    ids = {piece: at for at, piece in enumerate([*pieces, *tied, *singles, *longer])}
    merges = [
        (piece[:cut], piece[cut:])
        for piece in longer
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    both = [*tied, "▁"]
    merges += [(left, right) for left in both for right in both if left + right in tied]
    built = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    rules: list[Any] = [normalizers.Replace(" ", "▁")]
    undone: list[Any] = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if scheme:
        built.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme=scheme, split=False)
        rules = []
    elif legacy:
        rules.insert(0, normalizers.Prepend("▁"))
        undone.append(decoders.Strip(" ", 1, 0))
    if rules:
        built.normalizer = normalizers.Sequence(rules)
    built.decoder = decoders.Sequence(undone)
    built.add_special_tokens([AddedToken(one, normalized=False) for one in ("<unk>", *MARKS)])
    return _save(folder, built, rows, eos_token="</s>", bos_token="<s>", unk_token="<unk>", **extra)


def _save(folder: Path, built: Tokenizer, rows: int, template: str = "", **names: Any) -> Path:
    built.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", built.token_to_id("<s>"))]
    )
    fast = _FAST(tokenizer_object=built, clean_up_tokenization_spaces=False, **names)
    fast.chat_template = template or None
    fast.save_pretrained(folder)
    config = {"model_type": "llama", "vocab_size": rows or len(fast)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
