"""How many tokens of a row a model can read by its `config.json`, and whether more are an error.

Most models compute where a token stands (RoPE, ALiBi): beyond the positions that they were trained
on they go on, less well. Others look it up in a table, learned or fixed: past its end is nothing,
and torch raises an IndexError, or on a GPU an assertion that takes the process along.
"""

from engine.checkpoints.config_json import Config, find_number, find_texts
from engine.errors import EngineError

TABLED = frozenset(
    {
        "bart", "bert", "bert-generation", "big_bird", "bigbird_pegasus", "biogpt", "blenderbot",
        "blenderbot-small", "camembert", "codegen", "ctrl", "data2vec-text", "electra", "ernie",
        "git", "gpt-sw3", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "marian", "mbart",
        "megatron-bert", "mpt", "mvp", "opt", "pegasus", "plbart", "prophetnet", "rembert",
        "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "trocr", "whisper",
        "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip
"""Model types that have a table of positions (MPT: of distances). A test tries each of them."""
_RESERVED = {
    "camembert": 1, "data2vec-text": 1, "prophetnet": 2, "roberta": 1, "roberta-prelayernorm": 1,
    "xlm-roberta": 1, "xlm-roberta-xl": 1, "xmod": 1,
}  # fmt: skip
"""Those whose first position comes after their pad token's id: 512 of RoBERTa's 514 are left.
ProphetNet reads one position ahead as well."""
_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
    "max_target_positions",
)


def find_context_length(config: Config) -> int | None:
    """Tokens; also where a family calls it otherwise, or keeps it in `text_config`."""
    length = find_number(config, _NAMES)
    kind = next(iter(find_texts(config, "model_type")), "")
    if length is None or kind not in _RESERVED:
        return length
    return max(1, length - _RESERVED[kind] - (find_number(config, ("pad_token_id",)) or 1))


def has_position_table(config: Config) -> bool:
    """Whether a row that is longer than the context cannot be read at all."""
    return not TABLED.isdisjoint(find_texts(config, "model_type"))


def explain_length(max_length: int, context_length: int | None, tabled: bool) -> str:
    """What is to be said of rows of `max_length` tokens; empty where the model has positions for
    them, or does not say how many it has. Where `tabled`, it cannot be trained so.
    """
    if context_length is None or max_length <= context_length:
        return ""
    if tabled:
        return f"must be at most {context_length:,}: the model has no more positions"
    return (
        f"max length {max_length:,} is above the context of {context_length:,} tokens that the "
        "model was trained on"
    )


def check_length(max_length: int, context_length: int | None, tabled: bool) -> str:
    """`explain_length` as a note. Raises EngineError where the model cannot read such rows."""
    text = explain_length(max_length, context_length, tabled)
    if text and tabled:
        raise EngineError(
            "data.max_length is above the model's context.",
            f"data.max_length = {max_length}: {text}",
            f"Set data.max_length = {context_length} or lower.",
        )
    return text
