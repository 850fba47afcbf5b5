"""Token shift against ranks and divergences computed the long way."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.chat import Message
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.compare.samples import Sample
from engine.compare.token_shift import (
    Candidate,
    Shift,
    ShiftedToken,
    by_position,
    from_table,
    to_table,
)
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.token_shift import measure_shift
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint


@pytest.fixture(scope="module")
def loaded_arms(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedArm, LoadedArm]:
    folder = tmp_path_factory.mktemp("shift")
    base = save_checkpoint(folder / "base")
    adapter = save_adapter(folder / "adapter", base)
    models = ModelCache(torch.device("cpu"))
    made = [
        models.load_arm(Arm(name, str(base)), ArmWeights(base, where), lambda _: None)
        for name, where in (("base", None), ("tuned", adapter))
    ]
    assert made[0] is not None
    assert made[1] is not None
    return made[0], made[1]


def answered(loaded_arm: LoadedArm, text: str = "i miss my dog") -> Sample:
    said = [Message("user", text)]
    answers = BatchDecoder(loaded_arm, [loaded_arm.prompt(said)], Decode(max_new_tokens=12))
    while not answers.done:
        answers.step()
    return answers.sample(0, "p", said, loaded_arm.arm.name)


def logits(loaded_arm: LoadedArm, ids: list[int]) -> Any:
    with torch.inference_mode(), loaded_arm.model.with_adapter(loaded_arm.adapter) as model:
        return model(torch.tensor([ids])).logits[0, -1].double()


def test_every_number_is_what_a_pass_for_each_token_says(
    loaded_arms: tuple[LoadedArm, LoadedArm],
) -> None:
    base, tuned = loaded_arms
    sample = answered(tuned)
    found = measure_shift(base, tuned, sample)
    assert [token.id for token in found.tokens] == list(sample.output_ids)
    for at, token in enumerate(found.tokens):
        prefix = [*sample.prompt_ids, *sample.output_ids[:at]]
        before, after = (logits(loaded_arm, prefix).softmax(-1) for loaded_arm in loaded_arms)
        assert token.rank == int((before > before[token.id]).sum()) + 1
        assert token.base_probability == pytest.approx(float(before[token.id]), abs=1e-5)
        assert token.tuned_probability == pytest.approx(math.exp(sample.logprobs[at]), abs=1e-4)
        kl = float((before * (before.log() - after.log())).sum())
        assert token.kl == pytest.approx(kl, abs=1e-4)
        # The answer is greedy: what the tuned model prefers is what it said.
        assert token.tuned_top[0].id == token.id
        assert token.base_top[0].id == int(before.argmax())
        assert len(token.base_top) == 5


def test_the_base_does_not_differ_from_itself(loaded_arms: tuple[LoadedArm, LoadedArm]) -> None:
    base, _ = loaded_arms
    found = measure_shift(base, base, answered(base))
    assert found.shares == {"unshifted": 1.0, "marginal": 0.0, "shifted": 0.0}
    assert found.kl == 0.0


def test_the_other_tokenizer_is_refused(
    loaded_arms: tuple[LoadedArm, LoadedArm], tmp_path: Path
) -> None:
    base, tuned = loaded_arms
    other = dataclasses.replace(tuned, tokenizer=make_tokenizer(words=("<x>", "<y>")))
    with pytest.raises(EngineError, match="different tokenizers"):
        measure_shift(base, other, answered(tuned))


def token(rank: int) -> ShiftedToken:
    top = (Candidate(1, "a", 0.5),)
    return ShiftedToken(1, "a", rank, 0.1, 0.2, 0.3, top, top)


def test_kinds_shares_and_positions() -> None:
    first = Shift("base", "tuned", "p", True, tuple(map(token, (9, 4, 3, 1))))
    second = Shift("base", "tuned", "q", True, (token(5), token(1)))
    assert first.shares == {"unshifted": 0.25, "marginal": 0.25, "shifted": 0.5}
    assert by_position([first, second], 2) == [(3, 1.0), (3, 0.0)]
    assert by_position([], 2) == [(0, None), (0, None)]
    assert from_table(json.loads(json.dumps(to_table(first)))) == first
    with pytest.raises(ValueError, match="token shift"):
        from_table({"tokens": [{}]})
