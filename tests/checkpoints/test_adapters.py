import json
from pathlib import Path

import pytest

from engine.bundled import BASE
from engine.checkpoints.checkpoint_list import Checkpoint, inspect, resolve, scan
from engine.checkpoints.run_outputs import name_base
from engine.errors import EngineError
from tests.checkpoints.made import LFS_POINTER, make_adapter, make_model, make_repository


def test_an_adapter_with_its_base_at_hand(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    found = inspect(make_adapter(tmp_path / "tuned", str(base)))
    assert (found.kind, found.method, found.rank) == ("adapter", "lora", 8)
    assert (found.parameters, found.dtype) == (32, "fp32")
    assert (found.base, found.base_path, found.reason) == (str(base), base, None)
    assert (found.architecture, found.vocab_size) == ("LlamaForCausalLM", 10)
    assert found.chat_template


def test_a_base_of_another_machine_stays_named(tmp_path: Path) -> None:
    foreign = "/home/alice/llms/llama-7b"
    found = inspect(make_adapter(tmp_path / "tuned", foreign))
    assert (found.base, found.base_path) == (foreign, None)
    assert found.reason == found.base_reason == f"its base is not on this machine: {foreign}"
    assert resolve(str(tmp_path / "tuned")) == found  # another base may be put under it


def test_a_base_that_cannot_be_used(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", weights=LFS_POINTER)
    found = inspect(make_adapter(tmp_path / "tuned", str(base)))
    assert found.base_path == base
    assert str(found.reason).startswith("its base cannot be used: model.safetensors is a git-LFS")


def test_a_base_that_is_the_adapter_itself_ends(tmp_path: Path) -> None:
    found = inspect(make_adapter(tmp_path / "tuned", str(tmp_path / "tuned")))
    assert found.reason == "its base cannot be used: config.json is missing"


def test_the_bundled_base_of_another_installation(tmp_path: Path) -> None:
    elsewhere = "/usr/lib/python3.12/site-packages/engine/demo/base"
    assert inspect(make_adapter(tmp_path / "tuned", elsewhere)).base_path == BASE


def test_a_base_by_its_name_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = make_repository(tmp_path / "hub", "org/base", {"abc": True}, "abc")
    found = inspect(make_adapter(tmp_path / "tuned", "org/base"))
    assert (found.base_path, found.reason) == (repository / "snapshots" / "abc", None)


def test_what_is_wrong_with_the_adapter_itself(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    folder = make_adapter(tmp_path / "tuned", str(base))
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(LFS_POINTER)
    assert "git-LFS" in str(inspect(folder).reason)
    with pytest.raises(EngineError, match="git-LFS"):
        resolve(str(folder))
    weights.unlink()
    assert inspect(folder).reason == "adapter_model.safetensors is missing"
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04")
    assert str(inspect(folder).reason).startswith("pickle only (adapter_model.bin)")


@pytest.mark.parametrize("table", [{}, {"r": 8}, {"peft_type": 5, "r": "x"}, []])
def test_an_adapter_config_that_lies_is_survived(tmp_path: Path, table: object) -> None:
    folder = make_adapter(tmp_path / "tuned", None)
    (folder / "adapter_config.json").write_text(json.dumps(table))
    found = inspect(folder)
    assert (found.kind, found.method) == ("adapter", None)
    assert found.reason is not None
    with pytest.raises(EngineError):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "prompt tuning is not supported: its virtual tokens"),
        ({"peft_type": "PREFIX_TUNING"}, "prefix tuning is not supported: its virtual tokens"),
        ({"peft_type": "P_TUNING"}, "P-tuning is not supported: its virtual tokens"),
        ({"peft_type": "CPT"}, "context-aware prompt tuning (CPT) is not supported"),
        ({"peft_type": "POLY"}, "Poly is not supported"),
        ({"peft_type": "XLORA", "adapters": {"0": "a"}}, "it mixes several other adapters"),
        ({"alora_invocation_tokens": [1, 2]}, "activated LoRA (aLoRA) is not supported"),
        ({"task_type": "SEQ_CLS"}, "it classifies texts (task_type SEQ_CLS)"),
        ({"task_type": "TOKEN_CLS"}, "it classifies tokens (task_type TOKEN_CLS)"),
        (
            {"task_type": "SEQ_2_SEQ_LM"},
            "it belongs to an encoder-decoder model (task_type SEQ_2_SEQ_LM), which is not",
        ),
        ({"task_type": "FEATURE_EXTRACTION"}, "it makes embeddings (task_type FEATURE_EXTRACTION"),
        (
            {"auto_mapping": {"base_model_class": "LlamaForSequenceClassification"}},
            "it classifies texts (task_type SEQ_CLS)",
        ),
    ],
)
@pytest.mark.parametrize("base", ["here", "elsewhere"])
def test_an_adapter_that_cannot_answer_is_listed_with_its_reason(
    settings: dict[str, object], reason: str, base: str, tmp_path: Path
) -> None:
    """Whether its base is at hand or not, and whatever else is missing."""
    named = make_model(tmp_path / "base") if base == "here" else "/gone/base"
    folder = make_adapter(tmp_path / "tuned", str(named), **settings)
    (found,) = (one for one in scan([tmp_path], []) if one.path == folder)
    assert str(found.reason).startswith(reason)
    with pytest.raises(EngineError, match="cannot be used: ") as caught:
        resolve(str(folder))
    assert reason in caught.value.title
    (folder / "adapter_model.safetensors").unlink()
    assert str(inspect(folder).reason).startswith(reason)


@pytest.mark.parametrize(
    "settings",
    [
        {"task_type": "CAUSAL_LM"},
        {"task_type": None},
        {"alora_invocation_tokens": None},
        {"peft_type": "IA3"},
        {"auto_mapping": {"base_model_class": "LlamaForCausalLM"}},
        {"auto_mapping": "what"},
        {"task_type": ["SEQ_CLS"]},
    ],
)
def test_all_other_adapters_are_listed_as_usable(
    settings: dict[str, object], tmp_path: Path
) -> None:
    base = make_model(tmp_path / "base")
    assert inspect(make_adapter(tmp_path / "tuned", str(base), **settings)).reason is None


@pytest.mark.parametrize("base", [None, "", 5])
def test_an_adapter_that_names_no_base_lacks_nothing_else(base: object, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "tuned", None, base_model_name_or_path=base)
    found = resolve(str(folder))  # another base may be put under it
    assert (found.base, found.base_path) == (None, None)
    assert found.reason == found.base_reason == "adapter_config.json names no base model"


def test_a_base_on_the_hub_may_have_a_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = make_repository(
        tmp_path / "hub", "org/base", {"aaaa1": True, "bbbb2": True}, "aaaa1"
    )
    for revision, commit in ((None, "aaaa1"), ("main", "aaaa1"), ("bbbb2", "bbbb2")):
        found = inspect(make_adapter(tmp_path / "tuned", "org/base", revision=revision))
        assert found.base_path == repository / "snapshots" / commit
        assert name_base(repository / "snapshots" / commit) == (
            "org/base", "bbbb2" if revision == "bbbb2" else None,
        )  # fmt: skip
    gone = inspect(make_adapter(tmp_path / "tuned", "org/base", revision="v9"))
    assert gone.reason == "its base is not on this machine: org/base@v9"


def test_a_base_is_named_by_the_hub_or_as_bundled_or_not_at_all(tmp_path: Path) -> None:
    assert name_base(BASE) == ("bundled:demo-base", None)
    assert name_base(tmp_path / "base") == (None, None)


def test_an_adapter_of_a_run_finds_its_base_by_the_run(tmp_path: Path) -> None:
    """By its ref and by its path, of the result and of a checkpoint, moved or not."""
    base = make_model(tmp_path / "base")
    run = make_run(tmp_path / "runs" / "one", str(base))
    make_adapter(run / "adapter", None)
    make_adapter(run / "checkpoints" / "checkpoint-10", None)
    for ref in ("run:one", str(run / "adapter"), str(run / "checkpoints" / "checkpoint-10")):
        found = resolve(ref, [run])
        assert (found.base_path, found.base, found.reason) == (base, "base", None), ref
    make_model(run / "base")
    assert resolve(str(run / "adapter"), [run]).base_path == run / "base", "what it was merged into"


def test_a_run_that_goes_on_with_an_adapter_of_a_folder_has_its_base(tmp_path: Path) -> None:
    """The adapter's own, as its config names it; of one that lies in a run, that run's."""
    base = make_model(tmp_path / "base")
    given = make_adapter(tmp_path / "given", str(base))
    one = make_run(tmp_path / "one", str(given))
    two = make_run(tmp_path / "two", str(one / "adapter"))
    for run in (one, two):
        make_adapter(run / "adapter", None)
        found = resolve(f"run:{run.name}", [one, two])
        assert (found.base_path, found.base, found.reason) == (base, "base", None)


def make_run(folder: Path, checkpoint: str, identity: str = "") -> Path:
    folder.mkdir(parents=True)
    record = {"id": identity or folder.name, "name": f"my {folder.name}"}
    (folder / "job.json").write_text(json.dumps(record))
    (folder / "recipe.toml").write_text(f"[model]\ncheckpoint = {json.dumps(checkpoint)}\n")
    return folder


def only(found: list[Checkpoint]) -> list[tuple[str, str, str | None]]:
    return [(one.ref, one.name, one.reason) for one in found if one.source == "run"]


def test_outputs_of_runs(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    tuned = make_run(tmp_path / "runs" / "tuned", str(base))
    make_adapter(tuned / "adapter", str(base))
    full = make_run(tmp_path / "runs" / "full", str(base), "full-0001")
    make_model(full / "model")
    begun = make_run(tmp_path / "runs" / "begun", str(base))
    runs = [tuned, full, begun]
    assert only(scan([tmp_path / "runs"], runs)) == [
        ("run:tuned", "my tuned", None),
        ("run:full-0001", "my full", None),
    ]
    assert resolve("run:full-0001", runs).path == full / "model"
    with pytest.raises(EngineError, match="run:begun has no weights"):
        resolve("run:begun", runs)
    with pytest.raises(EngineError, match="run not found: gone") as refused:
        resolve("run:gone", runs)
    assert "finetop checkpoints" in refused.value.hint, "a bare name may be meant for a model"


def test_a_moved_run_finds_its_base_by_the_recipes(tmp_path: Path) -> None:
    one = make_run(tmp_path / "one", str(make_model(tmp_path / "base")))
    two = make_run(tmp_path / "two", "run:one")
    for run in (one, two):
        make_adapter(run / "adapter", "/gone/base")
    found = resolve("run:two", [one, two])
    assert (found.base_path, found.reason) == (tmp_path / "base", None)


def test_recipes_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    one, two = make_run(tmp_path / "one", "run:two"), make_run(tmp_path / "two", "run:one")
    for run in (one, two):
        make_adapter(run / "adapter", "/gone/base")
    assert resolve("run:two", [one, two]).base_path is None
    three = make_run(tmp_path / "three", str(tmp_path / "three" / "adapter"))
    make_adapter(three / "adapter", None)
    assert resolve("run:three", [three]).base_path is None


def test_a_run_with_a_broken_record_is_listed_by_its_folder(tmp_path: Path) -> None:
    run = make_run(tmp_path / "odd", "x")
    (run / "job.json").write_text("{")
    (run / "recipe.toml").write_bytes(b"\xff[")
    make_adapter(run / "adapter", "/gone/base")
    assert [ref for ref, _, _ in only(scan([], [run]))] == ["run:odd"]
