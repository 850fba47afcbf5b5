"""When an adapter is said to be without effect, and which template an endpoint is said to have."""

from pathlib import Path

import pytest
import torch

from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import parse_arm
from engine.worker.data.chat_template import Template
from engine.worker.inference.arm_facts import NO_EFFECT, Fact, differences, divergences, warnings


class OneVocabulary:
    def get_vocab(self) -> dict[str, int]:
        return {"a": 0, "b": 1}


@pytest.mark.parametrize(("second", "without_effect"), [(0.5, True), (0.5002, False)])
def test_first_choices_count_beside_the_divergence(
    second: float, without_effect: bool, tmp_path: Path
) -> None:
    arms = [parse_arm("base=bundled:demo-base"), parse_arm("tuned=bundled:demo-base+a")]
    places = [ArmWeights(tmp_path), ArmWeights(tmp_path, tmp_path / "a")]
    facts = [Fact(arm, weights, OneVocabulary()) for arm, weights in zip(arms, places, strict=True)]
    logits = {0: torch.tensor([[0.5001, 0.5]]), 1: torch.tensor([[0.5001, second]])}
    kl = divergences(facts, logits)
    assert kl[0][1] is not None
    assert kl[0][1] < NO_EFFECT
    kinds = {warning["kind"] for warning in warnings(facts, kl, logits)}
    assert ("no effect" in kinds) == without_effect


@pytest.mark.parametrize(("prompt", "template"), [("", "its own"), ("&prompt=raw", "none")])
def test_an_endpoint_applies_its_own_template_but_to_no_raw_prompt(
    prompt: str, template: str
) -> None:
    written = Template("chat", "{{ messages }}", takes_system=True)
    here = Fact(parse_arm("base=bundled:demo-base"), template=written)
    there = Fact(parse_arm(f"e=http://127.0.0.1:9/v1?model=m{prompt}"))
    values = {one["what"]: one["values"] for one in differences([here, there])}
    assert values["template"] == [f"chat {written.hash[:8]}", template]


def test_a_null_adapter_has_not_the_weights_of_the_adapter(tmp_path: Path) -> None:
    """Also where no pass told them apart: it lies in the same place."""
    words = ("a=b+c", "b=b+c", "null=b+c?null=7", "other=b+c?null=8", "off=b+c@0.0?null=7")
    arms = [parse_arm(text) for text in words]
    facts = [Fact(arm, ArmWeights(tmp_path, tmp_path / "c"), OneVocabulary()) for arm in arms]
    same = [one["arms"] for one in warnings(facts) if one["kind"] == "same"]
    assert same == [[0, 1]]
