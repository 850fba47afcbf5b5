from importlib.util import find_spec

import pytest

from engine.checkpoints.causal_lm_types import CLASSES
from tests.checkpoints.causal_table import TABLE, render


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
def test_the_table_is_the_installed_one() -> None:
    assert TABLE.read_text() == render(), "run: python tests/checkpoints/causal_table.py"


def test_the_families_that_are_promised_are_in_it() -> None:
    promised = {"gpt2", "llama", "mistral", "qwen2", "gemma3", "gemma3_text", "phi3"}
    assert promised <= CLASSES.keys()
