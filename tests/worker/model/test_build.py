"""Building the model of a recipe: methods, targets, formats, schedules, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer

from engine.errors import EngineError
from engine.recipes.settings import Training
from engine.worker.data.encode import Encoded, collate
from engine.worker.model import loading
from engine.worker.model.build import ModelSpec, build_model, find_stage
from engine.worker.model.dtypes import Formats, pick_formats
from engine.worker.model.lora_targets import adapter_targets
from engine.worker.training.hf_arguments import training_arguments
from tests.worker.families import save_family
from tests.worker.here import train_here
from tests.worker.tiny import make_tokenizer, save_checkpoint
from tests.worker.training.test_train import curves, make_recipe
from tests.worker.whole_nll import nll

CPU = torch.device("cpu")
PLAIN = Formats(torch.float32, torch.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    return path


def build(base: Path, *changes: str, formats: Formats = PLAIN) -> Any:
    recipe = make_recipe(base, base, *changes)
    stage = find_stage(recipe, [])
    merged = base.parent / "merged"
    spec = ModelSpec(recipe, stage, formats, CPU, make_tokenizer(), merged)
    return build_model(spec, lambda line: None)


def lora_layers(model: Any) -> dict[str, Any]:
    return {
        name.removeprefix("base_model.model."): module
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }


def batch() -> dict[str, torch.Tensor]:
    rows = [list(range(5, 25)), list(range(30, 42))]
    return collate([Encoded(ids, ids, 0, kept=True, reason="") for ids in rows])


def test_a_rank_stabilised_adapter_is_scaled_by_the_root_of_its_rank(base: Path) -> None:
    settings = ("method.rank=16", "method.alpha=32")
    plain = next(iter(lora_layers(build(base, *settings)).values()))
    stable = next(iter(lora_layers(build(base, *settings, "method.variant=rslora")).values()))
    assert plain.scaling["default"] == 2
    assert stable.scaling["default"] == 8


def test_dora_learns_magnitudes_and_starts_as_its_base(base: Path) -> None:
    model = build(base, "method.variant=dora", "method.dropout=0")
    learned = [name for name, one in model.named_parameters() if one.requires_grad]
    assert any("magnitude" in name for name in learned)
    with model.disable_adapter(), torch.no_grad():
        before, _ = nll(model, batch())
    with torch.no_grad():
        assert float(nll(model, batch())[0]) == pytest.approx(float(before), rel=1e-5)


def test_every_linear_layer_but_the_head_gets_an_adapter_by_itself(base: Path) -> None:
    layers = lora_layers(build(base))
    assert len(layers) == 2 * 7
    assert "lm_head" not in layers


def test_named_targets_are_those_and_no_others(base: Path) -> None:
    layers = lora_layers(build(base, "method.target_modules=q_proj,model.layers.1.mlp.up_proj"))
    assert sorted(layers) == [
        "model.layers.0.self_attn.q_proj",
        "model.layers.1.mlp.up_proj",
        "model.layers.1.self_attn.q_proj",
    ]


def test_a_target_that_is_not_there_is_refused_with_those_that_are(base: Path) -> None:
    with pytest.raises(EngineError, match="cannot be attached") as caught:
        build(base, "method.target_modules=q_proj,c_attn")
    assert "c_attn" in caught.value.detail
    assert "q_proj" not in caught.value.detail
    assert "q_proj" in caught.value.hint


def test_a_head_that_is_the_embedding_too_is_left_alone(tmp_path: Path, base: Path) -> None:
    tied = loading.load_base(save_family("qwen2", tmp_path / "tied"), CPU, torch.float32)
    with pytest.raises(EngineError, match="head cannot have an adapter"):
        adapter_targets(tied, ["q_proj", "lm_head"])
    untied = loading.load_base(base, CPU, torch.float32)
    assert adapter_targets(untied, ["lm_head"]) == ["lm_head"]


def test_full_fine_tuning_learns_all_weights_in_float32(base: Path) -> None:
    model = build(base, "method.kind=full", formats=pick_formats(CPU, "bfloat16", "full"))
    assert all(one.requires_grad and one.dtype is torch.float32 for one in model.parameters())


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_checkpointing_changes_no_gradient(kind: str, base: Path) -> None:
    grads = []
    for wanted in ("false", "true"):
        model = build(base, f"method.kind={kind}", "method.dropout=0",
                      f"training.gradient_checkpointing={wanted}")  # fmt: skip
        if wanted == "true":
            model.gradient_checkpointing_enable({"use_reentrant": False})
        loss, _ = nll(model, batch())
        loss.backward()  # type: ignore[no-untyped-call]
        grads.append(
            {name: one.grad for name, one in model.named_parameters() if one.requires_grad}
        )
    assert all(one is not None for one in grads[1].values())
    for name, one in grads[0].items():
        torch.testing.assert_close(one, grads[1][name])


@pytest.mark.parametrize(
    ("device", "wanted", "kind", "capability", "found"),
    [
        ("cpu", "auto", "lora", None, (torch.float32, torch.float32)),
        ("cpu", "bfloat16", "lora", None, (torch.bfloat16, torch.bfloat16)),
        ("cpu", "bfloat16", "full", None, (torch.float32, torch.bfloat16)),
        ("cuda", "auto", "full", (9, 0), (torch.float32, torch.bfloat16)),
        ("cuda", "auto", "lora", (7, 5), (torch.float16, torch.float16)),
        ("cuda", "float32", "lora", (9, 0), (torch.float32, torch.float32)),
    ],
)
def test_formats_go_by_rule(
    device: str,
    wanted: str,
    kind: str,
    capability: tuple[int, int] | None,
    found: tuple[torch.dtype, torch.dtype],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert pick_formats(torch.device(device), wanted, kind) == Formats(*found)


@pytest.mark.parametrize(
    ("device", "wanted", "words"),
    [("cpu", "float16", "CPU cannot train in float16"), ("mps", "bfloat16", "in float32"),
     ("cuda", "bfloat16", "not support bfloat16")],
)  # fmt: skip
def test_a_format_that_a_device_cannot_train_in_is_refused_with_a_reason(
    device: str, wanted: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old GPU")
    with pytest.raises(EngineError, match=words) as caught:
        pick_formats(torch.device(device), wanted, "lora")
    assert "training.dtype" in caught.value.hint


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_run_in_bfloat16_learns_on_a_cpu(kind: str, base: Path, rows: Path, root: Path) -> None:
    changes = ("training.dtype=bfloat16", f"method.kind={kind}", "training.epochs=3",
               "training.learning_rate=5e-3", "training.evaluations=1", "samples.count=0",
               "forgetting.tokens=0", "training.saves=0")  # fmt: skip
    seen = curves(train_here(make_recipe(base, rows, *changes), root))["eval/loss"][1]
    assert seen[-1] < seen[0] - 0.5


def rates(schedule: str, rate: float = 1.0) -> list[float]:
    """The learning rate of each of 20 steps, the first 4 of them a warm-up."""
    training = Training(lr_scheduler_type=schedule, learning_rate=rate, warmup_ratio=0.2)
    made = training_arguments(training, Path("/nowhere"), CPU, PLAIN)
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = get_scheduler(
        made.lr_scheduler_type, optimizer, made.get_warmup_steps(20), 20,
        made.lr_scheduler_kwargs,
    )  # fmt: skip
    found = []
    for _ in range(20):
        found.append(float(scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    "schedule", ["linear", "cosine", "constant_with_warmup", "polynomial", "inverse_sqrt"]
)
def test_a_schedule_warms_up_and_then_goes_its_way(schedule: str) -> None:
    found = rates(schedule)
    assert found[0] == 0
    assert found[4] == pytest.approx(1)
    after = {
        "linear": 0.5,
        "cosine": 0.5,
        "constant_with_warmup": 1.0,
        "polynomial": 0.25,
        "inverse_sqrt": (4 / 12) ** 0.5,
    }
    assert found[12] == pytest.approx(after[schedule])
    assert rates(schedule, 0.0) == [0] * 20


def test_a_constant_rate_has_no_warm_up_as_in_transformers() -> None:
    assert rates("constant") == [1.0] * 20


def test_decay_and_clipping_are_those_of_the_recipe() -> None:
    made = training_arguments(
        Training(weight_decay=0.1, max_grad_norm=0.5), Path("/nowhere"), CPU, PLAIN
    )
    assert (made.weight_decay, made.max_grad_norm) == (0.1, 0.5)


def test_clipping_bounds_what_a_step_does_and_not_what_is_logged(
    base: Path, rows: Path, root: Path
) -> None:
    """Plain numbers: the norm before clipping is logged, and a bound changes the weights."""
    changes = ("training.max_steps=2", "training.evaluations=0", "samples.count=0",
               "forgetting.tokens=0", "training.saves=0", "training.warmup_ratio=0")  # fmt: skip
    free = curves(train_here(make_recipe(base, rows, *changes, "training.max_grad_norm=0"), root))
    held = curves(train_here(make_recipe(base, rows, *changes), root))
    assert held["train/grad_norm"][1][0] == free["train/grad_norm"][1][0] > 1
