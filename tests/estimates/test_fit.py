"""Will it fit: what is said of memory, batch, time and disk, and that the advice helps."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoints import describe
from engine.checkpoints.entry import Checkpoint
from engine.errors import EngineError
from engine.estimates import advice, duration, epoch, fit, memory
from engine.estimates.fit import Fit
from engine.jobs import directory, status
from engine.jobs.devices import Device
from engine.jobs.status import State, Status
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from tests.checkpoints.made import make_adapter, make_model, pack

CPU = Device("cpu", "cpu", "x86_64")
GB = 10**9
SIZES: dict[str, Any] = {
    "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
    "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32_000,
}  # fmt: skip
LLAMA = {"model_type": "llama", **SIZES}
"""1.1 billion parameters."""


def gpu(total: int, used: int = 0, index: int = 0) -> Device:
    return Device("cuda", f"GPU-{index}", "H200", index, total, used)


def recipe(*changes: str) -> TrainRecipe:
    built = recipes.parse(recipes.with_changes({}, changes))
    assert isinstance(built, TrainRecipe)
    return built


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """Its weights are a toy's: their number is that of the sizes, as the formula has it."""
    folder = make_model(tmp_path / "llama", **SIZES)
    found = describe.inspect(folder)
    assert found.reason is None
    exact = memory.estimate(LLAMA, recipe()).parameters
    return Checkpoint(**{**_fields(found), "parameters": exact})


def _fields(found: Checkpoint) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Checkpoint.__slots__}


def test_a_run_that_fits_says_so(checkpoint: Checkpoint, root: Path) -> None:
    speed = duration.Speed(50.0, 120)
    found = fit.assess(recipe(), checkpoint, [gpu(80 * GB)], root, tokens=1000, speed=speed)
    assert found.memory is not None
    assert found.memory.parameters == checkpoint.parameters
    assert (found.device, found.free, found.fits, found.advice) == ("cuda:0", 80 * GB, True, ())
    assert found.needed == found.memory.total
    assert found.largest_batch is not None
    assert found.largest_batch > 16
    basis = "from 120 measured steps of this model on this device"
    assert (found.seconds, found.seconds_range, found.basis) == (60.0, (48.0, 75.0), basis)
    assert found.disk_free is not None
    line = found.line
    assert "of 80.0 GB free on cuda:0" in line
    assert f"largest batch {found.largest_batch}" in line
    assert f"about 60 s, 48 to 75 s ({basis})" in line


def test_the_largest_batch_is_the_largest(checkpoint: Checkpoint, root: Path) -> None:
    most = fit.assess(recipe(), checkpoint, [gpu(40 * GB)], root).largest_batch
    assert most is not None
    for size, fits in ((most, True), (most + 1, False)):
        wanted = recipe(f"training.batch_size={size}")
        assert fit.assess(wanted, checkpoint, [gpu(40 * GB)], root).fits is fits


def test_what_others_use_is_not_free(checkpoint: Checkpoint, root: Path) -> None:
    alone = fit.assess(recipe(), checkpoint, [gpu(80 * GB)], root)
    shared = fit.assess(recipe(), checkpoint, [gpu(80 * GB, 79 * GB)], root)
    both = fit.assess(recipe(), checkpoint, [gpu(80 * GB, 79 * GB), gpu(80 * GB, 0, 1)], root)
    assert (alone.fits, shared.fits, shared.free) == (True, False, GB)
    assert (both.device, both.free) == ("cuda:0,cuda:1", 81 * GB)


def test_memory_that_the_driver_does_not_tell_is_not_guessed(
    checkpoint: Checkpoint, root: Path
) -> None:
    found = fit.assess(recipe(), checkpoint, [gpu(0)], root)
    assert (found.free, found.fits, found.largest_batch, found.advice) == (None, None, None, ())
    assert found.needed


def test_on_a_cpu_the_libraries_count(checkpoint: Checkpoint, root: Path) -> None:
    found = fit.assess(recipe(), checkpoint, [CPU], root)
    assert found.memory is not None
    assert found.needed == found.memory.total + memory.LIBRARIES
    assert found.free is not None
    assert 0 < found.free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_an_adapter_needs_what_its_base_needs(tmp_path: Path, root: Path) -> None:
    base = make_model(tmp_path / "base", **SIZES)
    adapter = describe.inspect(make_adapter(tmp_path / "adapter", str(base)))
    whole = fit.assess(recipe(), describe.inspect(base), [gpu(80 * GB)], root)
    assert fit.assess(recipe(), adapter, [gpu(80 * GB)], root).needed == whole.needed
    merging = fit.assess(recipe("model.adapter=merge"), adapter, [gpu(80 * GB)], root)
    assert merging.disk_needed is not None
    assert whole.disk_needed is not None
    assert whole.memory is not None
    probe = 2 * 1024 * SIZES["vocab_size"]
    more = merging.disk_needed - whole.disk_needed
    assert more == 4 * whole.memory.parameters + probe, "the parent's distributions too"
    assert fit.merges(recipe("model.adapter=merge"), adapter)
    assert not fit.merges(recipe("model.adapter=merge", "method.kind=full"), adapter)
    small = recipe("training.dtype=bfloat16", "training.batch_size=1", "data.max_length=8")
    plain, first = (memory.estimate(LLAMA, small, merges=merges) for merges in (False, True))
    assert first.total > 4 * first.parameters > plain.total, "the sum is made in float32"
    alone = describe.inspect(make_adapter(tmp_path / "orphan", "nobody/knows"))
    lost = fit.assess(recipe(), alone, [gpu(80 * GB)], root)
    assert (lost.needed, lost.fits) == (None, None)
    assert "its base is not on this machine" in lost.line


def test_added_tokens_are_in_the_memory_and_on_the_disk(tmp_path: Path, root: Path) -> None:
    base = make_model(tmp_path / "base", **SIZES)
    adapter = make_adapter(tmp_path / "adapter", str(base))
    plain = fit.assess(recipe(), describe.inspect(adapter), [gpu(80 * GB)], root)
    rows, hidden = SIZES["vocab_size"] + 64, SIZES["hidden_size"]
    tensors = {f"base_model.model.{name}.weight": ("F32", [rows, hidden])
               for name in ("model.embed_tokens", "lm_head")}  # fmt: skip
    (adapter / "adapter_model.safetensors").write_bytes(pack(tensors))
    added = describe.inspect(adapter)
    assert added.vocab_size == rows
    found = fit.assess(recipe(), added, [gpu(80 * GB)], root)
    assert found.memory is not None
    assert plain.memory is not None
    more = found.memory.parameters - plain.memory.parameters
    assert more == 2 * 64 * hidden, "in the embedding and in the head"
    assert found.memory.total > plain.memory.total
    assert found.checkpoint is not None
    assert plain.checkpoint is not None
    assert found.checkpoint - plain.checkpoint == 2 * 4 * rows * hidden
    merging = fit.assess(recipe("model.adapter=merge"), added, [gpu(80 * GB)], root)
    assert merging.checkpoint == plain.checkpoint, "the rows are in its base"


def test_a_shape_that_is_not_known_is_said(tmp_path: Path, root: Path) -> None:
    model = describe.inspect(make_model(tmp_path / "odd", **SIZES | {"hidden_size": "wide"}))
    found = fit.assess(recipe(), model, [gpu(80 * GB)], root)
    assert found.line.startswith("memory unknown: ")
    fit.check_disk(recipe(), model, root)


def test_a_mixture_of_experts_is_reckoned_roughly_by_what_its_files_hold(
    checkpoint: Checkpoint, tmp_path: Path, root: Path
) -> None:
    sizes = SIZES | {"num_local_experts": 8, "num_experts_per_tok": 2}
    mixture = describe.inspect(make_model(tmp_path / "moe", **sizes))
    assert "must be counted" in fit.assess(recipe(), mixture, [gpu(80 * GB)], root).line
    full = recipe("method.kind=full", "training.batch_size=512")
    small = fit.assess(full, mixture, [gpu(8 * GB)], root)
    assert small.fits is False
    assert all("lora" not in one.text for one in small.advice), "what it learns is not counted"
    found, dense = (
        fit.assess(full, one, [gpu(80 * GB)], root).memory for one in (mixture, checkpoint)
    )
    assert found is not None
    assert dense is not None
    assert found.rough
    assert found.parameters == mixture.parameters
    assert found.activations > dense.activations, "a token passes through two experts"


def test_it_is_quick_enough_for_every_key(
    checkpoint: Checkpoint, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large batch takes no more estimates than a small one, and no more than some dozens."""
    made: list[TrainRecipe] = []
    estimate = memory.estimate

    def count(config: Any, wanted: TrainRecipe, **known: Any) -> memory.Estimate:
        made.append(wanted)
        return estimate(config, wanted, **known)

    monkeypatch.setattr(memory, "estimate", count)
    numbers = []
    for batch in (1, 4096):
        made.clear()
        fit.assess(recipe(f"training.batch_size={batch}"), checkpoint, [gpu(GB)], root)
        numbers.append(len(made))
    assert 1 < numbers[1] <= numbers[0] + 5 <= 80


@given(
    st.sampled_from(["method.kind=full", "method.kind=lora", "method.variant=dora"]),
    st.integers(1, 200), st.integers(1, 8), st.integers(16, 4096), st.integers(1, 200),
)  # fmt: skip
def test_each_piece_of_advice_fits_alone(
    method: str, batch: int, accumulation: int, length: int, room: int
) -> None:
    wanted = recipe(
        method, f"training.batch_size={batch}",
        f"training.gradient_accumulation_steps={accumulation}", f"data.max_length={length}",
    )  # fmt: skip
    need = advice.needs(partial(memory.estimate, LLAMA, device_kind="cuda"), "cuda")
    found = advice.advise(need, wanted, room * GB)
    assert (found == ()) == (need(wanted) <= room * GB)
    for one in found:
        if not one.changes:
            assert len(found) == 1
            continue
        table = recipes.with_changes(recipes.to_table(wanted), one.changes)
        changed = recipes.parse(table)
        assert isinstance(changed, TrainRecipe)
        assert need(changed) <= room * GB
        rows = changed.training.batch_size * changed.training.gradient_accumulation_steps
        assert rows == batch * accumulation, "the step stays what it was"


def test_where_nothing_helps_it_says_so() -> None:
    need = advice.needs(partial(memory.estimate, LLAMA, device_kind="cuda"), "cuda")
    (only,) = advice.advise(need, recipe("method.quantize=4bit"), 1000)
    assert not only.changes
    assert "smaller model or another device" in only.text


def test_a_disk_too_small_for_one_checkpoint_is_refused(
    checkpoint: Checkpoint, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = recipe("method.kind=full")
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 * GB))
    found = fit.assess(full, checkpoint, [gpu(80 * GB)], root)
    assert found.checkpoint == pytest.approx(12 * checkpoint.parameters, rel=1e-3)  # type: ignore[operator]
    with pytest.raises(EngineError, match="disk is too full") as caught:
        fit.check_disk(full, checkpoint, root)
    assert "5.0 GB are free" in caught.value.detail
    fit.check_disk(recipe(), checkpoint, root)


def test_the_disk_is_that_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert fit.free_disk_bytes(tmp_path / "a" / "b") == pytest.approx(
        fit.free_disk_bytes(tmp_path), rel=0.05
    )


def test_operations_are_six_four_and_a_third_more() -> None:
    short = "data.max_length=8"
    full = duration.operations(LLAMA, recipe("method.kind=full", short))
    lora = duration.operations(LLAMA, recipe(short))
    again = duration.operations(
        LLAMA, recipe("method.kind=full", short, "training.gradient_checkpointing=true")
    )
    weights = memory.estimate(LLAMA, recipe()).parameters - 32_000 * 2048
    assert full == pytest.approx(6 * weights, rel=0.01)
    assert lora == pytest.approx(4 * weights, rel=0.05)
    assert again == pytest.approx(8 * weights, rel=0.01)
    assert duration.operations({}, recipe()) == 0


def test_time_is_said_only_where_rows_are_known(checkpoint: Checkpoint, root: Path) -> None:
    def seconds(*changes: str, tokens: int | None = None) -> Fit:
        return fit.assess(recipe(*changes), checkpoint, [gpu(80 * GB)], root, tokens=tokens)

    assert seconds().seconds is None
    guessed = seconds(tokens=10**6)
    assert guessed.seconds
    assert guessed.basis == duration.GUESSED
    assert seconds("training.epochs=6", tokens=10**6).seconds == 2 * guessed.seconds
    assert seconds("training.max_steps=5").seconds


def test_time_counts_the_evaluations(checkpoint: Checkpoint, root: Path) -> None:
    """Each passes all held-out rows forward: half of what training does where weights are frozen,
    a third where all are learned; one before the first step, the others evenly spread."""

    def seconds(*changes: str, held_out: int = 1000) -> float:
        found = fit.assess(recipe(*changes), checkpoint, [gpu(80 * GB)], root, tokens=1000,
                           held_out=held_out, speed=duration.Speed(50.0, 12))  # fmt: skip
        assert found.seconds is not None
        return found.seconds

    assert seconds(held_out=0) == 60
    assert seconds() == pytest.approx(60 + 11 * 20 / 2, rel=0.02)
    assert seconds("training.evaluations=0") == pytest.approx(60 + 2 * 20 / 2, rel=0.02)
    full = seconds("method.kind=full", "training.evaluations=2")
    assert full == pytest.approx(60 + 3 * 20 / 3, rel=0.02)
    steps = ("training.max_steps=4", "training.batch_size=1", "data.max_length=50")
    assert seconds(*steps) == pytest.approx(4 + 5 * 20 / 2, rel=0.03)


def test_rows_and_their_length_tell_tokens() -> None:
    assert epoch.tokens_of_epoch(recipe(), 100, 100, splits=False) == 10_000
    assert epoch.tokens_of_epoch(recipe(), 100, 100) == 9_000, "a tenth is held out"
    assert epoch.tokens_of_epoch(recipe("data.limit=10"), 100, 100, splits=False) == 1000
    replayed = recipe("replay.data=bundled:rehearsal", "replay.share=0.9")
    assert epoch.tokens_of_epoch(replayed, 100, 100, splits=False) == pytest.approx(100_000, abs=1)


def test_tokens_are_those_of_the_messages_and_not_of_the_file(tmp_path: Path) -> None:
    """Columns that are not read do not count, the prompt that is written around a label does."""
    wide, plain = tmp_path / "wide.jsonl", tmp_path / "plain.jsonl"
    for path, more in ((wide, {"notes": "x" * 4000}), (plain, {})):
        row = {"prompt": "p" * 40, "completion": "c" * 40} | more
        path.write_text(f"{json.dumps(row)}\n" * 20)
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("text,label\n" + "".join(f"i am {one},{one}\n" for one in ("sad", "glad")))

    def tokens(path: Path, *changes: str) -> int | None:
        return epoch.estimate_tokens(recipe(f"data.train={path}", *changes), [])

    assert tokens(plain) == tokens(wide) == 18 * (40 / 4 + 40 / 4 + 2 * epoch.TOKENS_OF_MARKS)
    assert tokens(plain, "data.max_length=8") == 18 * 8
    asked = tokens(labelled, "data.eval_fraction=0")
    assert asked is not None
    assert asked > 2 * 25, "the prompt names the labels"
    assert tokens(tmp_path / "gone.jsonl") is None


def test_held_out_rows_are_counted_by_their_file_or_share(tmp_path: Path) -> None:
    row = json.dumps({"prompt": "p", "completion": "c"}) + "\n"
    train, own = tmp_path / "a" / "train.jsonl", tmp_path / "a" / "test.jsonl"
    alone = tmp_path / "alone.jsonl"
    train.parent.mkdir()
    for path, count in ((train, 40), (own, 10), (alone, 30)):
        path.write_text(row * count)

    def held_out(*changes: str) -> int:
        return epoch.estimate_held_out(recipe(*changes), [], 1000)

    assert held_out(f"data.train={train}") == 250
    assert held_out(f"data.train={train}", "data.limit=20") == 500
    assert held_out(f"data.train={train}", f"data.eval={alone}") == 750
    assert held_out(f"data.train={alone}", "data.eval_fraction=0.2") == 250
    assert held_out(f"data.train={tmp_path / 'gone.jsonl'}") == 0


Ran = Callable[..., None]


@pytest.fixture
def ran(root: Path) -> Ran:
    """Makes a run of 50 steps that is done, unless other fields of its status are given."""

    def make(speed: float, heartbeat: float, *changes: str, **fields: Any) -> None:
        job = directory.create(root, recipe(*changes), [], [])
        usual = Status(
            State.DONE, tokens_per_second=speed, heartbeat=heartbeat, host=socket.gethostname(),
            device="cpu", step=50,
        )  # fmt: skip
        status.write(job, replace(usual, **fields))

    return make


def find_speed(root: Path, *changes: str) -> duration.Speed | None:
    jobs = [directory.JobDirectory(path) for path in root.iterdir()]
    return duration.measured_speed(jobs, recipe(*changes), "cpu")


def test_a_well_measured_run_goes_before_a_newer_tiny_or_running_one(root: Path, ran: Ran) -> None:
    def found() -> tuple[float, float]:
        speed = find_speed(root)
        assert speed is not None
        return speed.tokens_per_second, speed.spread

    few, enough = 1.25 * duration.FEW_STEPS_SPREAD, 1.25
    ran(5, 1.0, state=State.RUNNING, step=400)
    assert found() == (5, enough), "better than none"
    ran(10, 2.0, step=12)
    assert found() == (10, few), "it has ended"
    ran(20, 3.0, step=60)
    ran(30, 4.0, step=12)
    assert found() == (20, few), "most steps"
    ran(40, 5.0, step=450, state=State.STOPPED)
    ran(50, 6.0, step=12)
    ran(60, 7.0, step=900, state=State.RUNNING)
    assert found() == (40, enough)
    ran(70, 8.0, step=300)
    assert found() == (70, enough), "of those with enough steps the newer one"
    other = find_speed(root, "training.batch_size=2")
    assert other is not None
    assert (other.tokens_per_second, other.spread) == (70, 2.0)


def test_few_steps_make_a_wider_range(checkpoint: Checkpoint, root: Path) -> None:
    few, enough = (
        fit.assess(recipe(), checkpoint, [gpu(80 * GB)], root, tokens=1000, speed=speed)
        for speed in (duration.Speed(50.0, 12), duration.Speed(50.0, 450))
    )
    assert (few.seconds, few.seconds_range) == (60.0, (32.0, 112.5))
    assert (enough.seconds, enough.seconds_range) == (60.0, (48.0, 75.0))


def test_the_speed_is_that_of_the_last_run_like_it(root: Path, ran: Ran) -> None:
    def speed(*changes: str) -> float | None:
        found = find_speed(root, *changes)
        return None if found is None else found.tokens_per_second

    assert speed() is None
    ran(10, 1.0)
    ran(20, 2.0, "training.batch_size=4")
    ran(30, 3.0, "method.kind=full")
    ran(40, 4.0, host="another")
    ran(50, 5.0, device="cuda:0")
    ran(60, 6.0, "training.gradient_checkpointing=true")
    ran(0, 7.0)
    ran(80, 8.0, step=2)
    assert speed() == 10, "of this batch size, though another ran later"
    assert speed("training.batch_size=2") == 20, "else the last"
    assert speed("method.kind=full") == 30


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h"), (2e5, "2.3 days")],
)
def test_time_as_people_say_it(seconds: float, said: str) -> None:
    assert duration.spoken(seconds) == said


def test_a_fit_goes_into_json(checkpoint: Checkpoint, root: Path) -> None:
    import dataclasses

    found = fit.assess(recipe("training.batch_size=4096"), checkpoint, [gpu(GB)], root)
    assert found.advice
    assert json.loads(json.dumps(dataclasses.asdict(found)))["fits"] is False
