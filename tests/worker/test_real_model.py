"""A real model, trained for some steps and exported in every form. Skipped without one.

`FINETOP_TEST_MODEL` names its folder, as Gemma 3 270M or Qwen3 0.6B; it takes minutes on two cores.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.number_format import write_size
from engine.release.export_folder import list_parts
from engine.release.proof import read_proofs
from engine.worker.release.writing.card_file import check_card, read_metadata
from tui.cli import main

MODEL = Path(os.environ.get("FINETOP_TEST_MODEL") or "no-model")
LABELS = ("joy", "anger", "fear")
TARGETS = ("adapter", "merged", "gguf", "gguf:q8_0")
TYPED = "Only to see that an export of it is what was trained."

pytestmark = [
    pytest.mark.worker,
    pytest.mark.timeout(4 * 3600),  # of a larger model, on a busy machine
    pytest.mark.skipif(
        not (MODEL / "config.json").is_file(), reason="FINETOP_TEST_MODEL names no model"
    ),
]


def write_rows(path: Path, first: int, count: int) -> Path:
    rows = (
        {"text": f"note {at}: {'it went well' if at % 3 else 'they lied to me'}, he wrote",
         "label": LABELS[at % len(LABELS)]}
        for at in range(first, first + count)
    )  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def train(root: Path, folder: Path) -> JobDirectory:
    train = write_rows(folder / "train.jsonl", 0, 32)
    held_out = write_rows(folder / "eval.jsonl", 100, 100)
    settings = ("training.max_steps=4", "training.evaluations=0", f"data.eval={held_out}",
                "samples.count=0", "forgetting.tokens=0")  # fmt: skip
    given = ["--model", str(MODEL), "--data", str(train), "--name", "mood", "--rank", "8",
             "--lr", "1e-3", "--batch-size", "2", "--max-length", "96", "--follow"]  # fmt: skip
    given += [word for one in settings for word in ("--set", one)]
    assert main(["train", *given, "--runs", str(root)]) == 0
    (job,) = Store(root).jobs()
    return job


def test_a_real_model_is_exported_in_every_form_and_proven(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = train(root, tmp_path), tmp_path / "out"
    given = [word for target in TARGETS for word in ("--as", target)]
    given += ["--out", str(out), "--limits", TYPED, "--yes", "--json", "--runs", str(root)]
    capsys.readouterr()
    assert main(["export", run.path.name, *given]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [one["target"] for one in table["targets"]] == list(TARGETS)
    private = [str(tmp_path).encode(), str(MODEL).encode(), os.path.realpath(MODEL).encode()]
    for part in list_parts(out):
        card = (part / "README.md").read_text()
        assert TYPED in card
        assert card.count("## ") > 9
        check_card(part, read_metadata(part), os.listdir(part))
        for file in filter(Path.is_file, part.rglob("*")):
            content = file.read_bytes()
            assert not [one for one in private if one in content], file
    for proof in (one for part in list_parts(out) for one in read_proofs(part / "proof.json")):
        assert proof.passed
        assert "weights differ from the base" in [
            one.name for one in proof.checks if one.status == "passed"
        ]
        size = (out / proof.file).stat().st_size if proof.file.endswith(".gguf") else 0
        print(f"{proof.target}, {proof.dtype} {write_size(size) if size else ''}")
        for check in proof.checks:
            print(f"  {check.status}: {check.name}: {check.summary}")
    assert main(["export", "--verify", str(out), "--runs", str(root)]) == 0
    shutil.rmtree(out)
