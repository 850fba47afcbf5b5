"""The folder of an export: which of its parts are models, and how they are measured together."""

import shlex
from pathlib import Path

from engine.compare.arms import Arm, parse_arm
from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe
from engine.release.export_folder import (
    comparison_command,
    list_arms,
    list_parts,
    read_name,
    upload_commands,
)


def make(out: Path, *files: str) -> Path:
    for file in files:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (out / file).touch()
    return out


def test_the_merged_model_and_each_file_are_arms(tmp_path: Path) -> None:
    out = make(
        tmp_path / "an export", "merged/SHA256SUMS", "adapter/SHA256SUMS", "gguf/SHA256SUMS",
        "gguf/my-run-F16.gguf", "gguf/my-run-Q8_0.gguf", "gguf/other-Q8_0.gguf", "gguf/Modelfile",
    )  # fmt: skip
    arms = {arm.name: Path(arm.checkpoint) for arm in list_arms(out)}
    assert arms == {
        "merged": out / "merged",
        "f16": out / "gguf" / "my-run-F16.gguf",
        "q8_0": out / "gguf" / "my-run-Q8_0.gguf",
        "other-Q8_0": out / "gguf" / "other-Q8_0.gguf",
    }
    assert [part.name for part in list_parts(out)] == ["adapter", "merged", "gguf"]


def test_the_command_names_arms_that_can_be_read_again(tmp_path: Path) -> None:
    out = make(tmp_path / "an export+", "merged/SHA256SUMS", "gguf/m-Q8_0.gguf")
    words = shlex.split(comparison_command(Arm("lora", "base", "a"), out, []))
    assert words[:2] == ["finetop", "evaluate"]
    places = [at + 1 for at, word in enumerate(words) if word == "--arm"]
    given = [parse_arm(words[at]) for at in places]
    assert given[0] == Arm("run", "base", "a")
    assert [arm.checkpoint for arm in given[1:]] == [
        str(out / "merged"), str(out / "gguf" / "m-Q8_0.gguf")
    ]  # fmt: skip
    assert "--suite" not in words, "nothing was held out: all bundled suites"


def test_what_is_asked_is_what_the_run_held_out(tmp_path: Path) -> None:
    out = make(tmp_path / "out", "merged/SHA256SUMS")
    job = directory.create(tmp_path, TrainRecipe(name="one"))
    make(job.path, "adapter/adapter_config.json", "checkpoints/checkpoint-5/adapter_config.json")
    ref, runs = f"run:{job.path.name}", [job.path]
    assert "--suite" not in comparison_command(Arm("lora", ref), out, runs)
    job.held_out.touch()
    for arm in (
        Arm("lora", ref), Arm("lora", "base", ref), Arm("lora", "base", str(job.adapter)),
        Arm("lora", str(job.checkpoints / "checkpoint-5")),
    ):  # fmt: skip
        assert shlex.split(comparison_command(arm, out, runs))[-2:] == ["--suite", ref]


def test_a_folder_is_uploaded_under_the_name_in_its_card(tmp_path: Path) -> None:
    out = make(tmp_path / "out", "merged/SHA256SUMS", "gguf/SHA256SUMS")
    (out / "merged" / "README.md").write_text("---\nlicense: mit\n---\n\n# Llama-mood.1\n\n# no\n")
    assert [shlex.split(line)[2] for line in upload_commands(out)] == [
        "ORG/Llama-mood.1-merged", "ORG/NAME-gguf",
    ]  # fmt: skip
    (out / "gguf" / "README.md").write_text("# a b; rm\n")
    assert read_name(out / "gguf") == "NAME"


def test_an_adapter_alone_is_nothing_to_measure_beside_its_run(tmp_path: Path) -> None:
    out = make(tmp_path / "out", "adapter/SHA256SUMS")
    assert comparison_command(Arm("lora", "run:one"), out, []) == ""
