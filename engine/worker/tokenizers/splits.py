"""How families of models cut a text into words before byte-level BPE, by the names of GGUF.

Owns what llama.cpp does under each value of `tokenizer.ggml.pre` that is known here
(github.com/ggml-org/llama.cpp, src/llama-vocab.cpp). A name that is not known has no split.
"""

from tokenizers import Regex, pre_tokenizers

from engine.worker.tokenizers.pre_tokenizers import TABLE, PreTokenizer

_GPT2 = (
    "", "gpt2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en",
    "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo",
    "jais", "trillion", "granite-docling",
)  # fmt: skip
"""The words of GPT-2."""
_SINGLE_DIGITS = (
    "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2",
)  # fmt: skip
"""Each digit alone, then the words of GPT-2."""
_AS_QWEN2 = ("stablelm2", "hunyuan", "solar-open")
_WHOLE_WORDS = (
    "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
    "jina-v5-nano",
)  # fmt: skip
_ROWS = {row.name: row for row in TABLE}
"""The names that are proven; those above are others of the same rules."""


def split_of(name: str) -> pre_tokenizers.PreTokenizer | None:
    """The pre-tokenizer of that name, bytes spelled as letters; None: the name is not known."""
    if name in _ROWS:
        return _cut_by(_ROWS[name])
    if name in _GPT2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name in _SINGLE_DIGITS:
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
    pattern = _patterns().get("qwen2" if name in _AS_QWEN2 else name)
    if pattern is None:
        return None
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def takes_whole_words(name: str) -> bool:
    """Whether a word that is a token of the vocabulary is one, whatever the merges."""
    return _ROWS[name].whole_words if name in _ROWS else name in _WHOLE_WORDS


def same_split(first: str, second: str) -> bool:
    """Whether llama.cpp reads a text alike under both names; of names that are not known here only
    where they are one."""
    if first == second:
        return True
    rules = [split_of(name) for name in (first, second)]
    if None in rules or takes_whole_words(first) != takes_whole_words(second):
        return False
    return repr(rules[0]) == repr(rules[1])


def _cut_by(row: PreTokenizer) -> pre_tokenizers.PreTokenizer:
    """The pre-tokenizer that cuts as a row of the table says."""
    made: list[pre_tokenizers.PreTokenizer] = []
    for kind, *how in row.steps:
        if kind == "gpt2":
            made.append(pre_tokenizers.ByteLevel(add_prefix_space=False))
        elif kind == "digits":
            made.append(pre_tokenizers.Digits(individual_digits=how[0] == "one by one"))
        elif kind == "punctuation":
            made.append(pre_tokenizers.Punctuation("contiguous"))
        else:
            made.append(pre_tokenizers.Split(Regex(how[0]), behavior="isolated"))
    if ("gpt2",) not in row.steps:
        made.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return made[0] if len(made) == 1 else pre_tokenizers.Sequence(made)


def _patterns() -> dict[str, str]:
    try:
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
    except ImportError:
        return {}
    return dict(GGUF_PRE_TOKENIZER_SPLITS)
