"""Every family that people train: a step with an adapter and one of all weights, by our own path.

Each is trained by a whole run, loaded again with nothing of ours, and asked through ours.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from engine.compare.arm_weights import locate
from engine.compare.arms import Arm
from engine.jobs.directory import JobDirectory
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import ModelCache
from tests.worker.families import configs, save_family
from tests.worker.here import train_here
from tests.worker.training.test_train import curves, make_recipe

CPU = torch.device("cpu")
LOAD: Any = AutoModelForCausalLM.from_pretrained
QUICK = ("training.max_steps=1", "samples.count=0", "forgetting.tokens=0", "training.saves=0",
         "training.evaluations=0", "training.warmup_ratio=0", "method.dropout=0",
         "training.learning_rate=1e-2")  # fmt: skip
IDS = torch.arange(5, 25).unsqueeze(0)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(8))
    )
    return path


def answer(ref: str, runs: list[Path]) -> tuple[int, ...]:
    """What our own path says to a prompt, as token ids."""
    arm = Arm("it", ref)
    loaded_arm = ModelCache(CPU).load_arm(arm, locate(arm, runs), lambda line: None)
    assert loaded_arm is not None
    answers = BatchDecoder(loaded_arm, [list(range(5, 15))], Decode(max_new_tokens=5))
    while not answers.done:
        answers.step()
    return tuple(answers.answers[0].output_ids)


def learned(job: JobDirectory) -> list[float]:
    """The loss before and after the step."""
    return [float(value) for value in curves(job)["eval/loss"][1]]


@pytest.mark.parametrize("family", list(configs()))
def test_a_family_is_trained_saved_loaded_and_asked(
    family: str, rows: Path, root: Path, tmp_path: Path
) -> None:
    base = save_family(family, tmp_path / family)
    before = LOAD(base, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = before(IDS).logits
    said = before.generate(
        IDS[:, :10], attention_mask=torch.ones(1, 10), do_sample=False, max_new_tokens=5
    )
    assert answer(str(base), []) == tuple(said[0, 10:].tolist()), "ours is what the library says"

    tuned = train_here(make_recipe(base, rows, *QUICK), root)
    first, last = learned(tuned)
    assert last < first
    config = json.loads((tuned.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None, "a path of this machine is nobody else's"
    assert "lm_head" not in config["target_modules"], "the head is left alone"
    assert config["fan_in_fan_out"] is (family == "gpt2")
    from peft import PeftModel

    again = PeftModel.from_pretrained(LOAD(base, dtype=torch.float32), str(tuned.adapter)).eval()
    with torch.no_grad():
        assert not torch.allclose(again(input_ids=IDS).logits, logits)
    assert len(answer(f"run:{tuned.path.name}", [tuned.path])) > 0

    whole = train_here(make_recipe(base, rows, *QUICK, "method.kind=full"), root)
    first, last = learned(whole)
    assert last < first
    loaded = LOAD(whole.model, dtype=torch.float32).eval()
    tied = json.loads((base / "config.json").read_text()).get("tie_word_embeddings")
    if tied:
        assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    with torch.no_grad():
        assert not torch.allclose(loaded(IDS).logits, logits)
    assert len(answer(f"run:{whole.path.name}", [whole.path])) > 0
