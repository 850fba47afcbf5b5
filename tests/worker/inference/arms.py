"""Arms of tiny models, and what they say: for tests of panes."""

from pathlib import Path
from typing import Any

from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import LoadedArm, ModelCache
from tests.worker.tiny import make_tokenizer

LENGTH = 16
GREEDY = Decode(max_new_tokens=LENGTH)
TEXTS = [
    "i miss my dog",
    "What is the capital of France?",
    "Two and two",
    "Write me a song about the sea, and about a robot that is in love with it.",
]
ADAPTERS: dict[str, dict[str, Any]] = {
    "lora": {},
    "other": {"r": 2, "target_modules": ["q_proj", "k_proj", "o_proj"]},
    "rslora": {"use_rslora": True, "target_modules": "all-linear"},
    "dora": {"use_dora": True},
    "bias": {"bias": "lora_only"},
    "saved": {"modules_to_save": ["lm_head"]},
}
"""The settings of an adapter of each kind."""


def raw_prompts() -> list[list[int]]:
    """The texts as token ids."""
    tokenizer = make_tokenizer()
    return [tokenizer(text)["input_ids"] for text in TEXTS]


def load_arm(
    models: ModelCache, base: Path, adapter: Path | None = None, **settings: Any
) -> LoadedArm:
    made = models.load_arm(
        Arm("arm", str(base), **settings), ArmWeights(base, adapter), lambda _: None
    )
    assert made is not None
    return made


def say(
    loaded_arm: LoadedArm, prompts: list[list[int]], decode: Decode = GREEDY
) -> list[list[int]]:
    """Each prompt answered alone."""
    said = []
    for prompt in prompts:
        answers = BatchDecoder(loaded_arm, [prompt], decode)
        while not answers.done:
            answers.step()
        said.append(answers.answers[0].output_ids)
    return said
