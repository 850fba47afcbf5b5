"""Regular expressions in the configs of adapters: those that could take for ever are refused."""

import pytest

from engine.checkpoints.adapter_config import explain_unsupported
from engine.checkpoints.module_patterns import explain_slow_pattern

USUAL = (
    r".*\.(q|k|v)_proj",
    "all-linear",
    r"(?:.*?(?:vision|visual).*?(?:attn|mlp).*?(?:q_proj|k_proj))"
    r"|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|mlp)\.(?:(?:q_proj|k_proj)))",
    r"model\.layers\.\d{1,2}\.mlp\.[a-z_]+",
)


@pytest.mark.parametrize("pattern", USUAL)
def test_patterns_that_people_write_are_taken(pattern: str) -> None:
    assert explain_slow_pattern({"target_modules": pattern}) is None


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(.*)*x", "(a|aa)+$", "(a|a?)+b", "((ab?)c?)*$", "(?:x{1,2}y{0,3})*z", "(?=(a+)+$)",
     ".*.*.*.*.*.*.*x", "(" * 900 + "a" + ")" * 900, "(", "a" * 20_001, "(a{2,99}){2,99}$"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["target_modules", "exclude_modules", "layers_pattern"])
def test_patterns_that_may_never_end_are_refused(pattern: str, field: str) -> None:
    assert field in (explain_slow_pattern({field: pattern}) or "")


def test_an_adapter_with_such_a_pattern_cannot_be_picked() -> None:
    config = {"peft_type": "LORA", "target_modules": "(a+)+$"}
    assert "may never end" in (explain_unsupported(config) or "")
    assert explain_slow_pattern({"rank_pattern": {"(a+)+": 8}}) is not None
    assert explain_slow_pattern({"alpha_pattern": {"q_proj": 8}}) is None
    assert explain_slow_pattern({"layers_pattern": ["layers", "(a+)+"]}) is not None
    assert explain_slow_pattern({"target_modules": ["q_proj", "(a+)+"]}) is None, (
        "names, no patterns"
    )
    assert explain_slow_pattern({"target_modules": 3, "rank_pattern": []}) is None
