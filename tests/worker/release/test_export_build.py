"""What an export calls its files, and which proofs publish it."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.recipes.recipe import ExportRecipe
from engine.release.proof import Check, TargetProof
from engine.worker.release.export_build import check_proofs, name_file
from tests.worker.release.sources import make_source


@pytest.mark.parametrize(
    ("license_id", "name"), [("llama3.1", "Llama-tuned"), ("apache-2.0", "tuned")]
)
def test_a_gguf_file_is_called_as_the_license_of_its_base_wants_it(
    tmp_path: Path, license_id: str, name: str
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text(f"---\nlicense: {license_id}\n---\n")
    assert name_file(make_source(tmp_path), ExportRecipe(base_id="a/b")) == name


def test_what_is_only_stated_or_not_proven_is_no_proof() -> None:
    left = (Check("a", "stated", "1.2 nats"), Check("b", "not proven", "no program"))
    with pytest.raises(EngineError, match="merged failed") as caught:
        check_proofs([TargetProof("merged", "merged", "float32", left)])
    assert caught.value.detail == "merged: nothing was proven"
    right = (*left, Check("c", "passed", "equal"))
    check_proofs([TargetProof("merged", "merged", "float32", right)])
