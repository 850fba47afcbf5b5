"""What a `config.json` says of the length of rows, and what is said of rows that are longer."""

from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.causal_lm_types import CLASSES
from engine.checkpoints.context import (
    TABLED,
    check_length,
    explain_length,
    find_context_length,
    has_position_table,
)
from engine.checkpoints.describe import inspect
from engine.errors import EngineError
from tests.checkpoints.made import make_adapter, make_model


@pytest.mark.parametrize(
    ("config", "length", "tabled"),
    [
        ({"model_type": "gpt2", "n_positions": 1024}, 1024, True),
        ({"model_type": "llama", "max_position_embeddings": 2048}, 2048, False),
        ({"model_type": "mpt", "max_seq_len": 2048}, 2048, True),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512, True),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, 512, True),
        ({"model_type": "bloom"}, None, False),
        (
            {
                "model_type": "shown",
                "max_position_embeddings": 7,
                "text_config": {"model_type": "opt", "max_position_embeddings": 2048},
            },
            2048,
            True,
        ),
        ({"model_type": ["gpt2"], "n_positions": "many"}, None, False),
    ],
)
def test_the_length_and_whether_it_ends_there(
    config: dict[str, Any], length: int | None, tabled: bool
) -> None:
    assert find_context_length(config) == length
    assert has_position_table(config) is tabled


def test_longer_rows_are_refused_or_noted() -> None:
    for length, context in ((1024, 1024), (4096, None)):
        assert check_length(length, context, True) == check_length(length, context, False) == ""
    with pytest.raises(EngineError, match="above the model's context") as error:
        check_length(1025, 1024, True)
    assert error.value.hint == "Set data.max_length = 1024 or lower."
    assert explain_length(1025, 1024, True) in error.value.detail
    assert "above the context of 1,024 tokens" in check_length(1025, 1024, False)


def test_a_checkpoint_tells_it_of_itself_and_of_its_adapters(tmp_path: Path) -> None:
    gpt2: dict[str, Any] = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    base = make_model(tmp_path / "base", **gpt2)
    assert inspect(base).position_table
    assert inspect(make_adapter(tmp_path / "adapter", str(base))).position_table
    assert not inspect(make_model(tmp_path / "llama")).position_table


def test_the_types_are_known_as_causal() -> None:
    assert CLASSES.keys() >= TABLED
