"""How text is cut under the names that GGUF has for it."""

from typing import Any

import pytest

from engine.worker.tokenizers.pre_tokenizers import TABLE
from engine.worker.tokenizers.splits import same_split, split_of, takes_whole_words
from tests.worker.release.tokenizers_for_gguf import PROBES, pre_tokenizer


def words(split: Any, text: str) -> list[str]:
    return [word for word, _ in split.pre_tokenize_str(text)]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_name_cuts_as_the_table_of_exports_has_it(row: Any) -> None:
    split = split_of(row.name)
    assert split is not None, "a proof could say nothing of files with this name"
    expected = pre_tokenizer(row)

    assert [words(split, text) for text in PROBES] == [words(expected, text) for text in PROBES]
    assert takes_whole_words(row.name) == row.whole_words


def test_names_that_mean_the_same() -> None:
    assert same_split("llama-bpe", "llama3")
    assert same_split("smollm", "refact")
    assert same_split("qwen2", "stablelm2")
    assert same_split("not known", "not known")
    assert not same_split("llama-bpe", "dbrx")  # whole words
    assert not same_split("gpt-2", "smollm")
    assert not same_split("qwen2", "llama-bpe")
    assert not same_split("not known", "nor this")
